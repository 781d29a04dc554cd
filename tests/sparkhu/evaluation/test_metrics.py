import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from sparkhu.errors import InputError
from sparkhu.evaluation.metrics import (
    coverage,
    mae,
    mase,
    mse,
    owa,
    pinball,
    rmse,
    seasonal_scale,
    smape,
    wape,
)

random = np.random.default_rng(11)
ACTUAL, FORECAST = random.normal(5, 3, 200), random.normal(5, 3, 200)


def test_errors_are_scikit_learns() -> None:
    assert mae(ACTUAL, FORECAST) == pytest.approx(reference.mean_absolute_error(ACTUAL, FORECAST), rel=1e-14)
    assert mse(ACTUAL, FORECAST) == pytest.approx(reference.mean_squared_error(ACTUAL, FORECAST), rel=1e-14)
    assert rmse(ACTUAL, FORECAST) == pytest.approx(reference.root_mean_squared_error(ACTUAL, FORECAST), rel=1e-14)
    for quantile in (0.1, 0.5, 0.9):
        wanted = reference.mean_pinball_loss(ACTUAL, FORECAST, alpha=quantile)
        assert pinball(ACTUAL, FORECAST, quantile) == pytest.approx(wanted, rel=1e-14)


def test_worked_by_hand() -> None:
    # Errors 1, 2, 0. sMAPE: 200·1/3, 200·2/6, 0 → mean 400/9. WAPE: 3 / (2 + 2 + 5) = 1/3.
    actual, forecast = np.array([2.0, 2.0, -5.0]), np.array([1.0, 4.0, -5.0])
    assert mae(actual, forecast) == 1.0
    assert mse(actual, forecast) == pytest.approx(5 / 3)
    assert smape(actual, forecast) == pytest.approx(400 / 9)
    assert wape(actual, forecast) == pytest.approx(1 / 3)
    assert mase(actual, forecast, 0.5) == 2.0


def test_two_zeros_have_no_percentage_error() -> None:
    assert smape(np.array([0.0, 1.0]), np.array([0.0, -1.0])) == 100.0


def test_the_seasonal_scale_worked_by_hand() -> None:
    # Season 2 of 1 5 2 9 7: |2−1|, |9−5|, |7−2| → 10/3; with the 2 unobserved only |9−5| is left.
    assert seasonal_scale(np.array([1.0, 5.0, 2.0, 9.0, 7.0]), 2) == pytest.approx(10 / 3)
    assert seasonal_scale(np.array([1.0, 5.0, np.nan, 9.0, 7.0]), 2) == 4.0
    assert np.isnan(seasonal_scale(np.array([1.0, 5.0]), 2))
    with pytest.raises(InputError, match=r"^season_length must be at least 1, got 0$"):
        seasonal_scale(np.array([1.0]), 0)


def test_owa_is_that_of_the_m4_tables() -> None:
    # M4's own table: Naive2 has sMAPE 13.564, MASE 1.912; Theta 12.309, 1.696 and OWA 0.897.
    assert owa(smape=12.309, mase=1.696, naive2_smape=13.564, naive2_mase=1.912) == pytest.approx(0.897, abs=5e-4)


def test_only_observed_points_count() -> None:
    actual = np.array([1.0, np.nan, 3.0, 8.0])
    forecast = np.array([2.0, 50.0, 5.0, 100.0])
    where = np.array([True, True, True, False])
    assert mae(actual, forecast, where) == 1.5
    assert mse(actual, forecast, where) == 2.5
    assert wape(actual, forecast, where) == 0.75
    assert coverage(actual, forecast - 1.5, forecast + 1, where) == 0.5


def test_coverage_counts_the_borders_in() -> None:
    actual = np.array([1.0, 2.0, 3.0, 4.0])
    assert coverage(actual, np.full(4, 2.0), np.full(4, 3.0)) == 0.5


@pytest.mark.parametrize("score", [mae, mse, rmse, smape, wape])
def test_without_an_observed_point_there_is_no_score(score: object) -> None:
    assert np.isnan(score(np.array([np.nan]), np.array([1.0])))  # type: ignore[operator]


def test_undefined_scores_are_nan() -> None:
    assert np.isnan(wape(np.zeros(2), np.ones(2)))
    assert np.isnan(mase(np.ones(2), np.zeros(2), 0.0))
    assert np.isnan(mase(np.ones(2), np.zeros(2), float("nan")))


@pytest.mark.parametrize("quantile", [0.0, 1.0])
def test_a_quantile_outside_its_range_is_refused(quantile: float) -> None:
    with pytest.raises(InputError, match=rf"^quantile must lie inside \(0, 1\), got {quantile}$"):
        pinball(ACTUAL, FORECAST, quantile)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match=r"one shape, got \(2,\) and \(2, 1\)"):
        mae(np.ones(2), np.ones((2, 1)))


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=20))
def test_bounds_hold(pairs: list[tuple[float, float]]) -> None:
    actual, forecast = np.array(pairs).T
    assert 0 <= smape(actual, forecast) <= 200 + 1e-9
    assert mae(actual, forecast) <= rmse(actual, forecast) * (1 + 1e-9)
    assert mae(actual, actual) == 0
