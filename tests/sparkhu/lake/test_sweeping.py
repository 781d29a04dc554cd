"""Publishers sweep now and then what those that were killed have left."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.lake import Append, Lake, Replace, Version, create_lake
from sparkhu.lake.folders import Folder
from sparkhu.lake.storage import Stored
from sparkhu.lake.sweeping import SWEPT_EVERY, is_due
from sparkhu.lake.tables import Version as Opened
from tests.sparkhu.lake.made_rows import DAY, HOUR, START, observed

ROOT = Path(__file__).resolve().parents[3]
KILLED = """
import os, signal, sys
from sparkhu.lake import open_lake
from sparkhu.lake.folders import Folder
from tests.sparkhu.lake.test_sweeping import append
Folder.swap = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
append(open_lake(sys.argv[1]), 99)
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return create_lake(str(tmp_path / "lake"))


def append(lake: Lake, hour: int) -> Version:
    rows = observed(start=START + hour * HOUR, hours=1)
    return lake.commit({"observations": Append(rows)}, run=f"hour-{hour}", based_on=lake.version())


def left_by_a_killed_publisher(lake: Lake, *, hours_ago: float) -> set[Path]:
    before = files(lake)
    done = subprocess.run([sys.executable, "-c", KILLED, lake.uri], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    left = files(lake) - before
    assert {path.relative_to(lake.uri).parts[0] for path in left} == {"tables", "versions"}
    for path in left:
        os.utime(path, (time.time() - hours_ago * 3600,) * 2)
    return left


def files(lake: Lake) -> set[Path]:
    return {path for path in Path(lake.uri).rglob("*") if path.is_file()}


def test_what_a_killed_publisher_left_is_swept_by_the_next_whose_turn_it_is(lake: Lake) -> None:
    append(lake, 0)
    old, fresh = (left_by_a_killed_publisher(lake, hours_ago=hours) for hours in (2, 0.5))
    for hour in range(1, SWEPT_EVERY - 1):
        assert append(lake, hour).notes == ()
    assert files(lake) > old
    done = append(lake, SWEPT_EVERY - 1)
    assert (done.number, done.notes) == (SWEPT_EVERY, (f"{len(old)} files that killed publishers left were swept",))
    assert not files(lake) & old
    assert files(lake) > fresh, "it may belong to a publisher that is at work"
    assert lake.version().commit.note == f"{len(old)} files that no version refers to are to be removed"
    assert [lake.version(number).table("observations").rows for number in (1, SWEPT_EVERY)] == [1, SWEPT_EVERY]


def test_sweeps_grow_rare_as_the_history_grows_and_cost_a_few_reads_a_commit() -> None:
    due = [number for number in range(1, 20_001) if is_due(number)]
    assert due[:10] == [16, 32, 48, 64, 80, 96, 112, 128, 160, 192]
    # A sweep reads all versions that there are.
    assert sum(due) < 8 * 20_000
    assert all(later <= 1.25 * number for number, later in pairwise(due[3:]))


class Interrupted(Folder):
    """A folder in which others do something right before a step of a publisher or of a sweep."""

    def __init__(self, uri: str, step: str, others: Callable[[], object]) -> None:
        super().__init__(uri)
        self._step, self._others, self._done = step, others, False

    def _met(self, step: str) -> None:
        if step == self._step and not self._done:
            self._done = True
            self._others()

    def listed(self, prefix: str) -> list[Stored]:
        self._met(f"list {prefix}")
        return super().listed(prefix)

    def swap(self, path: str, tag: str | None, data: bytes) -> bool:
        self._met("swap")
        return super().swap(path, tag, data)

    def remove(self, paths: Iterable[str]) -> None:
        self._met("remove")
        super().remove(paths)


def is_whole(lake: Lake) -> bool:
    """Read all that the versions of a lake refer to; a file that is missing is an error."""
    return all(version.table(name).read().height for version in lake.history() for name in version.tables)


@pytest.mark.parametrize("step", ["swap", "list versions/", "remove"])
def test_a_commit_that_lands_amid_a_sweep_of_its_own_files_loses_none(lake: Lake, step: str) -> None:
    # The publisher has written everything and is held up for hours right before its swap, until the sweep has come to
    # a step of its own: then it swaps, and the sweep goes on.
    append(lake, 0)
    held, go = threading.Event(), threading.Event()

    def wait() -> None:
        held.set()
        assert go.wait(20)

    publisher = Lake(Interrupted(lake.uri, "swap", wait), lake.layout)
    with ThreadPoolExecutor(1) as pool:
        landing = pool.submit(append, publisher, 1)
        assert held.wait(20)

        def lands() -> None:
            go.set()
            if step != "remove":
                landing.result(20)
            while step == "remove" and lake.version().run != "hour-1":
                time.sleep(0.01)

        swept = Lake(Interrupted(lake.uri, step, lands), lake.layout).sweep(timedelta(seconds=-5))
        landed = landing.result(20)
    assert {version.run for version in lake.history()} >= {"hour-0", "hour-1"}
    assert landed.table("observations").read().height == 2
    assert is_whole(lake)
    assert bool(swept) == (step == "remove")


def test_a_commit_whose_files_were_swept_away_writes_them_anew(place: str) -> None:
    lake = create_lake(place)
    append(lake, 0)

    def sweeps(_: Version) -> pl.DataFrame:
        if not swept:
            swept.extend(lake.sweep(timedelta(seconds=-5)))
        return observed(hours=3)

    swept: list[str] = []
    changes = {"observations": Append(observed(hours=2)), "quarantine": Append(sweeps)}
    done = lake.commit(changes, run="long", based_on=lake.version())
    assert [path.split("/")[1] for path in swept] == ["observations", "observations"]
    assert [version.run for version in lake.history()] == ["long", "sweep", "hour-0", ""]
    assert (done.table("observations").rows, done.table("quarantine").rows) == (3, 3)
    assert is_whole(lake)


def test_a_sweep_that_finds_nothing_is_no_version(lake: Lake) -> None:
    number = append(lake, 0).number
    assert lake.sweep(timedelta(seconds=-5)) == []
    assert lake.version().number == number


def test_a_sweep_that_fails_is_told_and_the_commit_stands(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in range(SWEPT_EVERY - 1):
        append(lake, hour)

    def fails(*_: object) -> None:
        raise SparkhuError("the disk is away")

    monkeypatch.setattr(Folder, "listed", fails)
    done = append(lake, SWEPT_EVERY)
    assert done.notes == ("what killed publishers left could not be swept: the disk is away",)
    assert lake.version().number == SWEPT_EVERY


def test_manifests_are_read_no_further_back_than_files_are_unknown(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        append(lake, number)
    read: list[int] = []
    manifest = Opened.manifest

    def counted(self: Opened, name: str) -> object:
        read.append(self.number)
        return manifest(self, name)

    monkeypatch.setattr(Opened, "manifest", counted)
    assert lake.sweep(timedelta(seconds=-5)) == []
    assert len(read) < 40
    # A file that only the second version knows is found there.
    monkeypatch.undo()
    other = create_lake(f"{lake.uri}-2")
    for generation in range(40):
        rows = observed(hours=2, y=generation)
        change = Replace(rows, START, START + DAY, 0, f"p{generation}")
        other.commit({"clean": change}, run="run", based_on=other.version())
    assert other.sweep(timedelta(seconds=-5)) == []
    assert [other.version(number).table("clean").read()["y"][0] for number in (1, 40)] == [0.0, 39.0]


def test_announcements_of_readers_that_were_killed_are_swept_after_a_day(lake: Lake) -> None:
    storage = lake.version().storage
    for name, hours in (("old", 25), ("held-up", 2), ("new", 0)):
        storage.write(f"readers/{name}.json", b"{}")
        os.utime(Path(lake.uri) / "readers" / f"{name}.json", (time.time() - hours * 3600,) * 2)
    assert lake.sweep(timedelta(0)) == ["readers/old.json"]
