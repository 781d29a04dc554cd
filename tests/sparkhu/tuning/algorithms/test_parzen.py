"""Parzen estimators against scipy's truncated normal distributions and Optuna's own estimator."""

import numpy as np
import pytest
from scipy import stats

from sparkhu.tuning.algorithms.parzen import Parzen, Prior

RNG = np.random.default_rng(3)
PLACES, RANKS = RNG.random((40, 2)), RNG.integers(3, size=(40, 1))
PRIOR = Prior(np.array([1.0, 1.0]), [3], 1.5)


def test_the_density_is_that_of_optunas_estimator() -> None:
    from optuna.distributions import CategoricalDistribution, FloatDistribution
    from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
    from optuna.samplers._tpe.sampler import default_weights

    parameters = _ParzenEstimatorParameters(1.5, True, False, default_weights, True)
    space = {"a": FloatDistribution(0, 1), "b": FloatDistribution(0, 1), "c": CategoricalDistribution([0, 1, 2])}
    seen = {"a": PLACES[:, 0], "b": PLACES[:, 1], "c": RANKS[:, 0]}
    theirs = _ParzenEstimator(seen, space, parameters)  # type: ignore[arg-type]
    places, ranks = RNG.random((50, 2)), RNG.integers(3, size=(50, 1))
    asked = {"a": places[:, 0], "b": places[:, 1], "c": ranks[:, 0]}
    ours = Parzen(PLACES, RANKS, PRIOR).log_density(places, ranks, joint=True)
    assert ours[:, 0] == pytest.approx(theirs.log_pdf(asked), rel=1e-9)


def test_the_density_of_one_number_is_a_mixture_of_normal_kernels_cut_off_at_the_ends() -> None:
    parzen = Parzen(PLACES, RANKS, PRIOR)
    places = np.column_stack([np.linspace(0, 1, 1001)] * 2)
    density = np.exp(parzen.log_density(places, np.zeros((1001, 1), int), joint=False))
    for at in range(2):
        means, deviations = parzen.means[:, at], parzen.deviations[:, at]
        kernels = stats.truncnorm(-means / deviations, (1 - means) / deviations, means, deviations)
        expected = (kernels.pdf(places[:, :1]) * parzen.weights).sum(axis=1)
        assert density[:, at] == pytest.approx(expected)
        assert np.trapezoid(density[:, at], places[:, at]) == pytest.approx(1, abs=1e-3)


def test_choices_have_the_chances_of_their_smoothed_counts() -> None:
    parzen = Parzen(PLACES, RANKS, PRIOR)
    places, ranks = np.full((3, 2), 0.5), np.arange(3)[:, None]
    chances = np.exp(parzen.log_density(places, ranks, joint=False)[:, 2])
    assert chances.sum() == pytest.approx(1)
    assert np.argsort(chances).tolist() == np.argsort(np.bincount(RANKS[15:, 0])).tolist()


@pytest.mark.parametrize("joint", [True, False])
def test_draws_follow_the_density(joint: bool) -> None:
    parzen = Parzen(PLACES[:4], RANKS[:4], PRIOR)
    places, ranks = parzen.sample(np.random.default_rng(0), 4000, joint=joint)
    grid = np.column_stack([np.linspace(0, 1, 2001)] * 2)
    density = np.exp(parzen.log_density(grid, np.zeros((2001, 1), int), joint=False))
    for at in range(2):
        share = np.cumsum(density[:, at]) / density[:, at].sum()
        assert stats.kstest(np.interp(places[:, at], grid[:, at], share), "uniform").pvalue > 0.01
    three = np.exp(parzen.log_density(np.full((3, 2), 0.5), np.arange(3)[:, None], joint=False)[:, 2])
    assert stats.chisquare(np.bincount(ranks[:, 0], minlength=3), three * 4000).pvalue > 0.01


def test_only_joint_draws_keep_values_together_that_were_seen_together() -> None:
    ends = np.array([[0.05, 0.05], [0.95, 0.95]] * 20)
    parzen = Parzen(ends, np.zeros((40, 0), int), Prior(np.array([1.0, 1.0]), [], 1e-6))
    for joint, least, most in ((True, 0.9, 1.0), (False, -0.1, 0.1)):
        places, _ = parzen.sample(np.random.default_rng(1), 2000, joint=joint)
        assert least <= np.corrcoef(places.T)[0, 1] <= most


def test_without_observations_there_is_the_prior() -> None:
    parzen = Parzen(np.empty((0, 1)), np.empty((0, 1), int), Prior(np.array([1 / 6]), [4]))
    density = np.exp(parzen.log_density(np.array([[0.5]]), np.array([[2]]), joint=False))
    assert density[0].tolist() == pytest.approx([stats.truncnorm(-3, 3, 0.5, 1 / 6).pdf(0.5), 0.25])
