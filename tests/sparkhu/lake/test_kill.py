"""Kill -9 at every write point: readers see the old version or the new one, a repeat ends well, a sweep cleans up.

The points are enumerated: the n-th write is struck for n = 1, 2, … until a publisher ends unharmed.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from sparkhu.lake import create_lake, is_lake, open_lake
from sparkhu.lake.records import VERSIONS
from tests.services import S3Endpoint
from tests.sparkhu.lake import victim
from tests.sparkhu.lake.proxy import Proxy, When

KILLED, UNHARMED = -signal.SIGKILL, 0
NOW = timedelta(seconds=-5)


class Victims:
    """A process that forks publishers, each of them to be killed."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.sparkhu.lake.victim"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, what: str, lake: str, strike: int = 0, arm: Callable[[int], None] = lambda _: None) -> int:
        """Run one and give its status; `arm` is told its process id before it starts."""
        arm(self._ask({"what": what, "lake": lake, "strike": strike})["pid"])
        return self._ask({})["status"]

    def _ask(self, line: dict[str, object]) -> dict[str, int]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


@pytest.fixture
def victims() -> Iterator[Callable[[], Victims]]:
    started: list[Victims] = []

    def start() -> Victims:
        started.append(Victims())
        return started[-1]

    yield start
    for one in started:
        one.process.communicate(timeout=30)


def prepared(uri: str, what: str) -> None:
    if what == "create":
        return
    lake = create_lake(uri)
    victim.prepare(lake)
    if what == "sweep":
        for path in ("tables/clean/data/2024-01-01/0-dead.parquet", f"{VERSIONS}00000002-dead.json", ".drafts/dead"):
            lake._storage.write(path, b"dead")


def wanted(tmp_path: Path) -> tuple[dict[str, list[tuple[object, ...]]], dict[str, list[tuple[object, ...]]]]:
    """Give what a lake holds before and after the commit that victims make."""
    lake = create_lake(str(tmp_path / "wanted"))
    victim.prepare(lake)
    before = victim.rows_of(lake.version())
    return before, victim.rows_of(victim.commit(lake))


def check(uri: str, what: str, old: dict[str, object], new: dict[str, object]) -> str:
    """Look at what a killed publisher left, do its work again, sweep; give which version readers saw."""
    if what == "create":
        seen = "new" if is_lake(uri) else "old"
        lake = open_lake(uri) if seen == "new" else create_lake(uri)
        assert (lake.version().number, dict(lake.version().tables)) == (0, {})
        victim.prepare(lake)
    lake = open_lake(uri)
    rows = victim.rows_of(lake.version())
    if what != "create":
        assert lake.version().number in (1, 2)
        assert rows == (new if lake.version().number == 2 else old), "neither the old version nor the new one"
        seen = "new" if lake.version().number == 2 else "old"
    assert victim.rows_of(victim.commit(lake)) == new, "the repeated commit lost or doubled rows"
    assert lake.version().number == 2
    lake.sweep(NOW)
    assert lake.sweep(NOW) == []
    kept = {file.path for file in lake._storage.listed("tables/")}
    versions = [lake.version(number) for number in range(3)]
    manifests = {entry.manifest for version in versions for entry in version.tables.values()}
    files = {file.path for version in versions for name in version.tables for file in version.table(name).files()}
    assert kept == manifests | files, "orphans are left, or too much was swept"
    assert victim.rows_of(lake.version(1)) == old
    assert victim.rows_of(lake.version(2)) == new
    return seen


@pytest.mark.parametrize("what", ["create", "commit", "sweep"])
def test_killed_at_any_write_to_a_folder(
    what: str, tmp_path: Path, victims: Callable[[], Victims], record_property: Callable[[str, object], None]
) -> None:
    one, (old, new), seen = victims(), wanted(tmp_path), []
    for strike in range(1, 200):
        uri = str(tmp_path / str(strike))
        prepared(uri, what)
        status = one.run(what, uri, strike)
        assert status in (KILLED, UNHARMED)
        seen.append(check(uri, what, old, new))
        if status == UNHARMED:
            break
    record_property("write points", strike - 1)
    assert strike > {"create": 6, "commit": 16, "sweep": 2}[what]
    if what != "sweep":
        # Up to the swap readers see the old version, then the new one, and never the old one again.
        assert seen == sorted(seen, reverse=True)
        assert {"old", "new"} == set(seen)


def strike_s3(
    endpoint: S3Endpoint, place: str, what: str, when: When, victims: Callable[[], Victims], tmp_path: Path
) -> list[str]:
    """Kill a publisher at its first, second, … write to S3, until one ends unharmed; give what readers saw."""
    old, new = wanted(tmp_path)
    proxy, seen, asked = Proxy(endpoint.url), [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", proxy.url)
        one = victims()
    try:
        for strike in range(1, 200):
            uri = f"{place}{strike}"
            prepared(uri, what)

            def arm(pid: int, strike: int = strike) -> None:
                proxy.arm(strike, when, lambda: os.kill(pid, signal.SIGKILL))

            status = one.run(what, uri, arm=arm)
            asked = proxy.writes
            assert status in (KILLED, UNHARMED)
            seen.append(check(uri, what, old, new))
            if status == UNHARMED:
                break
    finally:
        proxy.close()
    assert strike == len(asked) + 1
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("when", get_args(When))
@pytest.mark.parametrize("what", ["create", "commit", "sweep"])
def test_killed_at_any_write_to_s3(
    what: str,
    when: When,
    conditional_s3_endpoint: S3Endpoint,
    conditional_place: str,
    victims: Callable[[], Victims],
    tmp_path: Path,
) -> None:
    seen = strike_s3(conditional_s3_endpoint, conditional_place, what, when, victims, tmp_path)
    if what == "commit":
        assert len(seen) > 10
        assert seen == sorted(seen, reverse=True)


@pytest.mark.slow
def test_killed_in_the_middle_of_any_write_to_s3_without_conditions(
    s3_endpoint: S3Endpoint,
    unconditional_place: str,
    victims: Callable[[], Victims],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sparkhu.lake.leases.LEASE", timedelta(seconds=6))  # for those who wait, not for the victim
    seen = strike_s3(s3_endpoint, unconditional_place, "commit", "middle", victims, tmp_path)
    assert len(seen) > 14
    assert seen == sorted(seen, reverse=True)
