"""Grid search: complete, without repetition, in an order that its seed gives."""

import itertools

import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.grid import GridSearch
from sparkhu.tuning.space import Parameter, Space
from sparkhu.tuning.trials import Trial

SPACE: Space = (
    Parameter("rate", "double", 0.1, 0.3, 0.1),
    Parameter("depth", "int", 2, 6, 2),
    Parameter("kind", "categorical", choices=("a", "b")),
    Parameter("size", "discrete", choices=("1.50", "2")),
)
ALL = set(itertools.product(("0.1", "0.2", "0.3"), ("2", "4", "6"), ("a", "b"), ("1.50", "2")))


def played(seed: int, trials: list[Trial], count: int) -> list[tuple[str, ...]]:
    algorithm = GridSearch({"random_state": str(seed)}, SPACE, most_trials=None)
    while len(trials) < count and (found := algorithm.suggest(5, trials)):
        trials += [Trial(len(trials) + at, "t", each.assignment) for at, each in enumerate(found)]
    return [tuple(trial.assignment.values()) for trial in trials]


def test_every_combination_is_tried_once_and_then_the_search_is_exhausted() -> None:
    trials: list[Trial] = []
    found = played(3, trials, 1000)
    assert len(found) == len(ALL) == 36
    assert set(found) == ALL
    assert GridSearch({}, SPACE, most_trials=36).suggest(1, trials) == []


def test_the_order_is_that_of_the_seed_and_not_that_of_the_lists() -> None:
    assert played(3, [], 36) == played(3, [], 36) != played(4, [], 36)
    assert played(3, [], 36) != sorted(ALL)


def test_a_study_that_goes_on_without_a_seed_tries_the_others() -> None:
    trials: list[Trial] = []
    played(1, trials, 20)
    assert len(set(played(2, trials, 1000))) == 36


def test_a_double_needs_a_step_and_a_distribution_has_no_place_in_a_grid() -> None:
    with pytest.raises(InputError, match="parameter rate: algorithm grid needs a step for a double"):
        GridSearch({}, (Parameter("rate", "double", 0.0, 1.0),), most_trials=None)
    with pytest.raises(InputError, match="parameter rate: algorithm grid has no distribution logNormal"):
        GridSearch({}, (Parameter("rate", "double", 1.0, 2.0, 0.5, "logNormal"),), most_trials=None)


def test_more_trials_than_combinations_are_refused_as_katib_does() -> None:
    with pytest.raises(InputError, match="maxTrialCount is 37, but the grid has only 36 combinations"):
        GridSearch({}, SPACE, most_trials=37)


def test_a_grid_that_can_never_be_walked_is_refused() -> None:
    space = tuple(Parameter(f"p{at}", "int", 1, 1000) for at in range(3))
    with pytest.raises(InputError, match="the grid has 1,000,000,000 combinations"):
        GridSearch({}, space, most_trials=10)
