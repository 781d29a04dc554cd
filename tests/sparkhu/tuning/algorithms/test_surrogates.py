"""What stands for the objective: its likelihood against scikit-learn's own fit, its deviation without noise."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from sparkhu.tuning.algorithms.surrogates import GaussianProcess, most_likely_kernel

RNG = np.random.default_rng(0)
POINTS = RNG.random((30, 3))
SMOOTH = 7 + 3 * np.sin(5 * POINTS[:, 0]) + 3 * POINTS[:, 1] ** 2
VALUES = SMOOTH + 0.06 * RNG.standard_normal(30)
KERNEL = ConstantKernel(1.7) * Matern([0.3, 0.6, 2.0], nu=2.5) + WhiteKernel(0.01)


def test_noise_is_in_what_is_believed_but_not_in_the_deviation() -> None:
    asked = RNG.random((20, 3))
    noisy = GaussianProcessRegressor(KERNEL, alpha=0.0, optimizer=None, normalize_y=True).fit(POINTS, VALUES)
    expected, with_noise = noisy.predict(asked, return_std=True)
    mean, deviation = GaussianProcess(KERNEL, POINTS, VALUES).predict(asked)
    assert mean == pytest.approx(expected, rel=1e-9)
    assert deviation**2 + 0.01 * VALUES.var() == pytest.approx(with_noise**2, rel=1e-9)


def test_the_kernel_is_as_likely_as_the_one_that_scikit_learn_finds() -> None:
    found = most_likely_kernel(POINTS, VALUES)
    start = ConstantKernel(1.0, (0.01, 1e3)) * Matern([1.0] * 3, (0.01, 100.0), nu=2.5) + WhiteKernel(1e-3, (1e-6, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        reference = GaussianProcessRegressor(start, alpha=0.0, normalize_y=True).fit(POINTS, VALUES)
    assert reference.log_marginal_likelihood(found.theta) == pytest.approx(
        reference.log_marginal_likelihood_value_, abs=0.01
    )


def test_the_kernel_tells_columns_that_matter_from_those_that_do_not_and_the_noise() -> None:
    found = most_likely_kernel(POINTS, VALUES)
    first, _, third = found.k1.k2.length_scale
    assert third > 5 * first
    assert found.k2.noise_level * VALUES.var() == pytest.approx(0.06**2, rel=0.8)


@pytest.mark.parametrize("values", [np.ones(30), POINTS[:, 0], np.round(POINTS[:, 0])], ids=["flat", "line", "step"])
@pytest.mark.parametrize("width", [1e-6, 1.0], ids=["crowded", "spread"])
def test_values_that_a_kernel_suits_badly_are_believed_without_a_warning(values: np.ndarray, width: float) -> None:
    points = 0.5 + width * (POINTS - 0.5)
    mean, deviation = GaussianProcess(most_likely_kernel(points, values), points, values).predict(points)
    assert np.abs(mean - values).max() < 0.6
    assert deviation.min() > 0
