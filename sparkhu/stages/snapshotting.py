"""Make the tables of the feature store out of the results of a run."""

from datetime import datetime
from pathlib import Path

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame
from sparkhu.snapshots import LAST_VALUES, PARTS_SCHEMA, take_parts, take_snapshots
from sparkhu.stages.result_parts import ResultParts

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
    there = pl.read_parquet_schema(folder / "clean.parquet")
    parts = ResultParts(folder / "clean.parquet").read([name for name in (*PARTS_SCHEMA, "y_raw") if name in there])
    clean = pl.concat(telling_rows(part, moment) for part in parts)
    beside = {name: pl.read_parquet(folder / f"{name}.parquet") for name in BESIDE}
    cleaning, history = (_filled(folder / f"{name}.parquet") for name in ("cleaning", "history"))
    return {
        SNAPSHOTS: take_snapshots(clean, **beside, cleaning=cleaning, history=history, moment=moment),
        PARTS: take_parts(clean, scalers=beside["scalers"], history=history, moment=moment),
    }


def telling_rows(clean: pl.DataFrame, moment: datetime | None = None) -> pl.DataFrame:
    """Keep the few rows of each series that its snapshot tells of.

    Args:
        clean: Clean rows of whole series.
        moment: The moment of the snapshot; null: all rows were known.

    Returns:
        The last 24 that were observed and known, the last that has a value, the one that became known last, and the
        first: of these, snapshots and parts are the same as of all. Sorted by `unique_id` and `ds`.
    """
    check_frame(clean, "unique_id", "ds", "y", "y_raw", "available_at")
    rows = clean.sort("unique_id", "ds", maintain_order=True)
    known = pl.lit(value=True) if moment is None else pl.col("available_at") <= pl.lit(moment).cast(TIME)
    is_seen, is_valued = pl.col("y_raw").is_not_null() & known.fill_null(value=False), pl.col("y").is_not_null()
    place = pl.int_range(pl.len())
    wanted = {
        "seen": is_seen & (is_seen.cum_sum(reverse=True) <= LAST_VALUES),
        "valued": is_valued & (is_valued.cum_sum(reverse=True) == 1),
        "latest": (place == pl.col("available_at").arg_max()).fill_null(value=False) | (place == 0),
    }
    marks = rows.select(**{name: mark.over("unique_id") for name, mark in wanted.items()})
    return rows.filter(marks.select(pl.any_horizontal(*wanted)).to_series())


def _filled(place: Path) -> pl.DataFrame | None:
    """Read a table that says nothing where it has no rows or is not there."""
    table = pl.read_parquet(place) if place.is_file() else pl.DataFrame()
    return None if table.is_empty() else table
