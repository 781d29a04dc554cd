"""Spark beside the process pool: the same steps over the same shards, in one run.

    python benchmarks/spark.py [--rows 10000000] [--master 'local[2]'] [--repeats 3]

Hourly series of 1,000 points with gaps and outliers, a million rows a shard, go through six steps: drop duplicates,
describe, detect regularity, flag outliers, mark gaps, fill. Each engine runs them once to warm up; then the engines
take turns, and the fastest run of each counts. The files that both write are compared byte by byte. Beside stand the
last three of the steps written in pandas and grouped by Spark itself (`spark_grouped.py`), with the quartiles and
periods that the steps before them found.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.figures import Figure, json_option, report
from sparkhu.engines.base import environment
from sparkhu.execution import recorded, run_step
from sparkhu.frame import TIME
from sparkhu.settings import Settings
from sparkhu.shards import Shard, open_dataset, write_manifest, write_shard
from sparkhu.stages.detecting import detect_periods
from sparkhu.steps.deduplication import drop_duplicates
from sparkhu.steps.description import describe
from sparkhu.steps.filling import fill
from sparkhu.steps.gaps import mark_gaps
from sparkhu.steps.outliers import flag_outliers

POINTS = 1_000
SERIES_PER_SHARD = 1_000
MISSING, OUTLYING = 0.02, 0.002
GROUPED = ("flag", "mark_gaps", "fill_linear")
FIRST, HOUR = 1_704_067_200_000_000, 3_600_000_000


def write_rows(folder: Path, rows: int) -> None:
    """Write the observations as a dataset."""
    generator, series = np.random.default_rng(0), max(rows // POINTS, 1)
    with recorded("ingest", inputs=[], outputs=[folder]) as (_, (draft,)):
        starts = range(0, series, SERIES_PER_SHARD)
        shards = [_shard(draft, generator, start, min(SERIES_PER_SHARD, series - start)) for start in starts]
        write_manifest(draft, "rows", shards)


def _shard(folder: Path, generator: np.random.Generator, first: int, count: int) -> Shard:
    hours = np.arange(POINTS)
    values = generator.normal(0, 0.3, count * POINTS) + np.tile(np.sin(hours * 2 * np.pi / 24), count)
    values[generator.random(len(values)) < OUTLYING] += 20
    frame = pl.DataFrame(
        {
            "unique_id": pl.Series(np.repeat(np.arange(first, first + count), POINTS)).cast(pl.String).str.zfill(7),
            "ds": pl.Series(np.tile(FIRST + hours * HOUR, count)).cast(TIME),
            "y": values,
        }
    )
    kept = frame.with_columns(available_at="ds").filter(pl.Series(generator.random(frame.height) >= MISSING))
    return write_shard(folder, f"{first // SERIES_PER_SHARD:05d}", kept)


def run_steps(raw: Path, out: Path) -> dict[str, float]:
    """Run the steps on the engine that the environment names; give the seconds of each."""
    seconds: dict[str, float] = {}

    def run(step: Any, name: str, inputs: dict[str, Any], outputs: dict[str, Any], **params: Any) -> None:
        placed = {key: (out / to, kind) for key, (to, kind) in outputs.items()}
        began = time.perf_counter()
        run_step(step, name=name, inputs=inputs, outputs=placed, params=params)
        seconds[name] = time.perf_counter() - began

    rows, profile = out / "unique", out / "profile"
    tables = {"observations": ("unique", "rows"), "duplicates": ("duplicates", "series")}
    run(drop_duplicates, "drop_duplicates", {"observations": raw}, tables)
    tables = {"stats": ("stats", "series"), "categories": ("categories", "series")}
    run(describe, "describe", {"observations": rows}, tables, stationarity_points=0)
    began = time.perf_counter()
    detect_periods(observations=rows, profile=profile, estimates=out / "estimates")
    seconds["detect_regularity"] = time.perf_counter() - began
    run(flag_outliers, "flag", {"observations": rows, "stats": out / "stats"}, {"flags": ("flags", "columns")})
    flagged = {"observations": [rows, out / "flags"], "profile": profile}
    run(mark_gaps, "mark_gaps", flagged, {"observations": ("marked", "rows")})
    marked = {"observations": out / "marked", "profile": profile}
    filled = {"filled": ("filled", "columns"), "scores": ("scores", "series")}
    run(fill, "fill_linear", marked, filled, strategy="linear")
    return seconds


def measured(engine: Settings, raw: Path, out: Path) -> dict[str, float]:
    """Run the steps once on an engine, into an empty folder."""
    shutil.rmtree(out, ignore_errors=True)
    with environment(engine.engine_variables()):
        return run_steps(raw, out)


def grouped(raw: Path, ours: Path, out: Path, master: str, repeats: int) -> float:
    """Let Spark group the rows for pandas, in a process of its own; give the shortest seconds."""
    quartiles = open_dataset(ours / "stats").scan().select("unique_id", "fit_q1", "fit_q3")
    periods = open_dataset(ours / "profile").scan().select("unique_id", "period_label")
    fitted = out.with_suffix(".parquet")
    quartiles.join(periods, on="unique_id").collect().write_parquet(fitted)
    call = [sys.executable, "-m", "benchmarks.spark_grouped", str(raw), str(fitted), str(out), master, str(repeats)]
    return float(subprocess.run(call, check=True, capture_output=True, text=True).stdout.split()[-1])


def check_equal(one: Path, other: Path) -> int:
    """Compare all shards of both; give their number."""
    files = sorted(path.relative_to(one) for path in one.glob("*/[0-9]*.parquet"))
    for file in files:
        if (one / file).read_bytes() != (other / file).read_bytes():
            raise SystemExit(f"{file} differs between the engines")
    return len(files)


def main() -> None:
    """Run both engines and print their times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--repeats", type=int, default=3)
    json_option(parser)
    given = parser.parse_args()
    engines = {"local": Settings(engine="local"), "spark": Settings(engine="spark", spark_master=given.master)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_rows(folder / "raw", given.rows)
        raw = open_dataset(folder / "raw")
        cold = {name: measured(engine, raw.path, folder / name) for name, engine in engines.items()}
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in engines}
        for _ in range(given.repeats):
            for name, engine in engines.items():
                runs[name].append(measured(engine, raw.path, folder / name))
        equal = check_equal(folder / "local", folder / "spark")
        peer = grouped(raw.path, folder / "local", folder / "grouped", given.master, given.repeats)
    print(f"{raw.rows:,} rows in {len(raw.shards)} shards, six steps, {os.cpu_count()} cores; {equal} files equal")
    for name, found in runs.items():
        told = ", ".join(f"{sum(each.values()):.2f}" for each in found)
        print(f"{name:>6}: {told} s; the first, cold: {sum(cold[name].values()):.2f} s")
    best = {name: min(found, key=lambda each: sum(each.values())) for name, found in runs.items()}
    ratio = sum(best["spark"].values()) / sum(best["local"].values())
    ours = sum(best["spark"][name] for name in GROUPED)
    rows = f"{raw.rows / 1e6:.1f} M rows, {given.master}"
    figures = [
        Figure("Spark engine", ratio, "×", f"the time of the process pool; six steps, {rows}, warm", 1.5),
        Figure("Spark engine", peer / ours, "×", f"as fast as applyInPandas; three steps, {rows}", better="more"),
    ]
    report(figures, given.json)


if __name__ == "__main__":
    main()
