"""Ingest beside the size of its source: seconds and memory for CSV and Parquet of a million rows and ten.

    python benchmarks/ingest.py [--rows 1000000 10000000] [--formats csv parquet] [--series 10000] [--in FOLDER]

The source holds hourly series, its rows in the order of time: each series is spread over the whole file, the worst case
for a sort. Every ingest runs in a process of its own; its memory is that of the process and all that it started, looked
at every twentieth of a second, shared pages counted once (PSS).
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import polars as pl

FIRST, HOUR = 1_704_067_200_000_000, 3_600_000_000
AT_A_TIME = 1_000_000
LOOK_SECONDS = 0.05
INGEST = """
import sys
from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source

if __name__ == "__main__":
    source, out = sys.argv[1:]
    ingest_source(source, SourceOptions(), out=out + "/raw", history=out + "/history", versions=out + "/versions")
"""


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
    """Write a CSV or Parquet file."""
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


def memory(pid: int) -> int:
    """Give the bytes that a process and all its descendants hold."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    total, left = 0, [pid]
    while left:
        each = left.pop()
        left += children.get(each, [])
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def processor_seconds() -> float:
    """Give the seconds that processors worked for the processes which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(source: Path, out: Path) -> tuple[float, float, int]:
    """Ingest in a process of its own; give seconds, seconds of processors, and the largest memory."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    script = out / "ingest.py"
    script.write_text(INGEST)
    began, worked, most = time.perf_counter(), processor_seconds(), 0
    with subprocess.Popen([sys.executable, str(script), str(source), str(out)]) as process:
        while process.poll() is None:
            most = max(most, memory(process.pid))
            time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise SystemExit(f"the ingest of {source} ended with {process.returncode}")
    return time.perf_counter() - began, processor_seconds() - worked, most


def main() -> None:
    """Print a line a source, and how seconds and memory grow from one size to the next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--formats", nargs="+", choices=["csv", "parquet"], default=["csv", "parquet"])
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--in", dest="folder", type=Path, default=None, help="folder with room for the files")
    given = parser.parse_args()
    print(f"{'source':<10}{'rows':>14}{'size':>10}{'seconds':>10}{'CPU s':>8}{'rows/s':>12}{'memory':>10}")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for suffix in given.formats:
            found = []
            for rows in given.rows:
                source = Path(folder, f"source.{suffix}")
                write_source(source, rows, given.series)
                seconds, worked, most = measure(source, Path(folder, "out"))
                found.append((rows, worked, most))
                size, speed = f"{source.stat().st_size / 1e6:,.0f} MB", f"{rows / seconds:,.0f}"
                times = f"{seconds:>10.1f}{worked:>8.1f}"
                print(f"{suffix:<10}{rows:>14,}{size:>10}{times}{speed:>12}{most / 1e6:>7,.0f} MB", flush=True)
            for (few, fast, small), (many, slow, large) in pairwise(found):
                print(
                    f"  {many / few:.0f} times the rows: {slow / fast:.1f} × the time, {large / small:.2f} × the memory"
                )


if __name__ == "__main__":
    main()
