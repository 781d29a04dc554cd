"""Several strategies in one call: each gives what it gives alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.filling import fill, fill_each
from sparkhu.steps.strategies import STRATEGIES

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def series(name: str, values: list[float | None]) -> pl.DataFrame:
    rows = [(name, START + hour * HOUR, value, START + hour * HOUR) for hour, value in enumerate(values)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_each_of_several_strategies_gives_what_it_gives_alone() -> None:
    values = np.random.default_rng(0).normal(size=80).tolist()
    values[7] = values[30] = values[31] = None
    frame = pl.concat([series("a", values), series("b", values[:50]), series("c", [2.0**1001, None, 1.0])])
    ends = pl.DataFrame({"unique_id": ["a", "b", "c"], "train_end": START + 40 * HOUR, "season_length": 6})
    ends = ends.with_columns(pl.col("train_end").cast(TIME))
    params: dict[str, Any] = {"edge": "nearest", "max_gap_points": 1, "window": 2}
    for name, result in fill_each(frame, ends, strategies=tuple(STRATEGIES), **params).items():
        alone = fill(frame, ends, strategy=name, **params)
        assert result.ledger.equals(alone.ledger)
        assert all(result.frames[key].equals(table) for key, table in alone.frames.items())
    with pytest.raises(InputError, match="got 'guess'"):
        fill_each(frame, ends, strategies=("mean", "guess"))
