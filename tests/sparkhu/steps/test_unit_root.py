"""The Dickey-Fuller statistic against statsmodels."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.adfvalues import mackinnonp
from statsmodels.tsa.stattools import adfuller, kpss

from sparkhu.steps.unit_root import adf_p, adf_statistic, kpss_p


def reference(values: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return float(adfuller(values)[0])


@given(st.integers(12, 300), st.integers(0, 10**6), st.sampled_from(["noise", "walk", "season", "trend"]))
def test_the_statistic_is_that_of_statsmodels(count: int, seed: int, kind: str) -> None:
    noise, time = np.random.default_rng(seed).normal(size=count), np.arange(count)
    values = {"noise": noise, "walk": noise.cumsum(), "season": noise + 4 * np.sin(time / 3), "trend": noise + time}[
        kind
    ]
    assert adf_statistic(values) == pytest.approx(reference(values), rel=1e-8, abs=1e-9)


def test_the_lag_length_is_chosen_among_up_to_schwerts_bound() -> None:
    noise = np.random.default_rng(5).normal(size=1000)
    values = noise.copy()
    for row in range(20, 1000):
        values[row] += 0.9 * values[row - 20]
    assert adf_statistic(values) == pytest.approx(reference(values), rel=1e-8)


def test_a_hand_worked_regression_without_lags() -> None:
    # Six values allow min(6 // 2 − 2, …) = 1 lag, and both lengths share the rows of the steps −1 2 −3 2 (mean 0), on
    # the levels 2 1 3 0, less their mean ½ −½ 1½ −1½. Squares: levels 5, steps 18; levels by steps −9.
    # No lag leaves 18 − 9²/5 = 1.8: AIC 4·ln 1.8 + 2·2 = 6.4. The steps before are 2 −1 2 −3: squares 18, by levels 9,
    # by steps −16. One lag: coefficients (−9·18 + 16·9)/9 = −2 and (5·−16 + 9·9)/9 = 1/9, which leaves
    # 18 − (−2·−9 + −16/9) = 16/9: AIC 4·ln 1.78 + 2·3 = 8.3. So none.
    # Then all five steps 2 −1 2 −3 2 count, on 0 2 1 3 0: squares of levels 14 − 6²/5 = 6.8, of steps 22 − 2²/5 = 21.2,
    # of both −9 − 6·2/5 = −11.4. Slope −11.4/6.8; left over 21.2 − 11.4²/6.8 over 3 degrees of freedom.
    values = np.array([0.0, 2.0, 1.0, 3.0, 0.0, 2.0])
    rest = (21.2 - 11.4**2 / 6.8) / 3
    assert adf_statistic(values) == pytest.approx(-11.4 / 6.8 / (rest / 6.8) ** 0.5, rel=1e-12)
    assert adf_statistic(values) == pytest.approx(reference(values), rel=1e-9)


def test_a_hand_worked_regression_with_one_lag() -> None:
    # Steps −1 0 1 0 on the levels −2 −3 −3 −2, less their mean ½ −½ −½ ½, and the steps before, −2 −1 0 1, less theirs
    # −1½ −½ ½ 1½; the two do not correlate. Squares: levels 1, steps before 5, steps 2. By steps: levels −½ − ½ = −1,
    # steps before 1½ + ½ = 2. No lag leaves 2 − 1²/1 = 1: AIC 4·ln 1 + 2·2 = 4. One leaves 2 − 1 − 2²/5 = 0.2:
    # AIC 4·ln 0.2 + 2·3 = −0.4. So one, with 4 − 3 = 1 degree of freedom: t = (−1/1) / √(0.2/1/1) = −√5.
    values = np.array([0.0, -2.0, -3.0, -3.0, -2.0, -2.0])
    assert adf_statistic(values) == pytest.approx(-(5**0.5), rel=1e-12)
    assert adf_statistic(values) == pytest.approx(reference(values), rel=1e-9)


def test_a_straight_line_has_no_statistic() -> None:
    assert adf_statistic(np.arange(50.0)) is None
    assert adf_statistic(np.arange(50.0) / 49 - 3) is None


def test_the_shortest_series_leaves_one_degree_of_freedom() -> None:
    for count in range(6, 13):
        values = np.random.default_rng(count).normal(size=count)
        assert adf_statistic(values) == pytest.approx(reference(values), rel=1e-8)


@given(st.floats(-25, 5) | st.sampled_from([-18.83, -18.84, -1.61, -1.60, 2.74, 2.75]))
def test_p_values_of_statistics_are_those_of_statsmodels(statistic: float) -> None:
    assert adf_p(statistic) == pytest.approx(mackinnonp(statistic, regression="c", N=1), rel=1e-9, abs=1e-15)


def test_hand_worked_p_values_of_statistics() -> None:
    # −2: 2.1659 − 1.4412·2 + 0.038269·4 = −0.5634, of which the normal distribution has 0.2866 below.
    assert adf_p(-2.0) == pytest.approx(0.2866, abs=5e-5)
    # 0: the constant 1.7339 alone, of which 0.9585 lie below.
    assert adf_p(0.0) == pytest.approx(0.9585, abs=5e-5)
    assert adf_p(-18.84) == 0.0
    assert adf_p(2.75) == 1.0


@given(
    st.integers(12, 400), st.integers(0, 10**6), st.sampled_from(["noise", "walk", "season", "trend", "alternating"])
)
def test_p_values_of_a_level_are_those_of_statsmodels(count: int, seed: int, kind: str) -> None:
    noise, time = np.random.default_rng(seed).normal(size=count), np.arange(count)
    values = {
        "noise": noise,
        "walk": noise.cumsum(),
        "season": noise + 4 * np.sin(time / 3),
        "trend": noise + time / 50,
        "alternating": (-1.0) ** time + 0.2 * noise.cumsum(),
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = kpss(values, regression="c", nlags="auto")[1]
    assert kpss_p(values) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("bits", [-1000, -560, 560, 1000])
def test_statistics_of_huge_and_tiny_values_are_those_of_others_in_another_unit(bits: int) -> None:
    values = np.random.default_rng(3).normal(size=200).cumsum() + 5.0
    assert adf_statistic(np.ldexp(values, bits)) == adf_statistic(values)
    alternating = values * np.array([1.0, -1.0] * 100)
    assert kpss_p(np.ldexp(alternating, bits)) == kpss_p(alternating)
    assert kpss_p(np.ldexp(values, bits)) == kpss_p(values)
