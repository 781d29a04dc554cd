"""Made-up series for the search for level changes."""

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import TIME
from sparkhu.steps.level_changes import (
    find_level_changes,
)
from tests.sparkhu.made_shard import hours

Floats = npt.NDArray[np.float64]


def rows(values: Floats, name: str = "a") -> pl.DataFrame:
    """Hourly rows; NaN is a gap. They become available half an hour later."""
    ds = pl.Series([hours(i) for i in range(len(values))], dtype=TIME)
    frame = pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y_raw": values}).with_columns(
        pl.col("y_raw").fill_nan(None), pl.col("unique_id").cast(pl.String)
    )
    return frame.with_columns(y="y_raw", available_at=pl.col("ds") + timedelta(minutes=30))


def profile(*names: str, season: int | None = 24) -> pl.DataFrame:
    return pl.DataFrame({"unique_id": names}, schema={"unique_id": pl.String}).with_columns(
        period_label=pl.lit("1h"), season_length=pl.lit(season, pl.Int64), zone=pl.lit("UTC")
    )


def changes(values: Floats, season: int | None = 24, **settings: float) -> pl.DataFrame:
    found = find_level_changes(rows(values), profile("a", season=season), **settings)  # type: ignore[arg-type]
    return found.frames["level_changes"]


def daily(size: int, seed: int) -> Floats:
    return noise(size, seed) + 10 * np.sin(2 * np.pi * np.arange(size) / 24)


def at(moment: int) -> object:
    return hours(moment)


def noise(size: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=size)
