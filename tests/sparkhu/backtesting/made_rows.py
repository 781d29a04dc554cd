"""Hourly series for tests of backtests."""

import numpy as np
import polars as pl

from sparkhu.frame import SCHEMA, TIME
from tests.sparkhu.made_shard import Floats, hours


def values_of(n: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    return 50 + 10 * np.sin(2 * np.pi * np.arange(n) / 24) + random.normal(0, 2, n)


def rows_of(series: dict[str, Floats], *, begin: int = 0) -> pl.DataFrame:
    """Rows of hourly series; NaN is null."""
    parts = []
    for name, values in series.items():
        ds = pl.Series([hours(begin + hour) for hour in range(len(values))], dtype=TIME)
        y = pl.Series(values, dtype=pl.Float64).fill_nan(None)
        parts.append(pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": y, "available_at": ds}))
    return pl.concat(parts).cast(pl.Schema(SCHEMA))


def made_rows(*names: str, n: int = 400) -> pl.DataFrame:
    """Noisy daily seasons."""
    return rows_of({name: values_of(n, seed) for seed, name in enumerate(names)})
