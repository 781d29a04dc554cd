"""Turns at an endpoint without compare-and-swap: one at a time, and the dead do not stop the living."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from sparkhu.errors import SparkhuError
from sparkhu.lake import Append, Lake, create_lake, leases, open_lake
from sparkhu.lake.objects import Objects
from tests.services import S3Endpoint
from tests.sparkhu.lake.made_rows import observed
from tests.sparkhu.lake.proxy import Proxy

SHORT = timedelta(seconds=6)
SLOW = pytest.mark.slow


@pytest.fixture
def lake(unconditional_place: str) -> Lake:
    return create_lake(unconditional_place)


@pytest.fixture
def storage(lake: Lake) -> Objects:
    assert isinstance(lake._storage, Objects)
    return lake._storage


@pytest.fixture
def proxy(s3_endpoint: S3Endpoint, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy(s3_endpoint.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    yield proxy
    proxy.away = True
    proxy.close()


def add(lake: Lake, y: float) -> int:
    changes = {"observations": Append(observed(hours=1, y=y))}
    return lake.commit(changes, run=f"{y}", based_on=lake.version()).number


def tickets(storage: Objects) -> list[str]:
    return [found.path for found in storage.listed("leases/")]


def test_no_ticket_is_left_after_a_turn(lake: Lake, storage: Objects) -> None:
    assert add(lake, 1.0) == 1
    assert tickets(storage) == []
    assert not storage.swap("current.json", '"another"', b"{}")
    assert tickets(storage) == []


def test_swaps_that_race_from_one_state_have_one_winner(lake: Lake, storage: Objects) -> None:
    for turn in range(5):
        _, tag = storage.read_tagged("current.json")
        ready = threading.Barrier(4)

        def swap(name: int, tag: str = tag, turn: int = turn, ready: threading.Barrier = ready) -> bool:
            own = Objects(storage.uri)
            ready.wait()
            return own.swap("current.json", tag, f"{turn} {name}".encode())

        with ThreadPoolExecutor(4) as pool:
            won = list(pool.map(swap, range(4)))
        assert sum(won) == 1
        assert storage.read("current.json") == f"{turn} {won.index(True)}".encode()


DYING = """
import os, signal, sys
from sparkhu.lake import leases, open_lake
from tests.sparkhu.lake.test_leases import add
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(leases, sys.argv[2], die)
add(open_lake(sys.argv[1]), 13.0)
"""


@pytest.mark.parametrize(
    "point", [*[pytest.param(name, marks=SLOW) for name in ("_number", "_wait", "_tag")], "_is_first"]
)
def test_a_publisher_that_dies_in_the_line_or_in_its_turn_delays_others_by_a_lease(
    lake: Lake, storage: Objects, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE", SHORT)
    add(lake, 1.0)
    if point == "_number":  # it is asked for only where there is a ticket already
        storage.write(f"leases/{1:012d}-before", b"")
    died = subprocess.run([sys.executable, "-c", DYING, lake.uri, point], check=False)
    assert died.returncode == -signal.SIGKILL
    left = tickets(storage)
    assert [path.startswith("leases/choosing-") for path in left if "before" not in path] == [point == "_number"]
    began = time.monotonic()
    assert add(lake, 2.0) == 2
    assert time.monotonic() - began < 2 * SHORT.total_seconds()
    assert open_lake(lake.uri).version().table("observations").read()["y"].to_list() == [1.0, 2.0]
    lake.sweep(timedelta(seconds=-5))
    assert tickets(storage) == []


def test_a_publisher_that_was_held_up_too_long_changes_nothing_and_lines_up_anew(
    lake: Lake, storage: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE", SHORT)
    asked: list[str] = []
    is_first = leases._is_first

    def held_up(storage: leases.Dated, ticket: str) -> bool:
        asked.append(ticket)
        if len(asked) == 1:
            time.sleep(SHORT.total_seconds())
            assert add(open_lake(lake.uri), 1.0) == 1  # another takes the dead ticket away, and its turn
        return is_first(storage, ticket)

    monkeypatch.setattr(leases, "_is_first", held_up)
    assert add(lake, 2.0) == 2
    assert len(set(asked)) == 3
    assert lake.version().table("observations").read()["y"].to_list() == [1.0, 2.0]


def test_a_turn_that_never_comes_is_an_error(lake: Lake, storage: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "PATIENCE", timedelta(seconds=1))
    storage.write("leases/choosing-forever", b"")
    with pytest.raises(SparkhuError, match=r"the turn to change 's3://.*' did not come within 1 s. Nothing was"):
        add(lake, 1.0)
    assert tickets(storage) == ["leases/choosing-forever"]
    assert lake.version().number == 0


@pytest.mark.parametrize("when", [pytest.param("before", marks=SLOW), "middle", pytest.param("after", marks=SLOW)])
def test_a_version_whose_write_broke_off_is_read_from_beside_it_and_mended(
    lake: Lake, proxy: Proxy, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE", SHORT)
    opened = open_lake(lake.uri)
    add(opened, 1.0)
    (beside,) = [n for n, line in enumerate(proxy.writes, 1) if "next.json" in line]
    asked = sum("conditions.txt" in line for line in proxy.writes)  # once in a process
    swap = beside - asked + 1
    proxy.arm(swap, when, lambda: setattr(proxy, "away", True))  # type: ignore[arg-type]
    with pytest.raises(SparkhuError, match="version 2 was committed is not known"):
        add(opened, 2.0)
    assert "current.json" in proxy.writes[-1]
    proxy.away = False
    seen = open_lake(lake.uri).version().number
    assert seen in {"before": [1], "middle": [1, 2], "after": [2]}[when]
    assert add(opened, 3.0) == seen + 1
    rows = lake.version().table("observations").read()["y"].to_list()
    assert rows == [1.0, *[2.0] * (seen == 2), 3.0]
    assert lake._storage.read("current.json") == lake._storage.read("next.json")


def test_a_lost_or_torn_current_version_is_read_from_beside_it(lake: Lake, storage: Objects) -> None:
    for y in (1.0, 2.0):
        add(lake, y)
    storage.remove(["current.json"])
    assert open_lake(lake.uri).version().number == 2
    add(open_lake(lake.uri), 3.0)
    storage.write("current.json", storage.read("current.json")[:100])
    assert lake.version().number == 3
    add(lake, 4.0)
    assert lake.version().table("observations").read()["y"].to_list() == [1.0, 2.0, 3.0, 4.0]


def test_the_endpoint_tells_the_time_that_dates_its_objects(storage: Objects) -> None:
    storage.write("clock", b"")
    (found,) = storage.listed("clock")
    assert timedelta(0) <= storage.now() - found.modified < timedelta(seconds=10)
