"""Resampling in steps or at once: the same, to the bit."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.steps.resampling import resample
from tests.sparkhu.steps.made_resampling import HOWS, START, at

points = st.lists(
    st.tuples(
        st.integers(1, 400),
        st.one_of(st.none(), st.integers(-50, 50)),
        st.integers(0, 3),
        st.one_of(st.none(), st.integers(-9, 9)),
    ),
    min_size=1,
    max_size=30,
)


CHAIN = (("1s", "5s"), ("5s", "1min"), ("1min", "5min"), ("5min", "1h"), ("1h", "1d"))


def test_hand_worked_volumes_behind_known_values_alone_weigh_in_chains() -> None:
    # Second 1 has a volume of 98 and no price. At once: (10·1 + 10·1 + 20·1) / 3 = 40/3. In steps: seconds 0 and 1 are
    # 10 with a volume of 1 behind it, not 99; seconds 2 and 3 are 15 with 2; (10·1 + 15·2) / 3 = 40/3.
    second = 1 / 60
    trades = at([0, second, 2 * second, 3 * second], [10.0, None, 10.0, 20.0], volume=[1, 98, 1, 1])
    pairs = resample(trades, "2s", how="vwap", period="1s")
    assert pairs.select("y", "volume", "volume_of_y").rows() == [(10.0, 99.0, 1.0), (15.0, 2.0, 2.0)]
    for frame, period in ((trades, "1s"), (pairs, "2s")):
        assert resample(frame, "4s", how="vwap", period=period).select("y", "volume").row(0) == (40 / 3, 101.0)
    # The last is a fill of 20, so the observed prices are 10·1 and 10·1 over 2, in steps and at once.
    filled = trades.with_columns(y_raw=pl.Series([10.0, None, 10.0, None]))
    filled = filled.with_columns(fill_strategy=pl.Series([None, None, None, "last"]))
    pairs = resample(filled, "2s", how="vwap", period="1s")
    for frame, period in ((filled, "1s"), (pairs, "2s")):
        assert resample(frame, "4s", how="vwap", period=period).select("y", "y_raw").row(0) == (40 / 3, 10.0)


def test_hand_worked_other_numbers_are_weighed_by_how_many_there_are() -> None:
    # (1 + 3 + 5) / 3 = 3: the first half hour has 1 of one number, the second 4 of two: (1·1 + 4·2) / 3 = 3.
    frame = at([0, 15, 30, 45], other=[1.0, None, 3.0, 5.0])
    halves = resample(frame, "30min", period="15min")
    assert halves.select("other", "values_of_other").rows() == [(1.0, 1), (4.0, 2)]
    for table, period in ((frame, "15min"), (halves, "30min")):
        assert resample(table, "1h", period=period).select("other", "values_of_other").row(0) == (3.0, 3)


def in_steps(frame: pl.DataFrame, last: str, **how: Any) -> pl.DataFrame:
    for period, to in CHAIN:
        frame = resample(frame, to, period=period, **how)
        if to == last:
            return frame
    raise AssertionError(last)


def assert_same(found: pl.DataFrame, wanted: pl.DataFrame) -> None:
    assert found.columns == wanted.columns
    numbers = [name for name, dtype in wanted.schema.items() if dtype == pl.Float64]
    assert found.drop(numbers).rows() == wanted.drop(numbers).rows()
    for name in numbers:
        mine, theirs = (table[name].fill_null(np.nan).to_numpy() for table in (found, wanted))
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("how", [*HOWS, "ohlcv", "vwap"])
def test_from_seconds_to_days_in_five_steps_or_at_once_is_the_same(how: Any) -> None:
    # 30 hours of seconds of which a tenth has a row; gaps, fills, outliers and points without volume among them.
    random = np.random.default_rng(7)
    seconds = np.flatnonzero(random.random(30 * 3600) < 0.1)
    size = len(seconds)
    y, other = random.normal(100, 5, size), random.normal(0, 1, size)
    y[random.random(size) < 0.1] = np.nan
    other[random.random(size) < 0.3] = np.nan
    # No row from hour 3 to 5: empty buckets at every length but the last.
    kept = (seconds < 3 * 3600) | (seconds > 5 * 3600)
    moved, filled = random.integers(0, 4, size).astype(float), random.random(size) < 0.2
    frame = at([float(second) / 60 for second in seconds], [float(value) for value in y]).with_columns(
        pl.col("y").fill_nan(None),
        volume=pl.Series(moved),
        other=pl.Series(other).fill_nan(None),
        word=pl.Series(["x", None, "y", "z"] * (size // 4) + ["x"] * (size % 4)),
        is_outlier=pl.Series(random.random(size) < 0.01),
    )
    raw, strategy = pl.when(~pl.Series(filled)).then("y"), pl.when(pl.Series(filled)).then(pl.lit("mean"))
    frame = frame.with_columns(y_raw=raw, fill_strategy=strategy).filter(pl.Series(kept))
    in_five, at_once = in_steps(frame, "1d", how=how), resample(frame, "1d", how=how, period="1s")
    assert at_once.height == 2
    assert at_once["count"].sum() == kept.sum()
    assert_same(in_five, at_once)


@settings(max_examples=25, deadline=None)
@given(points, st.sampled_from([*HOWS, "ohlcv", "vwap"]), st.sampled_from(["keep", "drop"]), st.integers(0, 3600))
def test_in_steps_or_at_once_is_the_same(drawn: Any, how: Any, edges: Any, origin: int) -> None:
    seconds = np.cumsum([gap for gap, *_ in drawn]) + origin
    values = [None if value is None else float(value) for _, value, *_ in drawn]
    frame = at([int(second) / 60 for second in seconds], values, volume=[float(row[2]) for row in drawn])
    frame = frame.with_columns(other=pl.Series([row[3] for row in drawn], dtype=pl.Float64))
    raw = pl.Series([bool(row[2] % 3) for row in drawn])
    frame = frame.with_columns(y_raw=pl.when(raw).then("y"), fill_strategy=pl.when(~raw).then(pl.lit("mean")))
    try:
        at_once = resample(frame, "1h", how=how, period="1s", edges=edges)
    except InputError:
        with pytest.raises(InputError, match="it covers no whole period"):
            in_steps(frame, "1h", how=how, edges=edges)
        return
    steps = in_steps(frame, "1h", how=how, edges=edges)
    assert_same(steps, at_once)


def test_days_and_hours_chain_across_summer_time() -> None:
    ds = pd.date_range("2024-03-28 00:00", "2024-04-03 00:00", freq="5min", tz="Europe/Berlin", inclusive="left")
    frame = at([(stamp - pd.Timestamp(START)) / pd.Timedelta("1min") for stamp in ds])
    hours = resample(frame, "1h", zone="Europe/Berlin", period="5min")
    days = resample(hours, "1d", zone="Europe/Berlin", period="1h")
    assert days["count"].to_list() == [288] * 3 + [276] + [288] * 2
    assert days.equals(resample(frame, "1d", zone="Europe/Berlin", period="5min"))
