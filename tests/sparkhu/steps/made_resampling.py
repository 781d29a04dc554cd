"""Made-up rows for the tests of resampling."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from sparkhu.frame import SCHEMA

START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOWS = ("mean", "sum", "min", "max", "last")


def at(minutes: list[float], y: list[float | None] | None = None, name: str = "a", **more: list[Any]) -> pl.DataFrame:
    ds = [START + minute * MINUTE for minute in minutes]
    values = [float(i) for i in range(len(ds))] if y is None else y
    base = pl.DataFrame({"unique_id": [name] * len(ds), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)
    return base.with_columns(**{key: pl.Series(column) for key, column in more.items()})


def minutes(column: pl.Series) -> list[float | None]:
    return [None if moment is None else (moment - START) / MINUTE for moment in column]


def counts(frame: pl.DataFrame) -> list[tuple[int, ...]]:
    return frame.select("count", "missing", "unmarked", "values").rows()
