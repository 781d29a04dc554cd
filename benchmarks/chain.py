"""The preprocessing chain as library calls over shards, beside one bare read + write, and beside pandas + statsmodels.

    python benchmarks/chain.py [--series 10000] [--points 1000] [--peer-series 20] [--repeats 3] [--json FILE] [--m5]

Hourly series with gaps and outliers, about a million rows a shard, are mapped over as many processes as there are
cores, each with one thread, as the local engine has them. All run once to warm up; then they take turns, and the
fastest turn counts. The peer runs on a slice of the series in one process, which is all that `groupby.apply` uses, and
is scaled to all; beside it stands what it would take if it were spread over all cores.

With `--m5` 30,000 daily series of 400 points get the whole preprocessing: nine fills, decomposition by a season of 7,
anomalies with everything that can be done to them, and scalers.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from benchmarks import pandas_chain
from benchmarks.figures import OF_BARE, Figure, json_option, report, shown
from benchmarks.shard_chain import HOUR, copied, decomposed, everything, preprocessed, stationarity, write_raw
from sparkhu.engines.base import ONE_THREAD, environment

ROWS_PER_SHARD = 1_000_000
M5_SERIES, M5_POINTS, WEEK = 30_000, 400, 7
CHAIN, WITH_STL = "Chain of steps", "Chain of steps with plain STL"
ALL = "all processes"
Work = Callable[[Path], dict[str, float]]


class Turn(NamedTuple):
    """The fastest turn over all shards: its wall seconds, and those of each step summed over shards."""

    seconds: float
    steps: dict[str, float]


def turns(pool: ProcessPoolExecutor, works: Sequence[Work], shards: Sequence[Path], repeats: int) -> list[Turn]:
    """Let several works take turns over the shards; their first turn is not measured."""
    best: list[Turn] = [Turn(float("inf"), {})] * len(works)
    for number in range(repeats + 1):
        for place, work in enumerate(works):
            began = time.perf_counter()
            told = list(pool.map(work, shards))
            seconds = time.perf_counter() - began
            if number and seconds < best[place].seconds:
                steps = {name: sum(each[name] for each in told) for name in told[0]}
                best[place] = Turn(seconds, steps)
    return best


def write_shards(folder: Path, series: int, points: int, step: int, season: int) -> list[Path]:
    """Write the raw series, whole series a shard."""
    each = max(ROWS_PER_SHARD // points, 1)
    shards = []
    for first in range(0, series, each):
        shards.append(folder / f"{first:07d}.parquet")
        write_raw(shards[-1], range(first, min(first + each, series)), points, step=step, season=season)
    return shards


def chain_figures(pool: ProcessPoolExecutor, given: argparse.Namespace) -> list[Figure]:
    """Measure the chain, its steps, and its peers."""
    with tempfile.TemporaryDirectory() as scratch:
        shards = write_shards(Path(scratch), given.series, given.points, HOUR, 24)
        works = (copied, preprocessed, decomposed, stationarity)
        bare, plain, stl, tests = turns(pool, works, shards, given.repeats)
        names = pl.read_parquet(shards[0], columns=["unique_id"])["unique_id"].unique(maintain_order=True)
        names = names.head(given.peer_series)
        sliced = pl.read_parquet(shards[0]).filter(pl.col("unique_id").is_in(names.implode()))
    rows = f"{given.series:,} × {given.points:,} points, {given.workers} processes"
    table, times = sliced.select("unique_id", "ds", "y").to_pandas(), given.series / len(names)
    peers = [_seconds(pandas_chain.preprocess, table, stl=stl) * times for stl in (False, True)]
    tested = _seconds(pandas_chain.stationarity, table) * times
    ratios = {CHAIN: plain.seconds / bare.seconds, WITH_STL: stl.seconds / bare.seconds}
    return [
        Figure("Bare read + write", bare.seconds, "s", rows, detail=True),
        *_steps("Step", plain, bare),
        *_steps("Step", Turn(0, {"decompose": stl.steps["decompose"]}), bare),
        Figure(CHAIN, ratios[CHAIN], "×", f"one bare read + write; {plain.seconds:.2f} s, {rows}", 9),
        Figure(WITH_STL, ratios[WITH_STL], "×", f"one bare read + write; {stl.seconds:.2f} s, {rows}", 20),
        Figure(f"{CHAIN}, speed", peers[0] / plain.seconds, "×", _peer(peers[0], given), 25, "more"),
        Figure(f"{WITH_STL}, speed", peers[1] / stl.seconds, "×", _peer(peers[1], given), 25, "more"),
        Figure("ADF and KPSS of every series", tests.seconds, "s", _told(tests), detail=True),
        Figure("ADF and KPSS, speed", tested / tests.seconds, "×", _peer(tested, given), None, "more"),
    ]


def m5_figures(pool: ProcessPoolExecutor, given: argparse.Namespace) -> list[Figure]:
    """Measure the whole preprocessing of many daily series."""
    with tempfile.TemporaryDirectory() as scratch:
        shards = write_shards(Path(scratch), given.m5_series, M5_POINTS, 24 * HOUR, WEEK)
        (turn,) = turns(pool, [everything], shards, 1)
    rows = f"{given.m5_series:,} × {M5_POINTS} days, {given.workers} processes"
    return [*_steps("M5-like step", turn, None), Figure("M5-like, whole preprocessing", turn.seconds, "s", rows, 60)]


def _steps(label: str, turn: Turn, bare: Turn | None) -> list[Figure]:
    """List the steps; seconds are those of all processes, so they add up to more than what a clock shows."""
    if bare is None:
        return [Figure(f"{label}: {name}", spent, "s", ALL, detail=True) for name, spent in turn.steps.items()]
    return [
        Figure(f"{label}: {name}", spent / bare.steps["copy"], OF_BARE, f"{shown(spent)} s of {ALL}", detail=True)
        for name, spent in turn.steps.items()
    ]


def _told(turn: Turn) -> str:
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in turn.steps.items()) + f" of {ALL}"


def _peer(seconds: float, given: argparse.Namespace) -> str:
    spread = seconds / given.workers
    told = f"pandas + statsmodels: {seconds:,.0f} s on one core, scaled from {given.peer_series} series"
    return f"{told} ({spread:,.0f} s if spread over {given.workers})"


def _seconds(function: Callable[..., Any], table: Any, **params: Any) -> float:
    """Measure a peer, on the series of one first, so that what it imports is not measured."""
    function(table[table["unique_id"] == table["unique_id"].iloc[0]], **params)
    began = time.perf_counter()
    function(table, **params)
    return time.perf_counter() - began


def main() -> None:
    """Measure, print the table, and write it where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=1_000)
    parser.add_argument("--peer-series", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--m5", action="store_true", help="measure the daily series instead")
    parser.add_argument("--m5-series", type=int, default=M5_SERIES)
    json_option(parser)
    given = parser.parse_args()
    with environment(ONE_THREAD), ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        figures = m5_figures(pool, given) if given.m5 else chain_figures(pool, given)
    report(figures, given.json)


if __name__ == "__main__":
    main()
