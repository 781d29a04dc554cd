"""Filling with the season in mind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.seasonal import seasonal_decompose

from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps import seasonal_fill
from sparkhu.steps.filling import fill_seasonal
from sparkhu.steps.masks import draw_masks
from sparkhu.steps.points import Points
from sparkhu.steps.seasonal_fill import CYCLES, Seasonal, _Trend

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def series(values: list[float | None], name: str = "a") -> pl.DataFrame:
    ds = [START + h * HOUR for h in range(len(values))]
    return pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def available(frame: pl.DataFrame) -> list[float]:
    return [(moment - START) / HOUR for moment in frame["available_at"]]


def swinging(size: int, season: int, share: float = 0.1, seed: int = 0) -> list[float | None]:
    rng = np.random.default_rng(seed)
    swing = 5 * np.sin(np.arange(size) * 2 * np.pi / season) + rng.normal(size=size) + np.arange(size) / 9
    return [None if 0 < i < size - 1 and rng.random() < share else float(v) for i, v in enumerate(swing)]


def test_hand_worked_even_season() -> None:
    # A season of 2; the gap drawn from 0 to 0 is 0. The trend (½·left + own + ½·right)/2 is 2, next to the gap
    # (½·4 + 0 + ½·0)/2 = 1. Less it: at hours 1, 3, 7: 2; at 2: −2; at 4, 6: −1. Season: odd 2, even −4/3.
    # Without it there stands 4/3 on both sides of the gap, and with it 4/3 + 2 = 10/3. The trend at hour 7 ends at 8.
    filled = fill_seasonal(series([0.0, 4.0, 0.0, 4.0, 0.0, None, 0.0, 4.0, 0.0]), season_length=2)
    assert filled["y"].to_list() == pytest.approx([0.0, 4.0, 0.0, 4.0, 0.0, 10 / 3, 0.0, 4.0, 0.0])
    assert available(filled) == [0, 1, 2, 3, 4, 8, 6, 7, 8]


def test_hand_worked_odd_season() -> None:
    # A season of 3; the gap is drawn at (1 + 3)/2 = 2. The trend, the mean of three, is 3 at hours 1 to 5 and
    # (3 + 1 + 2)/3 = 2 at 6. Less it: 2, 0, −2, 2, 0 and −1. Seasons: (−2 − 1)/2 = −1.5, then 2, then 0.
    # Without them 1 + 1.5 = 2.5 stands before the gap and 3 behind it: 2.75 between them, 4.75 with the season.
    filled = fill_seasonal(series([1.0, 5.0, 3.0, 1.0, 5.0, 3.0, 1.0, None, 3.0]), season_length=3)
    assert filled["y"][7] == pytest.approx(4.75)


@pytest.mark.parametrize("season", [2, 3, 7, 12])
def test_the_trend_is_that_of_statsmodels(season: int) -> None:
    values = swinging(60, season, share=0)
    points = replace(Points.of(series(values)), season_length=np.array([season]))
    wanted = np.array(values) - seasonal_decompose(values, period=season).trend
    np.testing.assert_allclose(_Trend(points).off, wanted, rtol=1e-8, atol=1e-8)


@given(st.integers(2, 12), st.integers(0, 10**6), st.floats(0, 0.4))
def test_fills_agree_with_the_decomposition_of_statsmodels(season: int, seed: int, share: float) -> None:
    values = pd.Series(swinging(80, season, share, seed), dtype=float)
    trend = seasonal_decompose(values.interpolate(), period=season).trend
    means = (values - trend).groupby(np.arange(80) % season).mean()
    of_row = pd.Series(means.to_numpy()[np.arange(80) % season])
    wanted = (values - of_row).interpolate() + of_row
    points = replace(Points.of(series(values.replace(np.nan, None).to_list())), season_length=np.array([season]))
    got = Seasonal(cycles=80).fill(points).values
    rows = points.between
    if not of_row.isna().any():
        np.testing.assert_allclose(got[rows], wanted.to_numpy()[rows], rtol=1e-8, atol=1e-8)


def test_the_season_is_that_of_the_nearest_fifteen_cycles() -> None:
    assert CYCLES == 15
    # The season of 4 turns round half way: far from there it is the one of its own half.
    shape = np.array([0.0, 8.0, 0.0, -8.0])
    values: list[float | None] = [*np.tile(shape, 30).tolist(), *np.tile(-shape, 30).tolist()]
    truth = {row: values[row] for row in (41, 43, 197, 199)}
    for row in truth:
        values[row] = None
    filled = fill_seasonal(series(values), season_length=4)["y"]
    for row, value in truth.items():
        assert filled[row] == pytest.approx(value, abs=1.0)


def test_a_value_is_known_when_the_last_of_its_cycles_is() -> None:
    # Row 101 of a season of 5 stands in cycle 20; the last cycle averaged is 20 + 7 = 27. The row behind it, 102, is
    # compared with row 137, whose trend ends at 139.
    values = swinging(300, 5, share=0)
    values[101] = None
    assert available(fill_seasonal(series(values), season_length=5))[101] == 139
    late = pl.Series([START + (i + (900 if i == 2 else 0)) * HOUR for i in range(300)]).cast(TIME)
    assert available(fill_seasonal(series(values).with_columns(available_at=late), season_length=5))[101] == 902


def test_two_seasons_of_known_points_are_needed() -> None:
    values = swinging(12, 5, share=0)
    values[4] = None
    values[7] = None
    assert fill_seasonal(series(values), season_length=5)["y"].null_count() == 0
    values[8] = None
    assert fill_seasonal(series(values), season_length=5)["y"].null_count() == 3


def test_a_place_of_the_season_that_is_never_known_is_not_filled() -> None:
    values = [None if i % 4 == 2 and i > 0 else float(i % 4) for i in range(40)]
    assert fill_seasonal(series(values), season_length=4)["y"].to_list() == values


def test_edges_are_left_or_take_the_nearest_value() -> None:
    values = [None, *swinging(30, 4, share=0), None, None]
    assert fill_seasonal(series(values), season_length=4)["y"].to_list() == values
    near = fill_seasonal(series(values), season_length=4, edge="nearest")["y"].to_list()
    assert near == [values[1], *values[1:-2], values[-3], values[-3]]


def test_series_of_different_seasons_share_a_shard() -> None:
    parts = [
        (swinging(90, 7), 7),
        (swinging(60, 4, seed=1), 4),
        (swinging(10, 4, seed=2), 0),
        (swinging(70, 7, seed=3), 7),
    ]
    frames = [series(values, name) for (values, _), name in zip(parts, "abcd", strict=True)]
    seasons = np.array([season for _, season in parts])
    whole = replace(Points.of(pl.concat(frames)), season_length=seasons)
    alone = [replace(Points.of(frame), season_length=seasons[i : i + 1]) for i, frame in enumerate(frames)]
    way = Seasonal()
    fills = [way.fill(points) for points in (whole, *alone)]
    assert np.array_equal(fills[0].values, np.concatenate([one.values for one in fills[1:]]), equal_nan=True)
    assert np.array_equal(fills[0].latest, np.concatenate([one.latest for one in fills[1:]]))
    masks = draw_masks(whole)
    for mask, refilled in zip(masks, way.refill(whole, masks), strict=True):
        assert np.isnan(refilled[mask.number == 2]).all()
        assert not np.isnan(refilled[mask.number != 2]).any()


def test_masks_refilled_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    points = replace(Points.of(series(swinging(200, 6))), season_length=np.array([6]))
    masks = draw_masks(points)
    whole = Seasonal().refill(points, masks)
    monkeypatch.setattr(seasonal_fill, "CHUNK", 300)
    assert all(np.array_equal(a, b) for a, b in zip(whole, Seasonal().refill(points, masks), strict=True))


def test_a_mask_that_leaves_less_than_two_seasons_is_not_refilled() -> None:
    points = replace(Points.of(series(swinging(13, 4, share=0))), season_length=np.array([4]))
    far = replace(points, season_length=np.array([6]))
    masks = draw_masks(points)
    assert [np.isnan(refilled).any() for refilled in Seasonal().refill(points, masks)] == [False, False]
    assert [np.isnan(refilled).all() for refilled in Seasonal().refill(far, masks)] == [False, True]
