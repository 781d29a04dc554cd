"""The benchmark of ingest: what it writes, and what it measures of two sizes."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from benchmarks import bench, ingest
from benchmarks.figures import GIB
from benchmarks.watching import Watched


def test_csv_and_parquet_hold_the_same_rows_of_all_series_in_the_order_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "AT_A_TIME", 30)
    for name in ("a.csv", "a.parquet"):
        ingest.write_source(tmp_path / name, 100, 8)
    text = pl.read_csv(tmp_path / "a.csv", schema_overrides={"unique_id": pl.String})
    typed = pl.read_parquet(tmp_path / "a.parquet")
    assert text.with_columns(pl.col("ds").str.to_datetime(time_zone="UTC")).rows() == typed.rows()
    assert typed["unique_id"].n_unique() == 8
    assert typed["ds"].is_sorted()
    assert typed.height == 100


def test_the_larger_source_is_set_beside_the_smaller() -> None:
    few, many = Watched(10.0, GIB, 16.0), Watched(120.0, 3 * GIB, 160.0)
    found = {figure.name: figure for figure in ingest.figures(few, many, 1_000_000, 10, "CSV")}
    assert found["Ingest, time of more rows"].measured == 12
    assert found["Ingest, processors' time of more rows"].measured == 10
    missed = {name for name, figure in found.items() if not figure.met}
    more = {"Ingest, time of more rows", "Ingest, memory of more rows"}
    assert missed == {*more, "Ingest, peak memory of 10 M rows"}
    assert found["Ingest, time of more rows"].promise == "≤ 11 ×"


def test_its_figures_are_written_where_they_are_gathered(tmp_path: Path) -> None:
    module = bench.BENCHMARKS["ingest"].removesuffix(".py").replace("/", ".")
    sizes = ["--rows", "2000", "--times", "2", "--series", "10", "--in", str(tmp_path)]
    subprocess.run([sys.executable, "-m", module, *sizes, "--json", str(tmp_path / "figures.json")], check=True)
    found = {each["name"]: each["measured"] for each in json.loads((tmp_path / "figures.json").read_text())}
    assert found["Ingest, 0.004 M rows"] > 0
    assert found["Ingest, peak memory of 0.002 M rows"] > 0.01
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
