"""Kill -9 at every write of an ingest and of a publication: the lake is as before or whole, and a repeat ends well.

On a folder each write is struck before it, which is after the one before, and in the middle; on S3 before, in the
middle of, and after the request.
"""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from sparkhu.lake import is_lake, open_lake
from sparkhu.lake.storage import open_storage
from sparkhu.sources import SourceOptions
from sparkhu.stages.appending import append_source
from tests.services import S3Endpoint, conditional_s3_endpoint, s3_endpoint
from tests.sparkhu.lake.conftest import s3_place
from tests.sparkhu.lake.killing import Strike, Task, at_files, at_objects, struck
from tests.sparkhu.lake.proxy import When
from tests.sparkhu.stages.test_lake_publishing import results
from tests.sparkhu.stages.victim import act

__all__ = ["conditional_s3_endpoint", "s3_endpoint"]
pytestmark = pytest.mark.slow

MODULE = "tests.sparkhu.stages.victim"
CASES = ("first ingest", "later ingest", "publication")
MOMENTS = {"quarantine": ["ds"], "sources": ["run", "appended_at"], "snapshots": [], "parts": []}
"""Columns that tell of the moment and the run of the test; of other tables `available_at`."""
Rows = dict[str, list[tuple[object, ...]]]


def rows(lake: str) -> Rows:
    """Read all that a reader sees: nothing where there is no lake yet."""
    if not is_lake(lake):
        return {}
    version = open_lake(lake).version()
    tables = {name: version.table(name).read() for name in version.tables}
    told = {name: table.drop(MOMENTS.get(name, ["available_at"]), strict=False) for name, table in tables.items()}
    return {name: table.rows() for name, table in told.items()}


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["id,time,y", *lines]) + "\n")
    return str(path)


class Case:
    """A task, the lake that it begins with, and what readers see before and after it."""

    def __init__(self, name: str, folder: Path) -> None:
        hours = [(series, 1 + hour // 24, hour % 24) for series in "ab" for hour in range(96)]
        lines = [f"{series},2024-01-{day:02d}T{hour:02d}:00Z,{24 * day + hour}" for series, day, hour in hours]
        first = write(folder / "first.csv", *lines, "a,never,1", "a,2024-01-01T00:30Z,none")
        self.work, self.before, wanted = folder / "work", folder / "before", folder / "wanted"
        self.work.mkdir()
        self.task = {"what": "append", "given": first}
        if name != "first ingest":
            append_source(first, SourceOptions(), lake=str(self.before))
            shutil.copytree(self.before, wanted)
            second = write(folder / "second.csv", "a,2024-01-01T00:00Z,7", "b,2024-01-05T00:00Z,8", "b,never,1")
            self.task = {"what": "append", "given": second}
        if name == "publication":
            self.task = {"what": "publish", "given": str(results(folder / "run", 48))}
        self.old = rows(str(self.before))
        act({**self.task, "lake": str(wanted), "out": str(folder / "wanted-out")})
        self.new, self.version = rows(str(wanted)), open_lake(str(wanted)).version().number

    def prepared(self, number: int, place: str) -> Task:
        """Put a copy of the lake into a place."""
        work = self.work / str(number)
        work.mkdir()
        lake = f"{place}{number}" if place else str(work / "lake")
        storage = open_storage(lake)
        for file in self.before.rglob("*"):
            if file.is_file() and file.name != "current.lock":
                storage.write(file.relative_to(self.before).as_posix(), file.read_bytes())
        return {**self.task, "lake": lake, "out": str(work / "out"), "watched": str(work)}

    def seen(self, task: Task) -> str:
        """Check what readers see after a publisher was struck, and that the same again brings it to the end."""
        found = rows(task["lake"])
        assert found in (self.old, self.new)
        act(task)
        assert rows(task["lake"]) == self.new
        assert open_lake(task["lake"]).version().number == self.version
        return "new" if found == self.new else "old"


def check_all(name: str, strikes: AbstractContextManager[Strike], folder: Path, place: str = "") -> int:
    """Strike at every write of a case; give how many there are."""
    case = Case(name, folder)
    with strikes as strike:
        seen = struck(strike, lambda number: case.prepared(number, place), case.seen)
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {"old", "new"}
    return len(seen) - 1


@pytest.mark.parametrize("when", ["before", "middle"])
@pytest.mark.parametrize("name", CASES)
def test_killed_at_any_write_to_a_folder(
    name: str, when: When, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    points = check_all(name, at_files(MODULE, when), tmp_path)
    record_property("write points", points)
    assert points > (20 if when == "before" else 8)


@pytest.mark.parametrize("when", get_args(When))
@pytest.mark.parametrize("name", CASES)
def test_killed_at_any_write_to_s3(
    name: str, when: When, tmp_path: Path, conditional_s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place,) = s3_place(conditional_s3_endpoint, monkeypatch)
    assert check_all(name, at_objects(MODULE, when, conditional_s3_endpoint), tmp_path, place) > 12


def test_killed_in_the_middle_of_any_write_to_s3_without_conditions(
    tmp_path: Path, s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkhu.lake.leases.LEASE", timedelta(seconds=6))  # for those who wait, not for the victim
    (place,) = s3_place(s3_endpoint, monkeypatch)
    assert check_all("later ingest", at_objects(MODULE, "middle", s3_endpoint), tmp_path, place) > 12
