"""The Dickey-Fuller statistic against statsmodels."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.stattools import adfuller

from sparkhu.steps.unit_root import adf_statistic


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
    assert adf_statistic(values) == pytest.approx(reference(values), rel=1e-7, abs=1e-9)


def test_the_lag_length_is_chosen_among_up_to_schwerts_bound() -> None:
    noise = np.random.default_rng(5).normal(size=1000)
    values = noise.copy()
    for row in range(20, 1000):
        values[row] += 0.9 * values[row - 20]
    assert adf_statistic(values) == pytest.approx(reference(values), rel=1e-8)


def test_a_hand_worked_regression_without_lags() -> None:
    # Six values allow min(6 // 2 − 2, 6) = 1 lag; by AIC none or one, as statsmodels finds on the same rows.
    values = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 7.5])
    assert adf_statistic(values) == pytest.approx(reference(values), rel=1e-9)


def test_a_straight_line_has_no_statistic() -> None:
    assert adf_statistic(np.arange(50.0)) is None
    assert adf_statistic(np.arange(50.0) / 49 - 3) is None


def test_the_shortest_series_leaves_one_degree_of_freedom() -> None:
    for count in range(6, 13):
        values = np.random.default_rng(count).normal(size=count)
        assert adf_statistic(values) == pytest.approx(reference(values), rel=1e-6)
