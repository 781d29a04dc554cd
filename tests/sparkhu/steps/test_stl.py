"""STL, MSTL and the trend alone, against statsmodels."""

import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.nonparametric.smoothers_lowess import lowess
from statsmodels.tsa.seasonal import MSTL, STL

from sparkhu.steps.stl import Parts, mstl, stl, trend_only

Floats = npt.NDArray[np.float64]
JUMPS = {24: (1, 1, 1), 96: (1, 4, 2), 168: (1, 7, 4)}  # 1; a fiftieth, rounded up, of 47, 185, 321; 25, 97, 169


def wave(count: int, *periods: int, seed: int = 0, level: float = 50.0) -> Floats:
    rng = np.random.default_rng(seed)
    rows = np.arange(count)
    seasons = sum(3 * np.sin(2 * np.pi * rows / period + period) for period in periods)
    return np.asarray(level + 0.02 * rows + seasons + rng.normal(size=count))


def check_equal(parts: Parts, trend: Floats, seasons: Floats, resid: Floats) -> None:
    for ours, theirs in zip(parts, (trend, np.atleast_2d(seasons), resid), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("count", "period", "robust"),
    [*((count, period, way) for count, period in [(60, 7), (100, 12), (120, 24), (9, 2)] for way in (False, True)),
     (24, 12, False)],
)  # fmt: skip
def test_stl_is_that_of_statsmodels(count: int, period: int, robust: bool) -> None:
    values = wave(count, period)
    values[count // 2] += 25
    fit = STL(values, period=period, robust=robust).fit()
    check_equal(stl(values, period, robust=robust), fit.trend, fit.seasonal, fit.resid)


def test_of_two_cycles_that_leave_nothing_over_no_point_is_an_outlier() -> None:
    # The lines through the two points of each place in the season leave nothing but rounding (a part of 1e-16), which
    # the weights of statsmodels' robust STL would be made from: its trend is off by some 2 here, by chance.
    values = wave(24, 12)
    values[12] += 25
    parts, plain = (stl(values, 12, robust=robust) for robust in (True, False))
    for part in (parts, plain):
        np.testing.assert_allclose(part.resid, 0, atol=1e-12)
    converged = STL(values, period=12).fit(inner_iter=32, outer_iter=0)  # a robust fit goes 16 times through 2 rounds
    check_equal(parts, converged.trend, converged.seasonal, converged.resid)


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("periods", [(7, 28), (6, 12, 24), (12,)])
def test_mstl_is_that_of_statsmodels(periods: tuple[int, ...], robust: bool) -> None:
    values = wave(130, *periods)
    values[40] -= 25
    fit = MSTL(values, periods=periods, stl_kwargs={"robust": robust}).fit()
    check_equal(mstl(values, periods, robust=robust), fit.trend, fit.seasonal.T, fit.resid)


@pytest.mark.parametrize("period", [24, 96, 168])
def test_fast_stl_is_that_of_statsmodels_with_jumps_of_a_fiftieth(period: int) -> None:
    values = wave(5 * period, period)
    jumps = dict(zip(("seasonal_jump", "trend_jump", "low_pass_jump"), JUMPS[period], strict=True))
    fit = STL(values, period=period, robust=True, **jumps).fit()
    check_equal(stl(values, period, robust=True, fast=True), fit.trend, fit.seasonal, fit.resid)


def test_fast_mstl_goes_through_its_seasons_with_the_jumps_of_each() -> None:
    # Windows 11 and 15 seasons; trend windows 1.5·7/(1 − 1.5/11) = 12.2 → 13 and 1.5·96/(1 − 1.5/15) = 160 → 161; low
    # passes 9 and 97. A fiftieth, rounded up: 1, 1 and 4, 2.
    values = wave(500, 7, 96)
    names = ("seasonal", "trend_jump", "low_pass_jump")
    rest, seasons = values.copy(), np.zeros((2, 500))
    for _ in range(2):
        for number, (period, settings) in enumerate([(7, (11, 1, 1)), (96, (15, 4, 2))]):
            fit = STL(rest + seasons[number], period=period, **dict(zip(names, settings, strict=True))).fit()
            rest = rest + seasons[number] - fit.seasonal
            seasons[number] = fit.seasonal
    check_equal(mstl(values, (7, 96), robust=False, fast=True), fit.trend, seasons, rest - fit.trend)


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("count", [2 * 96, 3 * 96, 5 * 96 - 1])
def test_fast_is_exact_where_fewer_than_five_cycles_fit(count: int, robust: bool) -> None:
    values = wave(count, 96)
    for exact, fast in zip(*(stl(values, 96, robust=robust, fast=each) for each in (False, True)), strict=True):
        np.testing.assert_array_equal(exact, fast)


def test_where_exact_is_too_much_work_fast_fits_every_hundredth_part(monkeypatch: pytest.MonkeyPatch) -> None:
    # 600 points times the trend's window of 321 are 192,600: up to so much it is exact. A hundredth of 321 is 4, of 169
    # it is 2.
    values = wave(600, 168)
    exact = STL(values, period=168).fit()
    rougher = STL(values, period=168, trend_jump=4, low_pass_jump=2).fit()
    assert np.abs(exact.resid - rougher.resid).max() > 1e-6
    for work, fit in ((192_600, exact), (192_599, rougher)):
        monkeypatch.setattr("sparkhu.steps.stl.EXACT_WORK", work)
        check_equal(stl(values, 168, robust=False, fast=True), fit.trend, fit.seasonal, fit.resid)


@pytest.mark.parametrize(
    ("periods", "cycles", "robust"),
    [((96,), 5, False), ((96,), 8, False), ((7, 56), 5, True), ((7, 56), 12, True), ((24, 168), 6, True)],
)
def test_remainders_of_fast_are_less_than_a_tenth_of_their_deviation_away(
    periods: tuple[int, ...], cycles: int, robust: bool
) -> None:
    values = wave(cycles * periods[-1], *periods, seed=cycles)
    exact, fast = (mstl(values, periods, robust=robust, fast=each).resid for each in (False, True))
    assert 0 < np.abs(exact - fast).max() < 0.1 * exact.std()


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize(("count", "share", "delta"), [(5, 1.0, 0.0), (20, 7 / 20, 0.0), (99, 0.3, 0.0), (450, 0.3, 4)])
def test_the_trend_alone_is_the_lowess_of_statsmodels(count: int, share: float, delta: float, robust: bool) -> None:
    values = wave(count)
    values[count // 2] += 30
    smooth = lowess(values, np.arange(count), frac=share, it=3 if robust else 0, delta=delta, return_sorted=False)
    parts = trend_only(values, robust=robust)
    check_equal(parts._replace(seasons=np.zeros((1, count))), smooth, np.zeros((1, count)), values - smooth)
    assert parts.seasons.shape == (0, count)


def test_hand_worked_a_straight_line_with_a_season_of_two() -> None:
    # y = 2·i + (1, −1, 1, −1, …): every window holds the line and the season as they are, so the local lines of STL
    # give them back: trend 2·i, season ±1, nothing left.
    rows = np.arange(20)
    parts = stl(2.0 * rows + np.where(rows % 2 == 0, 1.0, -1.0), 2, robust=False)
    np.testing.assert_allclose(parts.trend, 2.0 * rows, atol=1e-9)
    np.testing.assert_allclose(parts.seasonal, np.where(rows % 2 == 0, 1.0, -1.0), atol=1e-9)
    np.testing.assert_allclose(parts.resid, 0, atol=1e-9)


def test_hand_worked_the_trend_alone_of_a_line_is_the_line() -> None:
    # A line through a neighbourhood of 10 − 3·i is 10 − 3·i itself, whatever the weights.
    values = 10 - 3.0 * np.arange(12)
    parts = trend_only(values, robust=True)
    np.testing.assert_allclose(parts.trend, values, atol=1e-9)
    np.testing.assert_allclose(parts.resid, 0, atol=1e-9)


def test_huge_values_do_not_overflow() -> None:
    values = wave(60, 7) * 1e306
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for parts in (stl(values, 7, robust=True), trend_only(values, robust=True)):
            assert np.isfinite(parts.trend).all()
            np.testing.assert_allclose(parts.trend + parts.seasonal + parts.resid, values, rtol=1e-9)


def test_a_constant_series_is_all_trend() -> None:
    for parts in (stl(np.full(30, 7.0), 5, robust=True), trend_only(np.zeros(30), robust=True)):
        np.testing.assert_allclose(parts.resid, 0, atol=1e-12)
        np.testing.assert_allclose(parts.seasonal, 0, atol=1e-12)


@given(st.integers(0, 1000), st.integers(-3, 6), st.floats(-1e4, 1e4), st.booleans())
def test_parts_add_up_and_follow_shift_and_scale(seed: int, power: int, shift: float, robust: bool) -> None:
    values, scale = wave(60, 7, seed=seed), 10.0**power
    parts, moved = stl(values, 7, robust=robust), stl(scale * values + shift, 7, robust=robust)
    size = scale * np.abs(values).max() + abs(shift)
    np.testing.assert_allclose(moved.trend + moved.seasonal + moved.resid, scale * values + shift, atol=1e-9 * size)
    np.testing.assert_allclose(moved.trend, scale * parts.trend + shift, atol=1e-7 * size)
    np.testing.assert_allclose(moved.seasonal, scale * parts.seasonal, atol=1e-7 * size)
    np.testing.assert_allclose(moved.resid, scale * parts.resid, atol=1e-7 * size)


@given(st.integers(0, 1000), st.booleans(), st.booleans())
def test_parts_of_several_seasons_add_up(seed: int, robust: bool, fast: bool) -> None:
    values = wave(70, 5, 15, seed=seed)
    parts = mstl(values, (5, 15), robust=robust, fast=fast)
    np.testing.assert_allclose(parts.trend + parts.seasonal + parts.resid, values, atol=1e-9)
    assert parts.seasons.shape == (2, 70)
