"""Kill -9 at every write point: readers see the old version or the new one, a repeat ends well, a sweep cleans up.

The points are enumerated: the n-th write is struck for n = 1, 2, … until a publisher ends unharmed.
"""

from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from sparkhu.lake import create_lake, is_lake, open_lake
from sparkhu.lake.records import VERSIONS
from sparkhu.lake.sweeping import SWEEP
from tests.services import S3Endpoint
from tests.sparkhu.lake import victim
from tests.sparkhu.lake.killing import Strike, at_files, at_objects, struck
from tests.sparkhu.lake.proxy import When

NOW = timedelta(seconds=-5)
MODULE = "tests.sparkhu.lake.victim"
Rows = dict[str, list[tuple[object, ...]]]


def prepared(uri: str, what: str) -> None:
    if what == "create":
        return
    lake = create_lake(uri)
    victim.prepare(lake)
    if what == "sweep":
        for path in ("tables/clean/data/2024-01-01/0-dead.parquet", f"{VERSIONS}00000002-dead.json", ".drafts/dead"):
            lake._storage.write(path, b"dead")


def wanted(tmp_path: Path) -> tuple[Rows, Rows]:
    """Give what a lake holds before and after the commit that victims make."""
    lake = create_lake(str(tmp_path / "wanted"))
    victim.prepare(lake)
    before = victim.rows_of(lake.version())
    return before, victim.rows_of(victim.commit(lake))


def check(uri: str, what: str, old: Rows, new: Rows) -> str:
    """Look at what a killed publisher left, do its work again, sweep; give which version readers saw."""
    if what == "create":
        seen = "new" if is_lake(uri) else "old"
        lake = open_lake(uri) if seen == "new" else create_lake(uri)
        assert (lake.version().number, dict(lake.version().tables)) == (0, {})
        victim.prepare(lake)
    lake = open_lake(uri)
    rows = victim.rows_of(lake.version())
    if what != "create":
        assert rows in (old, new), "neither the old version nor the new one"
        seen = "new" if rows == new else "old"
    assert victim.rows_of(victim.commit(lake)) == new, "the repeated commit lost or doubled rows"
    assert [version.run for version in lake.history() if version.run != SWEEP] == ["second", "first", ""]
    lake.sweep(NOW)
    assert lake.sweep(NOW) == []
    kept = {file.path for file in lake._storage.listed("tables/")}
    versions = lake.history()
    manifests = {entry.manifest for version in versions for entry in version.tables.values()}
    files = {file.path for version in versions for name in version.tables for file in version.table(name).files()}
    assert kept == manifests | files, "orphans are left, or too much was swept"
    assert victim.rows_of(lake.version(1)) == old
    assert victim.rows_of(lake.version()) == new
    return seen


def strikes(what: str, place: str, strike: Strike, tmp_path: Path) -> list[str]:
    """Kill a publisher at its first, second, … write below a place, until one ends unharmed; give what readers saw."""
    old, new = wanted(tmp_path)

    def prepare(number: int) -> dict[str, str]:
        uri = f"{place}{number}"
        prepared(uri, what)
        return {"what": what, "lake": uri}

    return struck(strike, prepare, lambda task: check(task["lake"], what, old, new))


@pytest.mark.parametrize("when", ["before", pytest.param("middle", marks=pytest.mark.slow)])
@pytest.mark.parametrize("what", ["create", "commit", "sweep"])
def test_killed_at_any_write_to_a_folder(what: str, when: When, tmp_path: Path) -> None:
    with at_files(MODULE, when) as strike:
        seen = strikes(what, f"{tmp_path}/", strike, tmp_path)
    least = {"create": 6, "commit": 16, "sweep": 2} if when == "before" else {"create": 2, "commit": 8, "sweep": 0}
    assert len(seen) > least[what]
    if what != "sweep":
        # Up to the swap readers see the old version, then the new one, and never the old one again.
        assert seen == sorted(seen, reverse=True)
        assert {"old", "new"} == set(seen)


@pytest.mark.slow
@pytest.mark.parametrize("when", get_args(When))
@pytest.mark.parametrize("what", ["create", "commit", "sweep"])
def test_killed_at_any_write_to_s3(
    what: str, when: When, conditional_s3_endpoint: S3Endpoint, conditional_place: str, tmp_path: Path
) -> None:
    with at_objects(MODULE, when, conditional_s3_endpoint) as strike:
        seen = strikes(what, conditional_place, strike, tmp_path)
    if what == "commit":
        assert len(seen) > 10
        assert seen == sorted(seen, reverse=True)


@pytest.mark.slow
def test_killed_in_the_middle_of_any_write_to_s3_without_conditions(
    s3_endpoint: S3Endpoint, unconditional_place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkhu.lake.leases.LEASE", timedelta(seconds=6))  # for those who wait, not for the victim
    with at_objects(MODULE, "middle", s3_endpoint) as strike:
        seen = strikes("commit", unconditional_place, strike, tmp_path)
    assert len(seen) > 14
    assert seen == sorted(seen, reverse=True)
