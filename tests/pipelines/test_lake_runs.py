"""Runs over a lake: an interval and what it looks back on, published; late rows; catching up."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.lake import Lake, open_lake

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lake-runs")]

START, HOUR, DAYS = datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1), 40
TABLES = ("clean", "forecasts", "profiles")


def write(path: Path, hours: range, *, revised: float = 0.0) -> str:
    """Write hourly readings of two series, each hour's the same whatever is written; a gap of three hours in one."""
    noise = np.random.default_rng(1).normal(0, 0.3, (2, DAYS * 24))
    lines = ["id,time,y"]
    for number, name in enumerate(("boiler", "pump")):
        for hour in hours:
            if name == "boiler" and 37 * 24 + 5 <= hour < 37 * 24 + 8:
                continue
            value = 20 + 3 * np.sin(hour * np.pi / 12) + noise[number, hour] + revised
            lines.append(f"{name},{(START + hour * HOUR).isoformat()},{value}")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def sparkhu(folder: Path, *arguments: str) -> str:
    call = subprocess.run(command(folder, *arguments), capture_output=True, text=True, check=False)
    assert call.returncode == 0, call.stdout + call.stderr
    return call.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of 40 days, of which the 37th and 38th are published, each by a run of its own."""
    folder = tmp_path_factory.mktemp("lake-runs")
    sparkhu(folder, "ingest", "--source", write(folder / "a.csv", range(DAYS * 24)), "--lake", str(folder / "lake"))
    backfill(folder, "2024-02-06", "2024-02-08")
    return folder


def command(folder: Path, *arguments: str) -> list[str]:
    """Give the command as a process of its own, with a state folder of its own."""
    code = (
        f"import os; os.environ['SPARKHU_HOME'] = {str(folder / 'home')!r}; from sparkhu_cli.main import main; main()"
    )
    return [sys.executable, "-c", code, *arguments]


def asked(folder: Path, first: str, last: str) -> list[str]:
    given = ["--lake", str(folder / "lake"), "--from", first, "--to", last, "--lookback", "20d", "--horizon", "12"]
    return ["backfill", *given, "--parallel", "2", "--out", str(folder / "out")]


def backfill(folder: Path, first: str, last: str) -> str:
    return sparkhu(folder, *asked(folder, first, last))


def lake_of(folder: Path) -> Lake:
    return open_lake(str(folder / "lake"))


def clean(folder: Path) -> pl.DataFrame:
    return lake_of(folder).version().table("clean").read()


def test_each_interval_publishes_its_own_rows_and_no_others(folder: Path) -> None:
    rows = clean(folder)
    assert rows.group_by("unique_id").len().sort("unique_id").rows() == [("boiler", 48), ("pump", 48)]
    assert (rows["ds"].min(), rows["ds"].max()) == (START + 36 * 24 * HOUR, START + (38 * 24 - 1) * HOUR)
    assert rows.filter("is_gap").select("unique_id", "ds").rows() == [
        ("boiler", START + (37 * 24 + hour) * HOUR) for hour in (5, 6, 7)
    ]
    forecasts = lake_of(folder).version().table("forecasts").read()
    assert set(forecasts["cutoff"]) == {START + (day * 24 - 1) * HOUR for day in (37, 38)}
    intervals = {name: lake_of(folder).version().table(name).intervals for name in TABLES}
    assert {name: [(each.start.day, each.end.day) for each in found] for name, found in intervals.items()} == {
        name: [(6, 7), (7, 8)] for name in TABLES
    }


def test_the_champion_forecasts_from_the_lake(folder: Path) -> None:
    lookback = ("--start", "2024-02-09", "--end", "2024-02-10")
    sparkhu(folder, "forecast", "--lake", str(folder / "lake"), *lookback, "--out", str(folder / "fc"))
    made = pl.read_parquet(folder / "fc" / "forecasts.parquet")
    assert made.group_by("unique_id", "cutoff").len().sort("unique_id").rows() == [
        (name, START + (40 * 24 - 1) * HOUR, 12) for name in ("boiler", "pump")
    ]


def test_what_is_done_is_left_alone(folder: Path) -> None:
    before = lake_of(folder).version().number
    assert "2 intervals: 2 done, 0 to do" in backfill(folder, "2024-02-06", "2024-02-08")
    assert lake_of(folder).version().number == before


def test_what_no_fit_enters_is_as_in_one_run_over_the_whole_span(folder: Path) -> None:
    whole = folder / "whole"
    sparkhu(
        folder, "run", "--source", str(folder / "a.csv"), "--end", "2024-02-08", "--horizon", "12", "--out", str(whole)
    )
    columns = ("unique_id", "ds", "y_raw", "is_gap", "is_alert")
    rows = pl.read_parquet(whole / "clean.parquet").filter(pl.col("ds") >= START + 36 * 24 * HOUR)
    assert_frame_equal(clean(folder).select(columns), rows.select(columns), check_exact=True)


def test_late_and_revised_rows_put_an_interval_out_of_date_and_it_is_computed_anew(folder: Path) -> None:
    published = lake_of(folder).version().number
    late = write(folder / "late.csv", range(37 * 24 + 20, 37 * 24 + 22), revised=1.0)
    said = sparkhu(folder, "ingest", "--source", late, "--lake", str(folder / "lake"))
    assert "4 rows added (4 revised)" in said
    assert "1 published intervals are out of date" in said
    before = clean(folder)
    assert "2 intervals: 1 done, 1 to do, 1 out of date" in backfill(folder, "2024-02-06", "2024-02-08")
    after = clean(folder)
    changed = after.filter(after["y_raw"] != before["y_raw"])
    assert changed.height == 4
    assert (changed["available_at"] > datetime(2026, 1, 1, tzinfo=UTC)).all()
    assert lake_of(folder).dirty("clean") == []
    assert_frame_equal(lake_of(folder).version(published).table("clean").read(), before)


def test_a_backfill_that_is_killed_goes_on_where_it_was(folder: Path) -> None:
    before = len(lake_of(folder).version().table("clean").intervals)
    call = command(folder, *asked(folder, "2024-02-08", "2024-02-10"))
    deadline = time.monotonic() + 300
    with subprocess.Popen(call, stdout=subprocess.DEVNULL) as killed:
        try:
            while len(lake_of(folder).version().table("clean").intervals) == before and time.monotonic() < deadline:
                time.sleep(0.2)
        finally:
            killed.kill()  # it alone: its runs end by themselves, and the same command need not wait for that
    assert "2 intervals: 0 done" not in backfill(folder, "2024-02-08", "2024-02-10")
    rows = clean(folder).filter(pl.col("ds") >= START + 38 * 24 * HOUR)
    assert rows.group_by("unique_id").len().sort("unique_id").rows() == [("boiler", 48), ("pump", 48)]
    assert rows.select("unique_id", "ds").is_unique().all()
