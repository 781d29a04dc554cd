"""Weights of an ensemble: against a grid, scipy's nnls and cases that are known."""

import numpy as np
import pytest
from scipy.optimize import nnls

from sparkhu.training.weights import choose_weights, judged, simplex_weights, window_products


def products_of(seed: int, members: int) -> np.ndarray:
    errors = np.random.default_rng(seed).normal(size=(30, members)) @ np.random.default_rng(seed + 1).normal(
        size=(members, members)
    )
    return errors.T @ errors


@pytest.mark.parametrize("seed", range(8))
def test_no_weights_of_a_grid_are_better(seed: int) -> None:
    products = products_of(seed, 3)
    steps = np.linspace(0, 1, 101)
    grid = np.array([(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1 + 1e-12])
    values = np.einsum("gj,jk,gk->g", grid, products, grid)
    found = simplex_weights(products)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1)
    assert found @ products @ found <= values.min() * (1 + 1e-7)
    np.testing.assert_allclose(found, grid[values.argmin()], atol=0.03)


@pytest.mark.parametrize("seed", range(8))
def test_weights_are_those_of_nnls_held_to_the_sum_of_one(seed: int) -> None:
    errors = np.random.default_rng(seed).normal(size=(40, 4)) * [1, 2, 1.5, 3] + np.random.default_rng(9).normal(
        size=(40, 1)
    )
    held = np.vstack([errors, np.full((1, 4), 1e5)])
    wanted, _ = nnls(held, np.append(np.zeros(40), 1e5))
    np.testing.assert_allclose(simplex_weights(errors.T @ errors), wanted / wanted.sum(), atol=1e-5)


def test_members_that_forecast_alike_share_and_one_that_never_errs_has_all() -> None:
    np.testing.assert_allclose(simplex_weights(np.ones((2, 2))), [0.5, 0.5])
    np.testing.assert_allclose(simplex_weights(np.diag([0.0, 1.0])), [1, 0], atol=1e-6)
    assert simplex_weights(np.array([[4.0]])).tolist() == [1]
    assert simplex_weights(np.zeros((2, 2))).tolist() == [0.5, 0.5]


def made_errors(windows: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two members; the first errs little on series 0, the second on series 1; series 2 has one window."""
    random = np.random.default_rng(4)
    codes = np.repeat([0, 1, 2], [windows, windows, 1])
    sizes = np.array([[0.1, 1.0], [1.0, 0.1], [1.0, 1.0]])[codes]
    return random.normal(size=(len(codes), 2, 6)) * sizes[:, :, None], codes, np.arange(len(codes))


def test_each_series_has_weights_of_its_own_where_they_hold_on_newer_windows() -> None:
    errors, codes, ages = made_errors()
    found = choose_weights(errors, codes, ages, 4)
    assert np.isfinite(found.strength)
    assert found.own[0, 0] > 0.8
    assert found.own[1, 0] < 0.2
    np.testing.assert_allclose(found.every, [0.5, 0.5], atol=0.1)
    np.testing.assert_allclose(found.own.sum(axis=1), 1)
    np.testing.assert_array_equal(found.own[3], found.every)  # it has no window
    assert np.abs(found.own[2] - found.every).max() < np.abs(found.own[0] - found.every).max()


def test_series_have_the_weights_of_all_where_their_own_do_not_hold() -> None:
    # What is better turns from each series' older windows to its newer ones.
    errors, codes, ages = made_errors()
    turned = np.where((np.arange(len(codes)) % 40 >= 20)[:, None, None], errors[:, ::-1], errors)
    found = choose_weights(turned, codes, ages, 3)
    assert found.strength == float("inf")
    np.testing.assert_array_equal(found.own, np.tile(found.every, (3, 1)))


def test_the_order_of_windows_does_not_matter_but_their_age_does() -> None:
    errors, codes, ages = made_errors()
    order = np.random.default_rng(0).permutation(len(codes))
    np.testing.assert_allclose(
        choose_weights(errors[order], codes[order], ages[order], 3).own, choose_weights(errors, codes, ages, 3).own
    )


def test_steps_that_were_not_observed_count_for_nothing() -> None:
    errors, codes, ages = made_errors()
    holed = np.concatenate([errors, np.full_like(errors[:, :, :2], np.nan)], axis=2)
    np.testing.assert_allclose(choose_weights(holed, codes, ages, 3).own, choose_weights(errors, codes, ages, 3).own)


def test_a_member_without_a_forecast_is_judged_by_twice_the_worst_error() -> None:
    errors = np.array([[[1.0, np.nan, np.nan], [-3.0, 2.0, np.nan], [np.inf, 1.0, np.nan]]])
    np.testing.assert_array_equal(judged(errors), [[[1, 4, np.nan], [-3, 2, np.nan], [-6, 1, np.nan]]])
    errors, codes, ages = made_errors()
    errors[:, 1] = np.nan
    np.testing.assert_allclose(choose_weights(errors, codes, ages, 3).every, [1, 0], atol=1e-6)


def test_a_window_counts_as_its_absolute_error_does() -> None:
    one = window_products(np.array([[[1.0, 1.0], [2.0, 2.0]]]))
    np.testing.assert_allclose(window_products(np.array([[[10.0, 10.0], [20.0, 20.0]]])), 10 * one)
