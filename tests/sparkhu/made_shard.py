"""A shard made for tests of training, evaluation and forecasting: hourly series with plan, windows and scalers."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import TIME
from sparkhu.steps.normalisation import Scaler, fit_scalers
from sparkhu.steps.windows import index_windows

START = datetime(2024, 1, 1, tzinfo=UTC)
Floats = npt.NDArray[np.float64]


class MadeShard(NamedTuple):
    """Frames by the names that the functions over shards take."""

    sequences: pl.DataFrame
    windows: pl.DataFrame
    scalers: pl.DataFrame
    profile: pl.DataFrame


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


def sequences_of(series: dict[str, Floats], observed: dict[str, Floats] | None = None) -> pl.DataFrame:
    """Rows of hourly series; NaN is null. `observed` gives `y_raw` where it differs from `y`."""
    parts = [
        pl.DataFrame(
            {
                "unique_id": [name] * len(values),
                "ds": pl.Series([hours(i) for i in range(len(values))], dtype=TIME),
                "y": pl.Series(values, dtype=pl.Float64).fill_nan(None),
                "y_raw": pl.Series((observed or {}).get(name, values), dtype=pl.Float64).fill_nan(None),
            }
        ).with_columns(available_at="ds")
        for name, values in series.items()
    ]
    return pl.concat(parts)


def profile_of(
    names: list[str],
    *,
    borders: tuple[int, int, int] = (70, 80, 100),
    sizes: tuple[int, int] = (4, 2),
    season: int = 3,
    group: str = "1h/3",
) -> pl.DataFrame:
    train, valid, test = (pl.lit(hours(border)).cast(TIME) for border in borders)
    return pl.DataFrame({"unique_id": names}).with_columns(
        n=pl.lit(borders[2], pl.Int64),
        period_label=pl.lit("1h"),
        season_length=pl.lit(season, pl.Int64),
        train_end=train,
        valid_end=valid,
        test_end=test,
        input_size=pl.lit(sizes[0], pl.Int64),
        horizon=pl.lit(sizes[1], pl.Int64),
        group=pl.lit(group),
    )


def shard_of(sequences: pl.DataFrame, profile: pl.DataFrame, scaler: Scaler = "standard") -> MadeShard:
    windows = index_windows(sequences, profile).frames["windows"]
    scalers = fit_scalers(sequences, profile, scaler=scaler).frames["scalers"]
    return MadeShard(sequences, windows, scalers, profile)


def made_shard(
    *names: str,
    n: int = 100,
    seed: int = 0,
    borders: tuple[int, int, int] = (70, 80, 100),
    sizes: tuple[int, int] = (4, 2),
    scaler: Scaler = "standard",
) -> MadeShard:
    """Noisy seasonal hourly series."""
    random = np.random.default_rng(seed)
    series = {
        name: 5 * np.sin(2 * np.pi * np.arange(n) / 3 + i) + random.normal(20 + i, 1, n) for i, name in enumerate(names)
    }
    return shard_of(sequences_of(series), profile_of(list(names), borders=borders, sizes=sizes), scaler)
