"""Runs of the command on published data: the ETT protocol, and seven files with known faults."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

pytestmark = pytest.mark.xdist_group("published")

# Per file: rows read, its period, rows dropped as duplicates and their kind, gap rows marked.
FILES = {
    "ambient_temperature_system_failure": (7267, "1h", 0, None, 621),
    "cpu_utilization_asg_misconfiguration": (18050, "5min", 0, None, 0),
    "ec2_request_latency_system_failure": (4032, "5min", 11, "burst", 13),
    "machine_temperature_system_failure": (22695, "5min", 12, "repeated_interval", 0),
    "nyc_taxi": (10320, "30min", 0, None, 0),
    "rogue_agent_key_hold": (1882, "5min", 0, None, 3456),
    "rogue_agent_key_updown": (5315, "5min", 0, None, 23),
}


def run(out: Path, home: Path, *options: str) -> str:
    command = [str(Path(sys.executable).with_name("sparkhu")), "run", *options, "--out", str(out)]
    environment = {"PATH": "/usr/bin:/bin", "SPARKHU_HOME": str(home), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def faults(evaluation_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    run(folder / "out", folder / "home", "--source", str(evaluation_data / "nab" / "*.csv"))
    return folder / "out"


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_what_is_in_a_file_is_reported_as_what_it_is(faults: Path, name: str) -> None:
    rows, period, dropped, kind, marked = FILES[name]
    clean, profile, duplicates = (
        pl.read_parquet(faults / f"{table}.parquet").filter(unique_id=name)
        for table in ("clean", "profile", "duplicates")
    )

    assert clean.height == rows - dropped + marked
    assert int(clean["is_gap"].sum()) == marked
    assert profile.select("decision", "period_label").row(0) == ("regular", period)
    assert int((duplicates["rows"] - 1).sum()) == dropped
    assert duplicates["kind"].unique().to_list() == ([kind] if kind else [])


@pytest.mark.slow
def test_twelve_rows_at_one_instant_stand_behind_the_hole_that_they_left(faults: Path) -> None:
    name = "ec2_request_latency_system_failure"
    duplicates = pl.read_parquet(faults / "duplicates.parquet").filter(unique_id=name)
    gaps = pl.read_parquet(faults / "clean.parquet").filter(pl.col("unique_id") == name, "is_gap")["ds"]

    assert duplicates.select(pl.col("ds").dt.strftime("%F %R"), "rows").row(0) == ("2014-03-09 03:00", 12)
    assert gaps.dt.strftime("%F %R").to_list()[0] > "2014-03-09 01:56"
    assert (
        len(gaps.filter(gaps.dt.strftime("%F %R").is_between(pl.lit("2014-03-09 01:56"), pl.lit("2014-03-09 03:00"))))
        == 12
    )


@pytest.mark.slow
def test_nothing_observed_is_lost_from_the_files(faults: Path, evaluation_data: Path) -> None:
    clean = pl.read_parquet(faults / "clean.parquet").filter(unique_id="nyc_taxi")
    raw = pl.read_csv(evaluation_data / "nab" / "nyc_taxi.csv")

    assert clean["y_raw"].to_list() == raw["value"].cast(pl.Float64).to_list()
    assert pl.read_parquet(faults / "quarantine.parquet").is_empty()


@pytest.mark.slow
def test_the_published_ett_protocol_is_reached(evaluation_data: Path, tmp_path: Path) -> None:
    source = str(evaluation_data / "ett" / "ETTh1.csv")
    sizes = ("--horizon", "96", "--input-size", "336", "--preset", "ett")
    run(tmp_path / "out", tmp_path / "home", "--source", source, "--time", "date", "--wide", *sizes)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    clean = pl.read_parquet(tmp_path / "out" / "clean.parquet")

    assert metrics["linear"]["mse"] <= 0.372
    assert metrics["linear"]["mae"] <= 0.393
    assert 1.294 <= metrics["last_value"]["mse"] <= 1.295
    assert metrics["linear"]["windows"] == 7 * 2785
    assert (clean.height, int(clean["is_gap"].sum())) == (7 * 17420, 0)
    assert clean["y"].equals(clean["y_raw"])
