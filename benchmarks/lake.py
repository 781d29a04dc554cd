"""Runs over a lake beside the size of what they read: seconds and memory for a million rows and ten.

    python benchmarks/lake.py [--rows 1000000 10000000] [--series 10000] [--in FOLDER]

The lake holds hourly series in files of a day. What is measured is the append of a CSV file to a new lake, the read of
all of a lake into shards, and the publication of as many clean rows. Each runs in a process of its own; its memory is
that of the process and all that it started, shared pages counted once (PSS).
"""

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from benchmarks.ingest import AT_A_TIME, FIRST, HOUR, processor_seconds, rows_of, write_source
from benchmarks.watching import Watched, watched
from sparkhu.frame import TIME
from sparkhu.lake import Append, create_lake, open_lake
from sparkhu.lineage import StepRecord, Trail

POINTS_AHEAD = 24
READ = """
import sys
from sparkhu.stages.lake_reading import read_interval

if __name__ == "__main__":
    lake, out = sys.argv[1:]
    read_interval(lake, out=out + "/raw", history=out + "/history", versions=out + "/versions")
"""
PUBLISH = """
import sys
from sparkhu.stages.lake_publishing import publish_interval

if __name__ == "__main__":
    lake, out = sys.argv[1:]
    publish_interval(results=lake + "-results", lake=lake, out=out + "/published")
"""
APPEND = """
import sys
from sparkhu.sources import SourceOptions
from sparkhu.stages.appending import append_source

if __name__ == "__main__":
    lake, out = sys.argv[1:]
    append_source(lake + ".csv", SourceOptions(), lake=out + "/lake")
"""


def fill_lake(place: Path, rows: int, series: int) -> None:
    """Append hourly observations, a million rows at a time."""
    lake = create_lake(str(place))
    for frame in rows_of(rows, series):
        known = frame.with_columns(available_at=pl.col("ds").cast(TIME))
        lake.commit({"observations": Append(known)}, run="benchmark", based_on=lake.version())


def fill_results(folder: Path, rows: int, series: int) -> None:
    """Write what a run over the lake leaves: clean rows, shard by shard, and a row a series of all else."""
    folder.mkdir()
    each, names = rows // series, pl.Series(range(series)).cast(pl.String).str.zfill(7)
    hours, last = pl.DataFrame({"ds": _hours(0, each)}), _hours(each - 1, 1)[0]
    numbers = ("share_missing", "mean", "std", "min", "q1", "median", "q3", "max")
    with ExitStack() as files:
        writer = None
        for first in range(0, series, max(1, AT_A_TIME // each)):
            shard = pl.DataFrame({"unique_id": names.slice(first, max(1, AT_A_TIME // each))}).join(hours, how="cross")
            made = dict.fromkeys(("y_raw", "trend", "seasonal", "resid"), pl.col("y"))
            flags = dict.fromkeys(("is_gap", "is_outlier", "is_anomaly", "is_alert"), pl.lit(value=False))
            values = pl.int_range(pl.len()).hash().cast(pl.Float64)
            text = dict.fromkeys(("fill_strategy", "anomaly_strategy"), pl.lit(None, pl.String))
            table = shard.with_columns(y=values, available_at="ds").with_columns(**made, **flags, **text).to_arrow()
            writer = writer or files.enter_context(pq.ParquetWriter(folder / "clean.parquet", table.schema))
            writer.write_table(table)
    one = pl.DataFrame({"unique_id": names})
    ahead = one.join(pl.DataFrame({"ds": _hours(each, POINTS_AHEAD)}), how="cross")
    tables = {
        "forecasts": ahead.with_columns(cutoff=pl.lit(last), y_hat=1.0),
        "profile": one.with_columns(period_label=pl.lit("1h"), season_length=24, decision=pl.lit("regular"), version=1),
        "stats": one.with_columns(n=each, **dict.fromkeys(numbers, pl.lit(1.0))),
        "seasons": one.with_columns(trend_strength=0.5, seasonal_strength=0.5),
        "scalers": one.with_columns(
            scaler=pl.lit("none"), center=0.0, scale=1.0, version=pl.lit("1"), available_at=pl.lit(last)
        ),
    }
    for name, frame in tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    read = {
        "uri": "",
        "table": "observations",
        "version": open_lake(str(folder).removesuffix("-results")).version().number,
    }
    Trail((StepRecord("ingest", "", 0.0, sources=({**read, "start": None, "end": None},)),)).write(folder)


def _hours(first: int, count: int) -> pl.Series:
    return pl.Series([FIRST + (first + hour) * HOUR for hour in range(count)]).cast(TIME)


def measured(task: str, lake: Path, out: Path) -> tuple[Watched, float]:
    """Do a task in a process of its own; give seconds and memory, and seconds of processors."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    script = out / "task.py"
    script.write_text(task)
    before = processor_seconds()
    return watched([sys.executable, str(script), str(lake), str(out)]), processor_seconds() - before


def main() -> None:
    """Print a line a task and size, and how processor seconds and memory grow from one size to the next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--in", dest="folder", type=Path, default=None, help="folder with room for the lakes")
    given = parser.parse_args()
    print(f"{'task':<10}{'rows':>14}{'seconds':>10}{'CPU s':>8}{'memory':>10}")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        lakes = {rows: Path(folder, f"lake{rows}") for rows in given.rows}
        for rows, lake in lakes.items():
            fill_lake(lake, rows, given.series)
            fill_results(lake.with_name(f"{lake.name}-results"), rows, given.series)
            write_source(lake.with_name(f"{lake.name}.csv"), rows, given.series)
        for name, task in (("append", APPEND), ("read", READ), ("publish", PUBLISH)):
            found = []
            for rows, lake in lakes.items():
                took, worked = measured(task, lake, Path(folder, "out"))
                found.append((rows, worked, took.peak))
                print(
                    f"{name:<10}{rows:>14,}{took.seconds:>10.1f}{worked:>8.1f}{took.peak / 1e6:>7,.0f} MB", flush=True
                )
            for (few, fast, small), (many, slow, large) in pairwise(found):
                print(
                    f"  {many / few:.0f} times the rows: {slow / fast:.1f} × the work, {large / small:.2f} × the memory"
                )


if __name__ == "__main__":
    main()
