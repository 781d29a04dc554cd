"""Runs over a lake beside the size of what they read: seconds and memory for a million rows and ten.

    python benchmarks/lake.py [--rows 1000000 10000000] [--series 10000] [--in FOLDER]

The lake holds hourly series in files of a day. What is measured is the read of all of it into shards, and the
publication of as many clean rows. Each runs in a process of its own; its memory is that of the process and all that it
started, shared pages counted once (PSS).
"""

import argparse
import shutil
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import polars as pl

from benchmarks.ingest import processor_seconds, rows_of
from benchmarks.watching import watched
from sparkhu.frame import TIME
from sparkhu.lake import Append, create_lake

READ = """
import sys
from sparkhu.stages.lake_reading import read_interval

if __name__ == "__main__":
    lake, out = sys.argv[1:]
    read_interval(lake, out=out + "/raw", history=out + "/history", versions=out + "/versions")
"""


def fill_lake(place: Path, rows: int, series: int) -> None:
    """Append hourly observations, a million rows at a time."""
    lake = create_lake(str(place))
    for frame in rows_of(rows, series):
        known = frame.with_columns(available_at=pl.col("ds").cast(TIME))
        lake.commit({"observations": Append(known)}, run="benchmark", based_on=lake.version())


def main() -> None:
    """Print a line a size and task, and how processor seconds and memory grow from one size to the next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--in", dest="folder", type=Path, default=None, help="folder with room for the lake")
    given = parser.parse_args()
    print(f"{'task':<10}{'rows':>14}{'seconds':>10}{'CPU s':>8}{'memory':>10}")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        found = []
        for rows in given.rows:
            lake, out = Path(folder, f"lake{rows}"), Path(folder, "out")
            fill_lake(lake, rows, given.series)
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            script = out / "task.py"
            script.write_text(READ)
            before = processor_seconds()
            took = watched([sys.executable, str(script), str(lake), str(out)])
            found.append((rows, processor_seconds() - before, took.peak))
            print(f"{'read':<10}{rows:>14,}{took.seconds:>10.1f}{found[-1][1]:>8.1f}{took.peak / 1e6:>7,.0f} MB")
        for (few, fast, small), (many, slow, large) in pairwise(found):
            print(f"  {many / few:.0f} times the rows: {slow / fast:.1f} × the work, {large / small:.2f} × the memory")


if __name__ == "__main__":
    main()
