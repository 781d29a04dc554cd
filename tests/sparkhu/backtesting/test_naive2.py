import numpy as np
import pytest
from statsmodels.tsa.seasonal import seasonal_decompose
from statsmodels.tsa.stattools import acf

from sparkhu.backtesting.naive2 import is_seasonal, naive2, seasonal_indices
from tests.sparkhu.made_shard import Floats


def seasonal(n: int, season: int, noise: float = 0.05, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    pattern = 1 + 0.3 * np.sin(2 * np.pi * np.arange(n) / season)
    return (100 + np.arange(n)) * pattern * random.lognormal(0, noise, n)


@pytest.mark.parametrize(("n", "season"), [(120, 12), (127, 12), (40, 7), (500, 24), (16, 4)])
def test_the_indices_are_those_of_the_classical_decomposition(n: int, season: int) -> None:
    history = seasonal(n, season)
    reference = seasonal_decompose(history, model="multiplicative", period=season).seasonal
    np.testing.assert_allclose(seasonal_indices(history, season), reference[:season], rtol=1e-12)


@pytest.mark.parametrize(("n", "horizon"), [(120, 18), (127, 30)])
def test_the_forecast_is_the_adjusted_last_value_in_the_season_of_each_step(n: int, horizon: int) -> None:
    history = seasonal(n, 12)
    index = seasonal_decompose(history, model="multiplicative", period=12).seasonal
    expected = [history[-1] / index[n - 1] * index[(n + step) % 12] for step in range(horizon)]
    np.testing.assert_allclose(naive2(history, 12, horizon), expected, rtol=1e-12)


def test_a_season_is_found_where_its_autocorrelation_is_beyond_bartletts_limit_at_90_percent() -> None:
    found = []
    for seed in range(60):
        history = seasonal(60, 4, noise=0.35, seed=seed)
        correlations = acf(history, nlags=4, fft=False)
        limit = 1.645 / np.sqrt(60) * np.sqrt(1 + 2 * (correlations[1:4] ** 2).sum())
        found.append(is_seasonal(history, 4))
        assert found[-1] == (abs(correlations[4]) > limit)
    assert 5 < sum(found) < 55


def test_no_season_is_looked_for_in_fewer_than_three_or_beyond_the_lags_that_r_computes() -> None:
    steady = np.tile([1.0, 1.0, 5.0, 1.0], 100)
    assert is_seasonal(steady[:12], 4)
    assert not is_seasonal(steady[:11], 4)
    assert is_seasonal(steady[:252], 24)
    assert not is_seasonal(steady[:250], 24)
    assert not is_seasonal(np.full(100, 3.0), 4)
    assert not is_seasonal(seasonal(100, 4), 1)


def test_a_series_that_is_not_positive_repeats_its_last_value() -> None:
    history = seasonal(120, 12) - 100
    assert naive2(history, 12, 3).tolist() == [history[-1]] * 3
