"""A shard made for tests of training, evaluation and forecasting: hourly series with plan, windows and scalers."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import TIME
from sparkhu.steps.joining import SEQUENCE_SCHEMA
from sparkhu.steps.normalisation import Scaler, fit_scalers
from sparkhu.steps.windows import index_windows
from sparkhu.training.windows import FrameSource, assemble

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


class LaidOut(NamedTuple):
    """A shard's windows and the values that they lie over, an element a row; `table` has `start`, the row of its X."""

    series: pl.DataFrame
    table: pl.DataFrame
    inputs: Floats
    truth: Floats
    observed: Floats


def laid_out(*made: pl.DataFrame) -> LaidOut:
    shard = assemble(*made)
    source = shard.source
    assert isinstance(source, FrameSource)
    table = shard.table.with_columns(start=source.starts(shard.table))
    return LaidOut(shard.series, table, source.given, source.truth, source.observed)


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


def cleaned_of(
    raw: dict[str, Floats],
    cleaned: dict[str, Floats] | None = None,
    handled: dict[str, Floats] | None = None,
    *,
    handled_known: float = 69,
) -> pl.DataFrame:
    """Rows of hourly series as `join_series` gives them.

    Where `cleaned` differs from what was observed, an outlier was refilled an hour later; where `handled` differs from
    that, an anomaly was clipped at what was known at the hour `handled_known`.
    """
    given = {name: (cleaned or {}).get(name, values) for name, values in raw.items()}
    rows = sequences_of(given, raw)
    put = pl.Series(np.concatenate([(handled or {}).get(name, values) for name, values in given.items()]))
    changed = pl.col("y").ne_missing(pl.col("y_raw"))
    rows = rows.with_columns(
        observed_available_at=pl.when(pl.col("y_raw").is_not_null()).then("ds"),
        available_at=pl.when(changed).then(pl.col("ds").dt.offset_by("1h")).otherwise("ds"),
        is_gap=pl.col("y_raw").is_null(),
        is_outlier=changed & pl.col("y_raw").is_not_null(),
        fill_strategy=pl.when(changed).then(pl.lit("linear")),
        handled=put.fill_nan(None),
    )
    known = pl.max_horizontal("available_at", pl.lit(hours(handled_known)).cast(TIME))
    touched = pl.col("handled").ne_missing(pl.col("y"))
    return rows.with_columns(
        is_anomaly=touched,
        handled_available_at=pl.when(touched).then(known).otherwise("available_at"),
        anomaly_strategy=pl.when(touched).then(pl.lit("clip")),
    ).select(pl.col(name).cast(dtype) for name, dtype in SEQUENCE_SCHEMA.items())


def polluted(names: Iterable[str], seed: int = 0, n: int = 100) -> pl.DataFrame:
    """Series with gaps, outliers that were replaced, spikes that were clipped, and rows that came late."""
    random = np.random.default_rng(seed)
    raw: dict[str, Floats] = {}
    cleaned: dict[str, Floats] = {}
    handled: dict[str, Floats] = {}
    for name in names:
        values = 20 + 5 * np.sin(2 * np.pi * np.arange(n) / 3) + random.normal(0, 1, n)
        raw[name] = np.where(random.random(n) < 0.03, values + 40, values)
        raw[name][random.random(n) < 0.05] = np.nan
        cleaned[name] = np.where(np.isnan(raw[name]) | (raw[name] > 45), values, raw[name])
        handled[name] = np.minimum(cleaned[name], 26)
    rows = cleaned_of(raw, cleaned, handled)
    late = pl.Series(np.where(random.random(rows.height) < 0.1, random.integers(0, 30, rows.height), 0))
    delays = {"available_at": late, "handled_available_at": late, "observed_available_at": late // 2}
    return rows.with_columns(pl.col(name) + delay * pl.duration(hours=1) for name, delay in delays.items())
