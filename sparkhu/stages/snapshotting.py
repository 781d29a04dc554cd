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
        results: Results folder with `clean`, `stats`, `profile`, `seasons` and `scalers` as Parquet; `cleaning`, where
            cleaning was chosen; and `history`, what was known at the end of the run's interval, where a lake was read.
        moment: The moment, the end of that interval; null: the earliest at which all results could have been known.

    Returns:
        The tables `snapshots` and `parts`, as the lake keeps them: one row a series of which something was known, all
        with the same `available_at`.

    Raises:
        InputError: A file is missing.

    Example:
        >>> tables = snapshot_tables("out/results")
    """
    folder = Path(results)
    missing = [name for name in ("clean", *BESIDE) if not (folder / f"{name}.parquet").is_file()]
    if missing:
        raise InputError(f"'{folder}' has no {missing[0]}.parquet. Give the results folder of sparkhu run.")
    clean = pl.read_parquet(folder / "clean.parquet")
    beside = {name: pl.read_parquet(folder / f"{name}.parquet") for name in BESIDE}
    cleaning, history = (_filled(folder / f"{name}.parquet") for name in ("cleaning", "history"))
    return {
        SNAPSHOTS: take_snapshots(clean, **beside, cleaning=cleaning, history=history, moment=moment),
        PARTS: take_parts(clean, scalers=beside["scalers"], history=history, moment=moment),
    }


def _filled(place: Path) -> pl.DataFrame | None:
    """Read a table that says nothing where it has no rows or is not there."""
    table = pl.read_parquet(place) if place.is_file() else pl.DataFrame()
    return None if table.is_empty() else table
