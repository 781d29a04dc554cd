"""Make the tables of the feature store out of the results of a run."""

from datetime import datetime
from pathlib import Path

import polars as pl

from sparkhu.errors import InputError
from sparkhu.snapshots import take_parts, take_snapshots

SNAPSHOTS, PARTS = "snapshots", "parts"
BESIDE = ("stats", "profile", "seasons", "scalers")


def snapshot_tables(results: Path | str, *, moment: datetime | None = None) -> dict[str, pl.DataFrame]:
    """Read the results of a run and take a snapshot of every series, as of one moment.

    Args:
        results: Results folder with `clean`, `stats`, `profile`, `seasons` and `scalers` as Parquet; and `history`,
            where a lake was read.
        moment: The moment; null: the earliest at which all results could have been known.

    Returns:
        The tables `snapshots` and `parts`, as the lake keeps them: one row a series, all with the same `available_at`.

    Raises:
        InputError: A file is missing, or something became known only after `moment`.

    Example:
        >>> tables = snapshot_tables("out/results")
    """
    folder = Path(results)
    missing = [name for name in ("clean", *BESIDE) if not (folder / f"{name}.parquet").is_file()]
    if missing:
        raise InputError(f"'{folder}' has no {missing[0]}.parquet. Give the results folder of sparkhu run.")
    clean = pl.read_parquet(folder / "clean.parquet")
    beside = {name: pl.read_parquet(folder / f"{name}.parquet") for name in BESIDE}
    if (folder / "history.parquet").is_file():
        beside["stats"] = with_history(beside["stats"], pl.read_parquet(folder / "history.parquet"))
    return {
        SNAPSHOTS: take_snapshots(clean, **beside, moment=moment),
        PARTS: take_parts(clean, scalers=beside["scalers"], moment=moment),
    }


def with_history(stats: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Put what all days of a lake have in common in the place of what the rows say that a run has read.

    Args:
        stats: Statistics of the rows read.
        history: `sparkhu.summaries.HISTORY_SCHEMA`; series that it does not name keep their statistics.

    Returns:
        The statistics; `n`, `mean`, `std`, `min` and `max` are those of all days where these are known.
    """
    joined = stats.join(history, on="unique_id", how="left", maintain_order="left")
    whole = [pl.coalesce(f"history_{name}", name).alias(name) for name in ("n", "mean", "std", "min", "max")]
    return joined.with_columns(whole).select(stats.columns)
