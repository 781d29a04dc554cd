"""Decomposed and flagged rows for the tests of anomaly handling."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from sparkhu.frame import TIME
from sparkhu.steps.handling_rows import Rows

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hour(h: float) -> datetime:
    return START + h * HOUR


def decomposed(
    resid: Sequence[float | None],
    *,
    level: Sequence[float] | float = 0.0,
    flagged: Sequence[int] = (),
    unseen: Sequence[int] = (),
    name: str = "a",
    parts_at: float = 0.0,
) -> pl.DataFrame:
    """Hourly rows whose season is 1 and whose trend is the rest of `level`; those in `unseen` were filled."""
    size = len(resid)
    levels = list(level) if isinstance(level, Sequence) else [level] * size
    ds = [hour(h) for h in range(size)]
    y = [lev + (r or 0.0) for lev, r in zip(levels, resid, strict=True)]
    return pl.DataFrame(
        {
            "unique_id": [name] * size,
            "ds": ds,
            "y": y,
            "y_raw": [None if row in unseen else value for row, value in enumerate(y)],
            "available_at": ds,
            "fill_strategy": ["linear" if row in unseen else None for row in range(size)],
            "trend": [lev - 1.0 for lev in levels],
            "seasonal": [1.0] * size,
            "resid": resid,
            "parts_available_at": [hour(parts_at)] * size,
            "is_anomaly": [row in flagged for row in range(size)],
        },
        schema_overrides={
            "ds": TIME, "y": pl.Float64(), "y_raw": pl.Float64(), "available_at": TIME, "fill_strategy": pl.String(),
            "resid": pl.Float64(), "parts_available_at": TIME,
        },
    )  # fmt: skip


def profile(*names: str, season: int | None = None, train_end: float | None = None) -> pl.DataFrame:
    end = None if train_end is None else hour(train_end)
    rows = [(name, end, season) for name in names or ("a",)]
    return pl.DataFrame(rows, {"unique_id": pl.String(), "train_end": TIME, "season_length": pl.Int64()}, orient="row")


def limits(*names: str, low: float | None = -2.0, high: float | None = 2.0) -> pl.DataFrame:
    rows = [(name, low, high) for name in names or ("a",)]
    return pl.DataFrame(rows, {"unique_id": pl.String(), "low": pl.Float64(), "high": pl.Float64()}, orient="row")


def rows_of(
    frame: pl.DataFrame,
    *,
    season: int | None = None,
    train_end: float | None = None,
    low: float | None = -2.0,
    high: float | None = 2.0,
) -> Rows:
    names = frame["unique_id"].unique(maintain_order=True).to_list() or ["a"]
    return Rows.of(frame, profile(*names, season=season, train_end=train_end), limits(*names, low=low, high=high))
