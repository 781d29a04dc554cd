"""Bayesian optimisation: its settings, what it learns from, that no value is tried twice without need."""

from dataclasses import replace
from statistics import fmean, median

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.acquisitions import ACQUISITIONS
from sparkhu.tuning.algorithms.bayesian import ACQUISITION, refine
from sparkhu.tuning.algorithms.surrogates import GaussianProcess
from sparkhu.tuning.space import Parameter, Space
from tests.sparkhu.tuning.algorithms.played import MIXED, SQUARE, bowl, ended, made

NAME = "bayesianoptimization"


@pytest.mark.parametrize("estimator", ["GP", "RF", "ET", "GBRT"])
def test_every_estimator_suggests_better_trials_than_chance_does(estimator: str) -> None:
    trials = ended([], made("random", MIXED, random_state=0), 40)
    found = made(NAME, MIXED, random_state=0, base_estimator=estimator, acq_func="EI").suggest(3, trials)
    assert fmean(bowl(each.assignment) for each in found) < 0.5 * fmean(bowl(trial.assignment) for trial in trials)


@pytest.mark.parametrize("acquisition", ["EI", "LCB", "PI"])
@pytest.mark.parametrize("optimizer", ["auto", "sampling", "lbfgs"])
def test_the_acquisition_that_is_asked_for_chooses(acquisition: str, optimizer: str) -> None:
    suggester = made(NAME, MIXED, random_state=1, n_initial_points=3, acq_func=acquisition, acq_optimizer=optimizer)
    trials = ended([], suggester, 6)
    assert [trial.labels.get(ACQUISITION) for trial in trials] == [None] * 3 + [acquisition] * 3


def test_climbing_goes_nearer_to_the_optimum_than_drawing_candidates_does() -> None:
    def usual(optimizer: str) -> float:
        settings = {"random_state": 2, "acq_func": "LCB", "acq_optimizer": optimizer}
        return median(bowl(trial.assignment) for trial in ended([], made(NAME, SQUARE, **settings), 22)[10:])

    assert usual("lbfgs") < usual("sampling") / 2


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_climbing_promises_more_and_leaves_other_columns_alone(name: str) -> None:
    rng = np.random.default_rng(0)
    points, promise = rng.random((30, 3)), ACQUISITIONS[name]
    values = np.sin(5 * points[:, 0]) + points[:, 1] ** 2
    kernel = ConstantKernel(1.7) * Matern([0.3, 0.6, 2.0], nu=2.5) + WhiteKernel(0.01)
    process = GaussianProcess(kernel, points, values)
    starts = rng.random((4, 3))
    climbed = refine(process, promise, values.min(), starts, 2)
    before, after = (promise(*process.predict(each), values.min()) for each in (starts, climbed))
    assert (after >= before - 1e-9).all()
    assert after.sum() > before.sum()
    assert climbed[:, 2].tolist() == starts[:, 2].tolist()
    assert climbed.min() >= 0
    assert climbed.max() <= 1


def test_a_kernel_that_is_kept_for_the_next_trials_is_the_one_that_a_study_going_on_finds() -> None:
    trials = ended([], made("random", SQUARE, random_state=0), 35)
    kept, anew = made(NAME, SQUARE, random_state=1), made(NAME, SQUARE, random_state=1)
    kept.suggest(1, trials[:34])
    assert kept.suggest(1, trials) == anew.suggest(1, trials)


def test_the_hedge_turns_to_the_acquisition_whose_trials_were_good() -> None:
    trials = [
        replace(trial, labels={ACQUISITION: "PI" if bowl(trial.assignment) < 5 else "EI"})
        for trial in ended([], made("random", SQUARE, random_state=0), 20)
    ]
    found = made(NAME, SQUARE, random_state=1).suggest(40, trials)
    counts = {name: sum(each.labels[ACQUISITION] == name for each in found) for name in ("PI", "EI")}
    assert counts["PI"] > 2 * counts["EI"]


def test_no_value_is_tried_again_while_there_are_others() -> None:
    space: Space = (Parameter("n", "int", 1, 6), Parameter("kind", "categorical", choices=("a", "b")))
    trials = ended([], made(NAME, space, random_state=0, n_initial_points=2), 12, lambda each: float(each["n"]))
    after = [tuple(trial.assignment.values()) for trial in trials[2:]]
    assert len({*after}) == 10


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"base_estimator": "SVM"}, "base_estimator .* must be one of GP, RF, ET, GBRT, got 'SVM'"),
        ({"acq_func": "UCB"}, "acq_func .* must be one of gp_hedge, LCB, EI, PI, EIps, PIps, got 'UCB'"),
        ({"acq_func": "EIps"}, "EIps needs the seconds of each trial, which Katib does not give it either; use EI"),
        ({"acq_optimizer": "newton"}, "acq_optimizer .* must be one of auto, sampling, lbfgs"),
        ({"acq_optimizer": "lbfgs", "base_estimator": "RF"}, "lbfgs needs base_estimator GP, not RF; use sampling"),
        ({"n_initial_points": -1}, "n_initial_points .* must be a whole number from 0 on, got '-1'"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        made(NAME, SQUARE, **settings)
