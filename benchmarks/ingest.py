"""Ingest of a source and of one ten times as large, in one run: time, work of the processors and memory.

    python benchmarks/ingest.py [--rows 10000000] [--times 10] [--format csv] [--series 10000] [--in FOLDER]

The source holds hourly series, its rows in the order of time: each series is spread over the whole file, the worst case
for a sort. Every ingest runs in a process of its own; its memory is that of the process and all that it started. The
chain that follows an ingest is measured by `memory.py`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.figures import GIB, Figure, json_option, report
from benchmarks.watching import Watched, watched
from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source

FIRST, HOUR = 1_704_067_200_000_000, 3_600_000_000
AT_A_TIME = 1_000_000
KINDS = {"csv": "CSV", "parquet": "Parquet"}
MORE_MEMORY, MOST_MEMORY, MORE_TIME = 1.25, 2.0, 1.1


def rows_of(rows: int, series: int) -> Iterator[pl.DataFrame]:
    """Give the source's rows, a million at a time."""
    generator = np.random.default_rng(0)
    for first in range(0, rows, AT_A_TIME):
        number = np.arange(first, min(first + AT_A_TIME, rows))
        yield pl.DataFrame(
            {
                "unique_id": pl.Series(number % series).cast(pl.String).str.zfill(7),
                "ds": pl.Series(FIRST + number // series * HOUR).cast(pl.Datetime("us", "UTC")),
                "y": np.round(generator.normal(100, 20, len(number)), 3),
            }
        )


def write_source(path: Path, rows: int, series: int) -> None:
    """Write a CSV or Parquet file, as its suffix says."""
    if path.suffix == ".csv":
        with path.open("wb") as file:
            for number, frame in enumerate(rows_of(rows, series)):
                frame.with_columns(pl.col("ds").dt.strftime("%Y-%m-%d %H:%M:%S")).write_csv(
                    file, include_header=not number
                )
        return
    import pyarrow.parquet as pq

    frames = (frame.to_arrow() for frame in rows_of(rows, series))
    first = next(frames)
    with pq.ParquetWriter(path, first.schema) as writer:
        for table in chain((first,), frames):
            writer.write_table(table)


def ingest(source: Path) -> None:
    """Ingest a source, and leave the result beside it."""
    raw, history, versions = (source.with_name(name) for name in ("raw", "history", "versions"))
    ingest_source(str(source), SourceOptions(), out=raw, history=history, versions=versions)


def measured(rows: int, given: argparse.Namespace) -> Watched:
    """Write a source, and watch a process of its own ingest it."""
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        source = Path(folder, f"source.{given.format}")
        write_source(source, rows, given.series)
        return watched([sys.executable, "-m", "benchmarks.ingest", "--source", str(source)])


def figures(few: Watched, many: Watched, rows: int, times: int, kind: str) -> list[Figure]:
    """Set the larger source beside the smaller one."""
    one, other = f"{rows / 1e6:g} M rows", f"{rows * times / 1e6:g} M rows"
    both = f"{other} of {kind} beside {one}"
    return [
        Figure(f"Ingest, {one}", few.seconds, "s", f"of {kind}; {few.processors:.1f} s of processors"),
        Figure(f"Ingest, {other}", many.seconds, "s", f"of {kind}; {many.processors:.1f} s of processors"),
        Figure("Ingest, time of more rows", many.seconds / few.seconds, "×", both, MORE_TIME * times),
        Figure("Ingest, processors' time of more rows", many.processors / few.processors, "×", both),
        Figure(f"Ingest, peak memory of {one}", few.peak / GIB, "GiB", "all processes", MOST_MEMORY),
        Figure(f"Ingest, peak memory of {other}", many.peak / GIB, "GiB", "all processes", MOST_MEMORY),
        Figure("Ingest, memory of more rows", many.peak / few.peak, "×", both, MORE_MEMORY),
    ]


def main() -> None:
    """Measure both sizes and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--format", choices=KINDS, default="csv")
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--in", dest="folder", type=Path, metavar="FOLDER", help="a folder with room for the files")
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    json_option(parser)
    given = parser.parse_args()
    if given.source:
        ingest(given.source)
        return
    few, many = measured(given.rows, given), measured(given.rows * given.times, given)
    report(figures(few, many, given.rows, given.times, KINDS[given.format]), given.json)


if __name__ == "__main__":
    main()
