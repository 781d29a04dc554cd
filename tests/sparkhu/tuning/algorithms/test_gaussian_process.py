"""The Gaussian process against scikit-learn's, its gradients against differences."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from sparkhu.tuning.algorithms.acquisitions import ACQUISITIONS
from sparkhu.tuning.algorithms.bayesian import refine
from sparkhu.tuning.algorithms.gaussian_process import GaussianProcess, improbability, most_probable

RNG = np.random.default_rng(0)
POINTS = RNG.random((30, 3))
VALUES = np.sin(5 * POINTS[:, 0]) + POINTS[:, 1] ** 2 + 0.02 * RNG.standard_normal(30)
VALUES = (VALUES - VALUES.mean()) / VALUES.std()
THETA = np.log([1.7, 0.3, 0.6, 2.0, 0.01])


def theirs() -> GaussianProcessRegressor:
    kernel = ConstantKernel(1.7) * Matern([0.3, 0.6, 2.0], nu=2.5) + WhiteKernel(0.01)
    return GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(POINTS, VALUES)


def test_mean_and_deviation_are_scikit_learns() -> None:
    asked = RNG.random((20, 3))
    mean, deviation = GaussianProcess(THETA, POINTS, VALUES).predict(asked)
    expected, noisy = theirs().predict(asked, return_std=True)
    assert mean == pytest.approx(expected, rel=1e-6)
    assert deviation**2 + 0.01 == pytest.approx(noisy**2, rel=1e-6)


def test_the_probability_of_lengths_is_scikit_learns_and_their_prior() -> None:
    squares = (POINTS[:, None] - POINTS) ** 2
    moved = THETA + np.array([0.2, -0.3, 0.1, 0.4, 0.5])
    reference = theirs()
    grown = improbability(moved, squares, VALUES)[0] - improbability(THETA, squares, VALUES)[0]
    centre = 2**0.5 + 0.5 * np.log(3)
    prior = (((moved[1:-1] - centre) ** 2).sum() - ((THETA[1:-1] - centre) ** 2).sum()) / 6
    likelihood = reference.log_marginal_likelihood(THETA) - reference.log_marginal_likelihood(moved)
    assert grown - prior == pytest.approx(likelihood, rel=1e-6)


def test_its_gradient_is_that_of_differences() -> None:
    squares = (POINTS[:, None] - POINTS) ** 2
    _, gradient = improbability(THETA, squares, VALUES)
    assert gradient == pytest.approx(
        approx_fprime(THETA, lambda theta: improbability(theta, squares, VALUES)[0], 1e-7), rel=1e-3, abs=1e-4
    )


def test_the_most_probable_lengths_tell_columns_that_matter_from_those_that_do_not() -> None:
    theta = most_probable(POINTS, VALUES)
    assert theta[3] > theta[1] + 1
    squares = (POINTS[:, None] - POINTS) ** 2
    assert improbability(theta, squares, VALUES)[0] < improbability(THETA, squares, VALUES)[0]


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_slopes_of_an_acquisition_are_those_of_differences(name: str) -> None:
    process = GaussianProcess(THETA, POINTS, VALUES)

    def promised(point: np.ndarray) -> float:
        return float(ACQUISITIONS[name](*process.predict(point[None]), -1.0)[0][0])

    for point in RNG.random((5, 3)):
        mean, deviation, of_mean, of_deviation = process.slopes(point[None])
        _, by_mean, by_deviation = ACQUISITIONS[name](mean, deviation, -1.0)
        slope = by_mean[:, None] * of_mean + by_deviation[:, None] * of_deviation
        assert slope[0] == pytest.approx(approx_fprime(point, promised, 1e-7), rel=1e-3, abs=1e-5)


def test_climbing_promises_more_and_leaves_other_columns_alone() -> None:
    process = GaussianProcess(THETA, POINTS, VALUES)
    promise, starts = ACQUISITIONS["LCB"], RNG.random((4, 3))
    climbed = refine(process, promise, -1.0, starts, 2)
    before, after = (promise(*process.predict(each), -1.0)[0] for each in (starts, climbed))
    assert (after >= before - 1e-9).all()
    assert after.sum() > before.sum()
    assert climbed[:, 2].tolist() == starts[:, 2].tolist()
    assert climbed.min() >= 0
    assert climbed.max() <= 1


def test_expected_improvement_is_what_draws_give() -> None:
    drawn = np.random.default_rng(0).normal(0.2, 0.5, 400_000)
    gain, _, _ = ACQUISITIONS["EI"](np.array([0.2]), np.array([0.5]), 0.0)
    chance, _, _ = ACQUISITIONS["PI"](np.array([0.2]), np.array([0.5]), 0.0)
    assert gain[0] == pytest.approx(np.maximum(-0.01 - drawn, 0).mean(), rel=0.02)
    assert chance[0] == pytest.approx((drawn < -0.01).mean(), rel=0.02)
