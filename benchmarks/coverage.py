"""Measure how much of what came the intervals of a rolling origin hold, pooled and series by series.

    python benchmarks/coverage.py SOURCE ... [--folds 8] [--models linear]

A SOURCE is anything that `sparkhu backtest` reads, or a folder of the M4 competition's files. Every fold is cut first,
so that nothing of what is scored has chosen or calibrated anything. The earlier and the later half of the folds are
told apart: a method that was chosen by the one is judged by the other. A row gives the pooled share of observed values
inside the 80 % and 95 % intervals, and the share of series for which it is within ten points.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from sparkhu.backtesting.folds import Rolling
from sparkhu.backtesting.m4 import find_frequencies, read_m4
from sparkhu.backtesting.running import backtest
from sparkhu.errors import InputError
from sparkhu.evaluation.conformal import LEVELS
from sparkhu.sources import SourceOptions
from sparkhu.stages.backtesting import read_rows, recipes_of

WITHIN = 0.10


def rows_of(source: Path) -> pl.DataFrame:
    """Read the rows of a source; a folder of the M4 competition's files gives what both of each pair hold."""
    if source.is_dir():
        try:
            return read_m4(source, find_frequencies(source))
        except InputError:
            pass
    try:
        return read_rows(str(source), SourceOptions(), Rolling()).rows
    except InputError:
        return read_rows(str(source), SourceOptions(wide=True), Rolling()).rows


def coverage(scores: pl.DataFrame) -> pl.DataFrame:
    """Give the coverage by model: pooled, and the share of series within ten points.

    Args:
        scores: As `sparkhu.backtesting.running.Backtest` has them.
    """
    sums = [f"{kind}_{level}" for level in LEVELS for kind in ("inside", "interval_points")]
    series = scores.group_by("model", "unique_id").agg(pl.col(sums).sum())
    found = []
    for level in LEVELS:
        inside, points = pl.col(f"inside_{level}"), pl.col(f"interval_points_{level}")
        near = (inside / points - level / 100).abs() <= WITHIN
        known = series.filter(points > 0)
        found.append(
            known.group_by("model").agg(
                (inside.sum() / points.sum()).alias(f"pooled_{level}"), near.mean().alias(f"near_{level}")
            )
        )
    return found[0].join(found[1], on="model", how="full", coalesce=True).sort("model")


def measure(source: Path, folds: int, models: Sequence[str]) -> pl.DataFrame:
    """Backtest a source and give the coverage of both halves of its folds, and of all."""
    done = backtest(rows_of(source), recipes_of(models), Rolling(folds=folds), leaks=False)
    early = pl.col("fold") <= folds // 2
    halves = {"earlier": done.scores.filter(early), "later": done.scores.filter(~early), "all": done.scores}
    counted = done.scores["unique_id"].n_unique()
    return pl.concat(
        coverage(part).with_columns(folds=pl.lit(half), series=pl.lit(counted)) for half, part in halves.items()
    )


def main() -> None:
    """Print a row a source, half of the folds and model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    parser.add_argument("--folds", type=int, default=8)
    parser.add_argument("--models", default="linear")
    given = parser.parse_args()
    print(f"{'source':34}{'series':>7}  {'folds':8}{'model':16}{'in 80':>7}{'near':>6}{'in 95':>7}{'near':>6}")
    for source in given.sources:
        for row in measure(source, given.folds, given.models.split(",")).iter_rows(named=True):
            cells = [row[name] for name in ("pooled_80", "near_80", "pooled_95", "near_95")]
            shown = "".join(
                f"{'–' if cell is None else f'{cell:.3f}':>{width}}"
                for cell, width in zip(cells, (7, 6, 7, 6), strict=True)
            )
            print(f"{source.stem[:33]:34}{row['series']:7,}  {row['folds']:8}{row['model']:16}{shown}", flush=True)


if __name__ == "__main__":
    main()
