"""Made-up series to fit scalers on."""

from datetime import UTC, datetime, timedelta

import polars as pl

from sparkhu.frame import TIME
from sparkhu.steps.normalisation import Scaler, fit_scalers

START = datetime(2024, 1, 1, tzinfo=UTC)


def frame_of(**series: list[float | None]) -> pl.DataFrame:
    rows = [(name, START + timedelta(hours=i), y) for name, values in series.items() for i, y in enumerate(values)]
    frame = pl.DataFrame(rows, schema={"unique_id": pl.String, "ds": TIME, "y": pl.Float64}, orient="row")
    return frame.with_columns(available_at="ds")


def profile_of(frame: pl.DataFrame, hours: int) -> pl.DataFrame:
    return frame.select(pl.col("unique_id").unique(maintain_order=True)).with_columns(
        train_end=pl.lit(START + timedelta(hours=hours)).cast(TIME)
    )


def fitted(frame: pl.DataFrame, hours: int = 1000, scaler: Scaler = "standard") -> pl.DataFrame:
    return fit_scalers(frame, profile_of(frame, hours), scaler=scaler).frames["scalers"]
