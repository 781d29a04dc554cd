"""Runs of a backfill: what they are given, and what is said of one that fails."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.folder_locks import is_held
from sparkhu.frame import SCHEMA
from sparkhu.lake import Append, create_lake, open_lake
from sparkhu_cli import backfilling
from sparkhu_cli.terminal import Terminal
from tests.sparkhu.lake.retired import bury

ROOT = Path(__file__).resolve().parents[2]
FAILS = "import sys; print('Error: the meter is gone'); print('Log: /tmp/x'); sys.exit(1)"
TELLS = """
import os, pathlib, sys
out = pathlib.Path(sys.argv[5])
out.mkdir(parents=True, exist_ok=True)
(out / "params").write_text(pathlib.Path(sys.argv[3]).read_text())
(out / "secrets").write_text(str([v for k, v in os.environ.items() if k.startswith("SPARKHU_SECRET")]))
"""


def backfill(folder: Path, metadata: str = "", *, first: str = "2024-01-01") -> str:
    lake = create_lake(str(folder / "lake"))
    ds = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2)]
    rows = pl.DataFrame({"unique_id": ["a", "a"], "ds": ds, "y": 1.0, "available_at": ds}, schema=SCHEMA)
    lake.commit({"observations": Append(rows)}, run="ingest", based_on=lake.version())
    said = io.StringIO()
    given = {"lake": lake.uri, "zone": "UTC", "metadata": metadata}
    limits = {"first": first, "last": "2024-01-03", "every": "1d"}
    backfilling.run_backfill(given, **limits, parallel=2, out=folder / "out", terminal=Terminal(said))
    return said.getvalue()


def test_runs_end_when_the_backfill_is_killed(tmp_path: Path) -> None:
    told = "pathlib.Path(sys.argv[3]).with_suffix('.pid').write_text(str(os.getpid()))"
    sleeps = f"import os, pathlib, sys, time; {told}; time.sleep(60)"
    code = f"""
from pathlib import Path
from sparkhu_cli import backfilling
from tests.cli.test_backfilling import backfill
backfilling.COMMAND = {sleeps!r}
backfilling.tempfile.tempdir = {str(tmp_path)!r}
backfill(Path({str(tmp_path)!r}))
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(found := list(tmp_path.glob("*/*.pid"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    children = [int(file.read_text()) for file in found]
    assert len(children) == 2
    parent.kill()
    parent.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


@pytest.mark.skipif(sys.platform != "linux", reason="no other system ends runs with their parent")
def test_a_run_whose_parent_died_before_it_could_say_so_ends_as_well() -> None:
    # The parent that the run was told is another process than the one that it has now.
    script = "from sparkhu_cli.backfilling import _end_with_parent as end; end({}); print('goes on')"
    for parent, ends in ((os.getpid(), False), (os.getppid(), True)):
        ran = subprocess.run([sys.executable, "-c", script.format(parent)], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == ((-signal.SIGTERM, "") if ends else (0, "goes on\n"))


def test_a_run_that_fails_is_named_with_its_own_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "COMMAND", FAILS)
    with pytest.raises(SparkhuError, match=r"interval 2024010[12]T000000Z failed: the meter is gone$"):
        backfill(tmp_path)


def test_a_run_that_is_still_ending_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "COMMAND", TELLS)
    out = tmp_path / "out" / "20240101T000000Z"
    holds = "import pathlib, sys, time; from sparkhu_cli.staging import staged\nwith staged(pathlib.Path(sys.argv[1])):"
    with subprocess.Popen([sys.executable, "-c", f"{holds} time.sleep(1.5)", str(out)]) as earlier:
        while not is_held(out):
            time.sleep(0.01)
        backfill(tmp_path)
        assert earlier.poll() == 0
    assert (out / "params").is_file()


def test_passwords_reach_a_run_by_its_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "COMMAND", TELLS)
    said = backfill(tmp_path, "postgresql://ann:pea@host/plant")
    assert "2 intervals: 0 done, 2 to do" in said
    for day in (1, 2):
        out = tmp_path / "out" / f"2024010{day}T000000Z"
        assert "pea" not in (out / "params").read_text()
        assert f"start: '2024-01-0{day}T00:00:00+00:00'" in (out / "params").read_text()
        assert (out / "secrets").read_text() == "['pea']"


def test_days_before_the_first_row_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "COMMAND", TELLS)
    said = backfill(tmp_path, first="2023-12-20")
    assert "14 intervals: 0 done, 2 to do, 0 out of date" in said
    assert "12 intervals lie before the first observation or behind the last; they are left out" in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"20240101T000000Z", "20240102T000000Z"}


def test_where_the_system_ends_no_runs_with_their_parent_they_start_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: int) -> None:
        raise AttributeError("prctl")

    monkeypatch.setattr(backfilling, "COMMAND", TELLS)
    monkeypatch.setattr(backfilling, "_end_with_parent", fails)
    monkeypatch.setattr("sys.platform", "darwin")
    assert "2 intervals: 0 done, 2 to do" in backfill(tmp_path)


def test_what_is_read_is_announced_while_it_runs_profiles_among_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers, seen = str(tmp_path / "lake" / "readers"), str(tmp_path / "seen")
    copies = f"import shutil; shutil.copytree({readers!r}, {seen!r}, dirs_exist_ok=True)"
    monkeypatch.setattr(backfilling, "COMMAND", copies)
    backfill(tmp_path)
    told = [json.loads(file.read_text()) for file in (tmp_path / "seen").iterdir()]
    assert sorted((each["table"], each["start"], each["end"]) for each in told) == [
        ("observations", None, "2024-01-03T00:00:00+00:00"),
        ("profiles", None, "2024-01-03T00:00:00+00:00"),
    ]
    assert list((tmp_path / "lake" / "readers").iterdir()) == []


def test_what_retention_has_taken_rows_of_is_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "COMMAND", "pass")
    backfill(tmp_path)
    lake = open_lake(str(tmp_path / "lake"))
    start = datetime(2024, 1, 1, tzinfo=UTC)
    bury(lake, "observations", start, start + timedelta(days=1))
    late = pl.DataFrame({"unique_id": ["b"], "ds": [start], "y": 1.0, "available_at": [start]}, schema=SCHEMA)
    lake.commit({"observations": Append(late)}, run="late", based_on=lake.version())
    said = io.StringIO()
    given = {"lake": lake.uri, "zone": "UTC", "metadata": ""}
    limits = {"first": "2024-01-01", "last": "2024-01-03", "every": "1d"}
    backfilling.run_backfill(given, **limits, parallel=2, out=tmp_path / "again", terminal=Terminal(said))
    assert "2 intervals: 0 done, 1 to do" in said.getvalue()
    assert "1 intervals, 20240101T000000Z the first, are left out: retention has taken" in said.getvalue()
    assert "sparkhu retention restore" in said.getvalue()
