"""CMA-ES: generations that do not depend on the order in which trials end, its first deviation, restarts."""

from dataclasses import replace

import numpy as np
import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.cma_es import GENERATION, CmaEsSearch, Restarts
from sparkhu.tuning.space import Parameter, Space
from sparkhu.tuning.trials import Trial
from tests.sparkhu.tuning.algorithms.played import MIXED, SQUARE, bowl, ended, made

POPULATION = 6
"""Of two numbers: 4 + ⌊3 ln 2⌋."""


def test_every_generation_has_as_many_trials_as_the_population() -> None:
    trials = ended([], made("cmaes", SQUARE, random_state=0), 5 * POPULATION)
    generations = [int(trial.labels[GENERATION]) for trial in trials]
    assert generations == sorted([*range(5)] * POPULATION)


def test_the_next_generation_waits_for_its_trials_and_not_for_their_order() -> None:
    def started(order: list[int]) -> list[dict[str, str]]:
        suggester = CmaEsSearch({"random_state": "0"}, SQUARE, "minimize")
        trials = [
            Trial(number, f"t-{number}", each.assignment, each.labels)
            for number, each in enumerate(suggester.suggest(POPULATION, []))
        ]
        for at in order:
            assert {each.labels[GENERATION] for each in suggester.suggest(1, trials)} == {"0"}
            trials[at] = replace(trials[at], status="Succeeded", objective=bowl(trials[at].assignment))
        found = suggester.suggest(3, trials)
        assert {each.labels[GENERATION] for each in found} == {"1"}
        return [dict(each.assignment) for each in found]

    assert started([0, 1, 2, 3, 4, 5]) == started([3, 5, 0, 4, 2, 1])


def test_more_trials_at_once_than_the_population_has_are_of_one_generation() -> None:
    suggester = CmaEsSearch({"random_state": "0"}, SQUARE, "minimize")
    trials = [
        Trial(number, f"t-{number}", each.assignment, each.labels, "Succeeded", objective=bowl(each.assignment))
        for number, each in enumerate(suggester.suggest(POPULATION + 3, []))
    ]
    assert suggester.suggest(1, trials)[0].labels == {GENERATION: "1"}


def test_sigma_is_in_the_units_of_the_parameters() -> None:
    space: Space = (Parameter("wide", "double", -500.0, 500.0), Parameter("narrow", "double", -50.0, 50.0))
    found = made("cmaes", space, random_state=0, sigma=4).suggest(800, [])
    drawn = np.array([[float(text) for text in each.assignment.values()] for each in found])
    assert drawn.std(axis=0) == pytest.approx([4, 4], rel=0.1)
    assert drawn.mean(axis=0) == pytest.approx([0, 0], abs=0.6)


@pytest.mark.parametrize("sigma", [{}, {"sigma": 0}])
def test_without_sigma_the_first_deviation_is_a_sixth_of_each_range(sigma: dict[str, object]) -> None:
    space: Space = (Parameter("wide", "double", -500.0, 500.0), Parameter("narrow", "double", -5.0, 5.0))
    found = made("cmaes", space, random_state=0, **sigma).suggest(800, [])
    drawn = np.array([[float(text) for text in each.assignment.values()] for each in found])
    assert drawn.std(axis=0) == pytest.approx([1000 / 6, 10 / 6], rel=0.1)


def test_choices_are_drawn_at_random() -> None:
    found = made("cmaes", MIXED, random_state=0).suggest(300, [])
    counts = np.unique([each.assignment["kind"] for each in found], return_counts=True)[1]
    assert counts.min() > 60


@pytest.mark.parametrize("strategy", ["ipop", "bipop"])
def test_a_search_that_stands_still_starts_again(strategy: str) -> None:
    trials = ended([], made("cmaes", SQUARE, random_state=0, restart_strategy=strategy), 900, lambda _: 1.0)
    sizes = np.unique([int(trial.labels[GENERATION]) for trial in trials], return_counts=True)[1][:-1]
    assert 2 * POPULATION in sizes
    assert sizes[0] == POPULATION


def test_ipop_doubles_the_population() -> None:
    restarts = Restarts("ipop", 0)
    restarts.first = 6
    assert [restarts.next_population(100) for _ in range(3)] == [12, 24, 48]


def test_bipop_turns_to_small_populations_until_they_had_as_many_trials_as_the_large_ones() -> None:
    restarts = Restarts("bipop", 0)
    restarts.first = 6
    # No small one has run yet; then two of 60 trials are needed to make up for 100 of the first large one.
    assert restarts.next_population(100) == 6
    assert restarts.next_population(60) == 6
    assert restarts.next_population(60) == 12
    small = restarts.next_population(200)
    assert 6 <= small <= 12


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sigma": -1}, "setting sigma of algorithm cmaes must be a number from 0 on, got '-1'"),
        ({"sigma": "nan"}, "setting sigma"),
        ({"restart_strategy": "often"}, "must be one of ipop, bipop, none, None, got 'often'"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        made("cmaes", SQUARE, **settings)


def test_two_numbers_are_needed_as_katib_has_it() -> None:
    with pytest.raises(InputError, match="cmaes needs two parameters of type int or double, the space has 1; use tpe"):
        made("cmaes", (SQUARE[0], Parameter("k", "categorical", choices=("a", "b"))))
