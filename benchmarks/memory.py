"""Memory and time of the preprocessing chain over ten times the rows, in one run.

    python benchmarks/memory.py [--rows 10000000] [--times 10]

Shards of a million rows go through the chain of `chain.py` on the local engine, first as many as `--rows` gives, then
ten times as many. Memory is that of all processes together, at its highest.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.chain import ROWS_PER_SHARD, write_shards
from benchmarks.figures import GIB, Figure, json_option, report
from benchmarks.shard_chain import HOUR, preprocessed
from benchmarks.watching import Watched, watched
from sparkhu.engines import LocalEngine

POINTS, SEASON = 1_000, 24
MORE_MEMORY, MOST_MEMORY, MORE_TIME = 1.25, 2.0, 1.1


def preprocess(folder: Path) -> None:
    """Map the chain over the shards of a folder."""
    for _ in LocalEngine().map(preprocessed, sorted(folder.glob("*.parquet"))):
        pass


def measured(rows: int) -> Watched:
    """Write rows, and watch a process of its own preprocess them."""
    with tempfile.TemporaryDirectory() as scratch:
        write_shards(Path(scratch), rows // POINTS, POINTS, HOUR, SEASON)
        return watched([sys.executable, "-m", "benchmarks.memory", "--folder", scratch])


def main() -> None:
    """Measure both sizes and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10 * ROWS_PER_SHARD)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    json_option(parser)
    given = parser.parse_args()
    if given.folder:
        preprocess(given.folder)
        return
    few, many = measured(given.rows), measured(given.rows * given.times)
    sizes = f"{given.rows * given.times / 1e6:.0f} M rows beside {given.rows / 1e6:.0f} M"
    report(
        [
            Figure("Chain, peak memory", many.peak / GIB, "GiB", f"all processes; {sizes}", MOST_MEMORY),
            Figure("Chain, memory of more rows", many.peak / few.peak, "×", sizes, MORE_MEMORY),
            Figure("Chain, time of more rows", many.seconds / few.seconds, "×", sizes, MORE_TIME * given.times),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
