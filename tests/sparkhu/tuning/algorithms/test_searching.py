"""What holds of every algorithm: values lie in the space, seeds repeat, studies go on, the optimum is found."""

from dataclasses import replace

import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.choosing import ALGORITHMS, REFUSED, make_suggester
from sparkhu.tuning.space import Parameter, Space
from sparkhu.tuning.trials import Trial
from tests.sparkhu.tuning.algorithms.played import MIXED, SQUARE, bowl, ended, made

STEPPED: Space = tuple(
    replace(parameter, step=0.5 if parameter.name == "x" else 0.01, distribution="uniform")
    if parameter.name in ("x", "y")
    else parameter
    for parameter in MIXED
)
SETTINGS: dict[str, dict[str, object]] = {
    "hyperband": {"r_l": 20, "eta": 3, "resource_name": "n", "parallel": 9},
    "bayesianoptimization": {"n_initial_points": 4},
    "tpe": {"n_startup_trials": 4},
    "multivariate-tpe": {"n_startup_trials": 4},
}
LEARNING = ("tpe", "multivariate-tpe", "bayesianoptimization", "cmaes")


def settings_of(name: str) -> dict[str, object]:
    return {"random_state": 5, **SETTINGS.get(name, {})}


def space_of(name: str) -> Space:
    return STEPPED if name == "grid" else MIXED


def check_in_space(assignment: dict[str, str], space: Space) -> None:
    assert [*assignment] == [parameter.name for parameter in space]
    for parameter in space:
        value = parameter.value(assignment[parameter.name])
        if parameter.choices:
            assert assignment[parameter.name] in parameter.choices
        else:
            assert parameter.low <= value <= parameter.high  # type: ignore[operator]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_values_lie_in_the_space(name: str) -> None:
    for trial in ended([], made(name, space_of(name), **settings_of(name)), 15):
        check_in_space(dict(trial.assignment), space_of(name))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_study_that_goes_on_does_what_it_would_have_done(name: str) -> None:
    whole = ended([], made(name, space_of(name), **settings_of(name)), 18)
    again = list(whole[:11])
    ended(again, made(name, space_of(name), **settings_of(name)), 18)
    assert [trial.assignment for trial in again] == [trial.assignment for trial in whole]
    assert [trial.labels for trial in again] == [trial.labels for trial in whole]


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "sobol"])
def test_without_a_random_state_every_study_has_other_trials(name: str) -> None:
    about = {key: value for key, value in settings_of(name).items() if key != "random_state"}
    one, other = (made(name, space_of(name), **about).suggest(3, []) for _ in range(2))
    assert [each.assignment for each in one] != [each.assignment for each in other]


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "hyperband"])
def test_trials_that_run_at_once_differ(name: str) -> None:
    suggester = made(name, space_of(name), **settings_of(name))
    trials = ended([], suggester, 14)
    for _ in range(2):
        for each in suggester.suggest(3, trials):
            trials.append(Trial(len(trials), f"t-{len(trials)}", each.assignment, each.labels))
    started = [tuple(trial.assignment.items()) for trial in trials[14:]]
    assert len(set(started)) == 6


@pytest.mark.parametrize(
    ("name", "more"),
    # Sure of the whole bowl by then, the Gaussian process expects no improvement, whatever runs: its bound still tells.
    [("tpe", {}), ("multivariate-tpe", {}), ("bayesianoptimization", {"acq_func": "LCB"})],
)
def test_trials_that_run_are_not_as_if_they_were_not_there(name: str, more: dict[str, object]) -> None:
    settings = {**settings_of(name), **more}
    trials = ended([], made(name, SQUARE, **settings), 16)
    nearby = {"x": "2.0", "y": "0.01"}
    running = [Trial(16 + at, f"t-{at}", nearby) for at in range(4)]
    failed = [replace(trial, status="Failed") for trial in running]
    with_them, without = (made(name, SQUARE, **settings).suggest(1, trials + others) for others in (running, failed))
    assert with_them[0].assignment != without[0].assignment


@pytest.mark.parametrize("name", LEARNING)
def test_failed_and_killed_trials_and_those_without_a_number_teach_nothing_and_harm_nothing(name: str) -> None:
    suggester = made(name, MIXED, **settings_of(name))
    trials = ended([], suggester, 8)
    bad = [("Failed", None), ("Killed", None), ("MetricsUnavailable", None), ("Succeeded", float("nan"))]
    for status, objective in bad * 3:
        [each] = suggester.suggest(1, trials)
        number = len(trials)
        trials.append(Trial(number, f"t-{number}", each.assignment, each.labels, status, objective=objective))  # type: ignore[arg-type]
    assert len(ended(trials, suggester, 24)) == 24


@pytest.mark.parametrize("name", LEARNING)
def test_a_maximised_objective_is_the_same_search_with_the_sign_turned(name: str) -> None:
    least = ended([], made(name, MIXED, **settings_of(name)), 16)
    most = ended([], made(name, MIXED, direction="maximize", **settings_of(name)), 16, lambda each: -bowl(each))
    assert [trial.assignment for trial in least] == [trial.assignment for trial in most]


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("space", [SQUARE, MIXED], ids=["numbers", "mixed"])
def test_the_best_trial_is_much_better_than_by_chance(name: str, space: Space) -> None:
    def best(algorithm: str, seed: int) -> float:
        count = 24 if name == "bayesianoptimization" else 60
        return min(trial.objective or 0.0 for trial in ended([], made(algorithm, space, random_state=seed), count))

    chance = sorted(best("random", seed) for seed in range(9))[4]
    assert sorted(best(name, seed) for seed in range(3))[1] < chance * 0.6


@pytest.mark.parametrize("name", ["random", "sobol", "grid"])
def test_the_best_of_many_trials_is_near_the_optimum(name: str) -> None:
    space = STEPPED[:2] if name == "grid" else SQUARE
    trials = ended([], made(name, space, random_state=1), 3000)
    assert min(trial.objective or 0.0 for trial in trials) < 0.02


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_unknown_setting_is_named_with_those_there_are(name: str) -> None:
    with pytest.raises(InputError, match=f"unknown setting speed for algorithm {name}; it has: .*random_state"):
        made(name, space_of(name), speed=1, **settings_of(name))


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("text", ["-1", "1.5", "soon", ""])
def test_a_random_state_is_a_whole_number(name: str, text: str) -> None:
    wanted = f"setting random_state of algorithm {name} must be a whole number from 0 on, got '{text}'"
    with pytest.raises(InputError, match=wanted):
        made(name, space_of(name), **{**settings_of(name), "random_state": text})


def test_unknown_and_refused_algorithms_are_named() -> None:
    with pytest.raises(InputError, match="unknown algorithm 'anneal'; there are random, grid, tpe"):
        made("anneal")
    for name, why in REFUSED.items():
        with pytest.raises(InputError, match=f"algorithm {name} is not run here: {why}"):
            made(name)


def test_a_space_of_one_value_can_be_searched() -> None:
    space = (
        Parameter("x", "double", 2.0, 2.0),
        Parameter("n", "int", 3, 3),
        Parameter("k", "discrete", choices=("1",)),
    )
    for name in ("random", "sobol", "tpe", "multivariate-tpe", "bayesianoptimization", "cmaes"):
        trials = ended(
            [],
            make_suggester(
                name, settings={"random_state": "0"}, space=space, direction="minimize", parallel=1, most_trials=14
            ),
            14,
            lambda _: 1.0,
        )
        assert {tuple(trial.assignment.items()) for trial in trials} == {(("x", "2.0"), ("n", "3"), ("k", "1"))}, name
