"""Publishers sweep now and then what those that were killed have left."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from sparkhu.errors import SparkhuError
from sparkhu.lake import Append, Lake, Replace, Version, create_lake
from sparkhu.lake.folders import Folder
from sparkhu.lake.lakes import SWEPT_EVERY
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
    assert [lake.version(number).table("observations").rows for number in (1, SWEPT_EVERY)] == [1, SWEPT_EVERY]


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
