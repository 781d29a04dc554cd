"""Kill -9 at every write of an ingest and of a publication: the lake is as before or whole, and a repeat ends well."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sparkhu.lake import is_lake, open_lake
from sparkhu.sources import SourceOptions
from sparkhu.stages.appending import append_source
from tests.sparkhu.stages.test_lake_publishing import results
from tests.sparkhu.stages.victim import act

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
Rows = dict[str, list[tuple[object, ...]]]


def killed(what: str, before: Path, work: Path, folder: str) -> int:
    work.mkdir()
    call = [sys.executable, "-m", "tests.sparkhu.stages.victim", what, str(before), str(work), folder]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def rows(lake: Path) -> Rows:
    """Read everything but the moments at which rows were refused or changed, which are those of the test."""
    version = open_lake(str(lake)).version()
    tables = {name: version.table(name).read() for name in version.tables}
    moments = {"quarantine": ["ds"], "snapshots": [], "parts": []}
    return {
        name: table.drop(moments.get(name, ["available_at"]), strict=False).rows() for name, table in tables.items()
    }


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["id,time,y", *lines]) + "\n")
    return str(path)


@pytest.fixture
def first(tmp_path: Path) -> str:
    hours = [f"{name},{1 + hour // 24:02d}" for name in "ab" for hour in range(96)]
    lines = [f"{line[0]},2024-01-{line[2:]}T{at % 24:02d}:00Z,{at % 96}" for at, line in enumerate(hours)]
    return write(tmp_path / "first.csv", *lines, "a,never,1", "a,2024-01-01T00:30Z,none")


@pytest.mark.parametrize("begun", [False, True])
def test_an_ingest_that_is_killed_adds_everything_or_nothing(tmp_path: Path, first: str, begun: bool) -> None:
    before, source = tmp_path / "before", first
    if begun:
        append_source(first, SourceOptions(), lake=str(before))
        source = write(tmp_path / "second.csv", "a,2024-01-01T00:00Z,7", "b,2024-01-05T00:00Z,8", "b,never,1")
    wanted = tmp_path / "wanted"
    if begun:
        shutil.copytree(before, wanted)
    append_source(source, SourceOptions(), lake=str(wanted))
    new, old = rows(wanted), rows(before) if begun else {}
    points, seen = killed("append", before, tmp_path / "work", source), []
    assert points > 15
    for strike in range(1, points + 2):
        lake = tmp_path / "work" / str(strike)
        found = rows(lake) if is_lake(str(lake)) else {}
        assert found in (old, new)
        seen.append(found == new)
        append_source(source, SourceOptions(), lake=str(lake))
        assert rows(lake) == new
    assert seen[0] is False
    assert seen[-1] is True
    assert seen == sorted(seen)


def test_a_publication_that_is_killed_shows_the_whole_interval_or_none_of_it(tmp_path: Path, first: str) -> None:
    before, run = tmp_path / "before", results(tmp_path / "run", 48)
    append_source(first, SourceOptions(), lake=str(before))
    old = rows(before)
    wanted = tmp_path / "wanted"
    shutil.copytree(before, wanted)
    act("publish", wanted, str(run))
    new = rows(wanted)
    assert set(new) - set(old) == {"clean", "forecasts", "profiles", "targets", "snapshots", "parts"}
    points = killed("publish", before, tmp_path / "work", str(run))
    assert points > 20
    for strike in range(1, points + 2):
        lake = tmp_path / "work" / str(strike)
        assert rows(lake) in (old, new)
        act("publish", lake, str(run))
        assert rows(lake) == new
