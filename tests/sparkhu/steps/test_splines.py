"""Filling on the cubic spline."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps import splines
from sparkhu.steps.filling import fill_spline
from sparkhu.steps.splines import NEIGHBOURS

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def series(values: list[float | None], hours: list[float] | None = None, name: str = "a") -> pl.DataFrame:
    ds = [START + h * HOUR for h in (hours or range(len(values)))]
    return pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def reference(values: list[float | None], hours: list[float]) -> np.ndarray:
    known = [i for i, value in enumerate(values) if value is not None]
    return np.asarray(CubicSpline(np.array(hours)[known], [values[i] for i in known], extrapolate=False)(hours))


def test_hand_worked_cubic_through_four_points() -> None:
    # y = t³ − 2·t at 0, 1, 3, 4: 0, −1, 21, 56. Four points have one cubic: at 2 it is 8 − 4 = 4.
    filled = fill_spline(series([0.0, -1.0, None, 21.0, 56.0]))
    assert filled["y"].to_list() == pytest.approx([0.0, -1.0, 4.0, 21.0, 56.0])
    assert [(moment - START) / HOUR for moment in filled["available_at"]] == [0, 1, 4, 3, 4]


def test_hand_worked_cubic_in_time_not_in_rows() -> None:
    # Through (0,0), (2,4), (3,11), (6,8) the cubic at 5 is, by Lagrange,
    # 4·(5·2·(−1))/(2·(−1)·(−4)) + 11·(5·3·(−1))/(3·1·(−3)) + 8·(5·3·2)/(6·4·3) = −5 + 55/3 + 10/3 = 50/3.
    filled = fill_spline(series([0.0, 4.0, 11.0, None, 8.0], [0, 2, 3, 5, 6]))
    assert filled["y"][3] == pytest.approx(50 / 3)


@pytest.mark.parametrize("known", [2, 3])
def test_fewer_than_four_points_have_no_spline(known: int) -> None:
    frame = series([0.0, None, *[float(i) for i in range(known - 1)]])
    assert fill_spline(frame)["y"].to_list() == frame["y"].to_list()


def test_nothing_is_drawn_outside_of_the_known_points() -> None:
    values = [None, 0.0, 10.0, None, -10.0, 5.0, None, None]
    assert fill_spline(series(values))["y"].is_null().to_list() == [True, *[False] * 5, True, True]
    near = fill_spline(series(values), edge="nearest")["y"].to_list()
    assert (near[0], near[6], near[7]) == (0.0, 5.0, 5.0)


@pytest.mark.parametrize("seed", range(8))
def test_pieces_are_those_of_the_spline_through_all_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hours = np.cumsum(rng.integers(1, 1 + 3 * (1 + seed % 3), 400)).astype(float).tolist()
    values = [float(v) for v in rng.normal(size=400).cumsum()]
    gappy = [None if 0 < i < 399 and rng.random() < 0.3 else v for i, v in enumerate(values)]
    gappy[150:175] = [None] * 25
    got = fill_spline(series(gappy, hours))["y"].to_numpy()
    wanted = reference(gappy, hours)
    assert np.abs(got - wanted).max() <= 1e-8 * np.ptp(wanted)


@given(
    st.lists(st.floats(-1e3, 1e3) | st.none(), min_size=4, max_size=30),
    st.lists(st.integers(1, 5), min_size=30, max_size=30),
)
def test_short_series_agree_with_scipy(values: list[float | None], steps: list[int]) -> None:
    hours = np.cumsum(steps)[: len(values)].astype(float).tolist()
    got = fill_spline(series(values, hours))["y"].to_list()
    if sum(value is not None for value in values) < 4:
        assert got == values
    else:
        wanted = reference(values, hours)
        np.testing.assert_allclose(pl.Series(got, dtype=pl.Float64).fill_null(np.nan), wanted, rtol=1e-8, atol=1e-8)


def test_a_large_offset_costs_no_digits() -> None:
    wave = np.sin(np.arange(60) / 3)
    values = [None if i % 7 == 3 else float(1e9 + v) for i, v in enumerate(wave)]
    got = fill_spline(series(values))["y"].to_numpy() - 1e9
    np.testing.assert_allclose(
        got, reference([None if v is None else v - 1e9 for v in values], [*range(60)]), atol=1e-6
    )


def test_a_value_is_known_when_the_last_point_it_was_drawn_through_is() -> None:
    values = [None if i in (5, 60) else float(i % 9) for i in range(100)]
    late = pl.Series([START + (i + (500 if i == 6 else 0)) * HOUR for i in range(100)]).cast(TIME)
    filled = fill_spline(series(values).with_columns(available_at=late))
    hours = [(moment - START) / HOUR for moment in filled["available_at"]]
    assert hours[5] == 506
    assert hours[60] == 60 + NEIGHBOURS
    # Row 6 is not among the 24 points before row 60, but it is before row 20.
    assert [(m - START) / HOUR for m in fill_spline(
        series([None if i == 20 else float(i % 9) for i in range(100)]).with_columns(available_at=late)
    )["available_at"]][20] == 506  # fmt: skip


def test_series_lend_each_other_no_points() -> None:
    rng = np.random.default_rng(2)
    parts = [[None if i % 5 == 2 else float(v) for i, v in enumerate(rng.normal(size=n))] for n in (9, 30, 12)]
    whole = fill_spline(pl.concat([series(values, name=name) for values, name in zip(parts, "abc", strict=True)]))
    alone = pl.concat([fill_spline(series(values, name=name)) for values, name in zip(parts, "abc", strict=True)])
    assert whole.equals(alone)


def test_many_gaps_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [None if i % 3 == 1 else float((i * 7) % 11) for i in range(200)]
    whole = fill_spline(series(values))
    monkeypatch.setattr(splines, "CHUNK", 7)
    assert fill_spline(series(values)).equals(whole)
