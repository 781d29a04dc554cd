"""Kill -9 of a backfill at every write: readers see whole intervals, and the same command again ends as undisturbed.

The points are enumerated: every write of the backfill itself (its folder, the parameters and the log of each interval,
and their removal), and every write of the publication of one interval, at which the backfill dies and its run with it.
So it dies before a run starts, at each point of a publication, and between a commit and the next run.
"""

import fcntl
import os
import shutil
import time
from pathlib import Path

import polars as pl
import pytest

from sparkhu.lake import Append, Version, create_lake, open_lake
from tests.cli.backfiller import SECOND, SERIES, act
from tests.sparkhu.lake.killing import KILLED, Task, Victims, struck
from tests.sparkhu.stages.test_lake_publishing import hours

pytestmark = pytest.mark.slow

MODULE = "tests.cli.backfiller"


def rows(version: Version) -> dict[str, object]:
    """Read all tables, and which intervals they tell of."""
    tables = {name: version.table(name) for name in version.tables}
    found: dict[str, object] = {name: table.read().rows() for name, table in tables.items()}
    return found | {
        f"intervals of {name}": [(each.start, each.end, each.read_version, each.params) for each in table.intervals]
        for name, table in tables.items()
    }


class Backfills:
    """Backfills of copies of one lake, and what readers see after none, one, two and all three of the intervals.

    The copies of `begun` have the first interval already.
    """

    def __init__(self, folder: Path, *, begun: bool) -> None:
        self.folder, self.before = folder, folder / "before"
        lake = create_lake(str(self.before))
        observed = pl.concat([hours(0, 96, name=name) for name in SERIES])
        lake.commit({"observations": Append(observed)}, run="ingest", based_on=lake.version())
        whole = self.prepared(0)
        act({**whole, "last": SECOND})
        if begun:
            shutil.rmtree(self.before)
            shutil.copytree(whole["lake"], self.before)
        act(whole)
        done = open_lake(whole["lake"])
        self.states = [rows(done.version(number)) for number in range(1, done.version().number + 1)]
        assert len(self.states) == 4

    def prepared(self, number: int) -> Task:
        work = self.folder / str(number)
        (work / "scratch").mkdir(parents=True)
        shutil.copytree(self.before, work / "lake")
        return {"watched": str(work / "scratch"), **{name: str(work / name) for name in ("lake", "out", "scratch")}}

    def seen(self, task: Task) -> str:
        """Check what readers see after a kill, and do the same again; give how many intervals were published."""
        version = open_lake(task["lake"]).version()
        assert rows(version) == self.states[version.number - 1]
        wait_until_free(Path(task["out"]))
        act(task)
        again = open_lake(task["lake"]).version()
        assert again.number == 4
        assert rows(again) == self.states[-1]
        return str(version.number - 1)


def wait_until_free(out: Path) -> None:
    """Wait until no run holds a folder of results: those of a backfill that was killed are ended by the system."""
    deadline = time.monotonic() + 10
    for folder in out.glob("*Z"):
        while not is_free(folder):
            assert time.monotonic() < deadline, f"{folder} is held by a run whose backfill was killed"
            time.sleep(0.01)


def is_free(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


@pytest.fixture
def backfills(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backfills:
    monkeypatch.setattr("tempfile.tempdir", None)  # `act` sets these, and the strike
    monkeypatch.setenv("STRIKE_AT", "0")
    for name in ("COMMAND", "POLL_SECONDS"):
        monkeypatch.setattr(f"sparkhu_cli.backfilling.{name}", None)
    return Backfills(tmp_path, begun=request.param)


@pytest.mark.parametrize("backfills", [False], indirect=True)
def test_killed_at_any_write_of_its_own(backfills: Backfills) -> None:
    with Victims(MODULE) as victims:
        seen = struck(lambda task, number: victims.run(task, strike=number), backfills.prepared, backfills.seen)
    assert len(seen) > 7
    assert seen == sorted(seen)
    assert set(seen) == {"0", "1", "2", "3"}


@pytest.mark.parametrize("backfills", [True], indirect=True)
def test_killed_at_any_write_of_a_publication(backfills: Backfills) -> None:
    with Victims(MODULE) as victims:

        def strike(task: Task, number: int) -> int:
            return victims.run({**task, "run_strike": str(number)})

        seen = struck(strike, backfills.prepared, backfills.seen)
    assert len(seen) > 20
    assert seen == sorted(seen)
    assert seen[0] == "1"
    assert set(seen) == {"1", "2", "3"}


@pytest.mark.parametrize("backfills", [False], indirect=True)
def test_killed_with_two_runs_under_way(backfills: Backfills) -> None:
    for strike in (1, 12):
        task = backfills.prepared(strike) | {"parallel": "2"}
        with Victims(MODULE) as victims:
            assert victims.run({**task, "run_strike": str(strike)}) == KILLED
        assert open_lake(task["lake"]).version().number < 4
        wait_until_free(Path(task["out"]))
        act(task)
        done = open_lake(task["lake"]).version()
        assert done.number == 4
        assert rows(done) == backfills.states[-1]
