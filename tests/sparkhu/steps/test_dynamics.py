"""Stationarity, autocorrelation and strengths of one series, against statsmodels."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import find_peaks
from statsmodels.tsa.seasonal import STL
from statsmodels.tsa.stattools import acf, adfuller, kpss

from sparkhu.steps.dynamics import (
    Strengths,
    acf_peaks,
    adf_p_value,
    autocorrelation,
    kpss_p_value,
    strength,
    strengths,
)

RANDOM = np.random.default_rng(11)
NOISE = RANDOM.normal(size=300)
SEASON = 5 * np.sin(2 * np.pi * np.arange(300) / 12)
SERIES = {"noise": NOISE, "walk": NOISE.cumsum(), "season": NOISE + SEASON, "tiny": 1e-200 * NOISE}


@pytest.mark.parametrize("name", SERIES)
def test_p_values_are_those_of_statsmodels(name: str) -> None:
    values = SERIES[name]
    plain = NOISE if name == "tiny" else values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert adf_p_value(values) == pytest.approx(adfuller(plain)[1], rel=1e-8)
        assert kpss_p_value(values) == pytest.approx(kpss(plain, regression="c", nlags="auto")[1], rel=1e-9)


# The values r of both series below, less their mean, have no two neighbours that are not 0. So they do not correlate
# with the ones before, and the long-run variance takes no lag: it is Σr²/n. With the running sums S of r the statistic
# is η = ΣS²/n² / (Σr²/n) = ΣS²/(n·Σr²). Its table: p = 0.1 at 0.347, 0.05 at 0.463, 0.025 at 0.574, 0.01 at 0.739,
# and straight lines between.
def test_a_hand_worked_kpss_test_of_twelve_values() -> None:
    # r = 1 0 1 0 1 0 −1 0 −1 0 −1 0 (times 3, about 7, which changes nothing): Σr² = 6; S = 1 1 2 2 3 3 2 2 1 1 0 0:
    # ΣS² = 2·(1 + 4) + 2·9 + 2·(4 + 1) = 38; η = 38/(12·6) = 0.5278; p = 0.05 − 0.025·(0.5278 − 0.463)/0.111 = 0.0354.
    values = 7 + 3 * np.array([1.0, 0.0] * 3 + [-1.0, 0.0] * 3)
    assert kpss_p_value(values) == pytest.approx(0.05 - 0.025 * (38 / 72 - 0.463) / 0.111, rel=1e-12)


def test_a_hand_worked_kpss_test_of_sixteen_values_and_one_beyond_the_table() -> None:
    # Four of each: Σr² = 8; ΣS² = 4·(1 + 4 + 9) + 2·16 = 88; η = 88/(16·8) = 0.6875;
    # p = 0.025 − 0.015·(0.6875 − 0.574)/0.165 = 0.0147.
    values = np.array([1.0, 0.0] * 4 + [-1.0, 0.0] * 4)
    assert kpss_p_value(values) == pytest.approx(0.025 - 0.015 * (0.6875 - 0.574) / 0.165, rel=1e-12)
    # 1 0 −1 0 three times over: S = 1 1 0 0 …: ΣS² = 6; η = 6/(12·6) = 0.083, below the table: p = 0.1.
    assert kpss_p_value(np.tile([1.0, 0.0, -1.0, 0.0], 3)) == 0.1


def test_a_walk_is_told_from_noise() -> None:
    assert adf_p_value(NOISE) < 0.01
    assert adf_p_value(NOISE.cumsum()) > 0.05
    assert kpss_p_value(NOISE) == 0.1
    assert kpss_p_value(NOISE.cumsum()) < 0.05


@pytest.mark.parametrize("test", [adf_p_value, kpss_p_value])
def test_short_and_constant_series_are_not_tested(test: object) -> None:
    for values in (np.zeros(0), np.ones(1), np.full(40, 7.5), NOISE[:11], np.zeros(50)):
        assert test(values) is None  # type: ignore[operator]
    assert test(NOISE[:12]) is not None  # type: ignore[operator]


def test_huge_values_do_not_overflow() -> None:
    assert adf_p_value(NOISE * 1e300) == pytest.approx(adf_p_value(NOISE), rel=1e-8)
    assert kpss_p_value(NOISE * 1e300) == pytest.approx(kpss_p_value(NOISE), rel=1e-9)
    assert acf_peaks((NOISE + SEASON) * 1e300) == acf_peaks(NOISE + SEASON)
    assert strengths((NOISE + SEASON) * 1e300, 12).seasonal == pytest.approx(strengths(NOISE + SEASON, 12).seasonal)


def test_a_straight_line_has_no_dickey_fuller_test() -> None:
    assert adf_p_value(np.arange(40.0)) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=80).filter(lambda values: np.ptp(values) > 1e-3))
def test_the_autocorrelation_is_that_of_statsmodels(values: list[float]) -> None:
    expected = acf(values, nlags=len(values) - 1, fft=False)
    assert autocorrelation(np.array(values)) == pytest.approx(expected, abs=1e-8)


def test_peaks_are_the_lags_of_a_season_highest_first() -> None:
    # A cosine of period 4: the autocorrelation is (1 − k/n)·cos(kπ/2), so it peaks at 4, 8, 12, … and falls.
    assert acf_peaks(np.tile([0.0, 1.0, 0.0, -1.0], 25)) == [4, 8, 12, 16, 20]
    # Of 12 values lags up to 6 are looked at, and 0.67 at lag 4 is above 1.96/√12 = 0.57.
    assert acf_peaks(np.tile([0.0, 1.0, 0.0, -1.0], 3)) == [4]


@pytest.mark.parametrize(("count", "peaks"), [(38, []), (39, []), (40, [20]), (60, [20])])
def test_a_peak_stands_at_half_of_the_values_at_most(count: int, peaks: list[int]) -> None:
    # Two pulses 20 apart are alike at lag 20: that is n/2 of 40 values, and beyond it of fewer.
    assert acf_peaks(np.isin(np.arange(count), (5, 25)).astype(float)) == peaks


@pytest.mark.parametrize("name", ["noise", "walk", "season"])
def test_peaks_are_those_of_scipy_above_the_bound_of_white_noise(name: str) -> None:
    values = SERIES[name]
    correlation = acf(values, nlags=151, fft=True)
    lags, _ = find_peaks(correlation, height=1.96 / np.sqrt(300))
    expected = sorted((lag for lag in lags if 2 <= lag <= 150), key=lambda lag: -correlation[lag])
    assert acf_peaks(values) == expected[:5]


def test_short_and_constant_series_have_no_peaks_at_all() -> None:
    assert acf_peaks(np.array([1.0, 2.0, 1.0])) is None
    assert acf_peaks(np.full(20, 3.0)) is None
    assert acf_peaks(np.zeros(0)) is None
    assert acf_peaks(np.array([1.0, 2.0, 1.0, 2.0])) == []


def test_strengths_follow_hyndmans_definition() -> None:
    values = NOISE + SEASON + np.arange(300) / 50
    parts = STL(values, period=12).fit()
    seasonal = 1 - np.var(parts.resid) / np.var(parts.seasonal + parts.resid)
    trend = 1 - np.var(parts.resid) / np.var(parts.trend + parts.resid)
    assert strengths(values, 12) == pytest.approx(Strengths(trend, seasonal), rel=1e-9)
    assert seasonal > 0.9


def test_hand_worked_strengths_of_parts() -> None:
    # Season 1 −1 1 −1 and remainder ½ ½ −½ −½: together 1½ −½ ½ −1½, variance (2.25 + 0.25 + 0.25 + 2.25)/4 = 1.25.
    # The remainder's is 0.25: strength 1 − 0.25/1.25 = 0.8.
    season, remainder = np.array([1.0, -1.0, 1.0, -1.0]), np.array([0.5, 0.5, -0.5, -0.5])
    assert strength(season, remainder, 1.25) == pytest.approx(0.8, rel=1e-15)
    # A remainder of −0.75 times the season leaves 0.25 times it: variances 0.5625 and 0.0625, 1 − 9 = −8, which is 0.
    assert strength(season, -0.75 * season, 0.0625) == 0.0
    # Trend 0 2 4 6 without a remainder is all there is: 1. And nothing beside nothing is 0.
    assert strength(np.array([0.0, 2.0, 4.0, 6.0]), np.zeros(4), 5.0) == 1.0
    assert strength(np.full(4, 3.0), np.zeros(4), 5.0) == 0.0


def test_hand_worked_strengths_of_series() -> None:
    # 0 4 0 4 … is a season of two points about the level 2: nothing remains, the season is all (1) and no trend (0).
    # With 1 more at every point there is a straight trend beside it, of which nothing remains either: 1 and 1.
    season = np.tile([0.0, 4.0], 12)
    assert strengths(season, 2) == pytest.approx((0.0, 1.0), abs=1e-12)
    assert strengths(season + np.arange(24), 2) == pytest.approx((1.0, 1.0), abs=1e-12)


def test_noise_has_weak_strengths_and_never_negative_ones() -> None:
    found = strengths(NOISE, 12)
    assert 0 <= found.trend < 0.4
    assert 0 <= found.seasonal < 0.5


def test_strengths_need_a_season_and_two_of_it() -> None:
    nothing = Strengths(None, None)
    assert strengths(NOISE, 1) == nothing
    assert strengths(NOISE, 0) == nothing
    assert strengths(NOISE[:23], 12) == nothing
    assert strengths(NOISE[:24], 12) != nothing
    assert strengths(np.full(48, 2.0), 12) == nothing
    assert strengths(np.zeros(0), 12) == nothing
    assert strengths(NOISE[:4], 2) != nothing


def test_what_vanishes_has_no_strength() -> None:
    line = strengths(np.arange(48.0), 12)
    assert line.seasonal == 0.0
    assert line.trend == pytest.approx(1.0)
