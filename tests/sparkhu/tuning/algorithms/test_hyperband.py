"""Hyperband's brackets against published ones, and what goes on to the next rung."""

from dataclasses import replace

import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.hyperband import BRACKET, RUNG, Hyperband, rungs_of
from sparkhu.tuning.space import Parameter, Space
from sparkhu.tuning.trials import Trial

SPACE: Space = (Parameter("rate", "double", 0.0, 1.0), Parameter("epochs", "int", 1, 81))
# Li et al. 2018, the example of R = 81 and eta = 3: number of trials and resource in every rung.
PUBLISHED = {
    4: [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
    3: [(34, 3), (11, 9), (3, 27), (1, 81)],
    2: [(15, 9), (5, 27), (1, 81)],
    1: [(8, 27), (2, 81)],
    0: [(5, 81)],
}


def made(**settings: object) -> Hyperband:
    parallel = int(str(settings.pop("parallel", 9)))
    given = {"r_l": "9", "resource_name": "epochs", "random_state": "1", **settings}
    return Hyperband({key: str(value) for key, value in given.items()}, SPACE, "minimize", parallel=parallel)


def value(trial: Trial) -> float:
    return abs(float(trial.assignment["rate"]) - 0.3) + 1 / int(trial.assignment["epochs"])


def played(algorithm: Hyperband, at_once: int = 9) -> list[Trial]:
    trials: list[Trial] = []
    while found := algorithm.suggest(at_once, trials):
        for each in found:
            trial = Trial(len(trials), f"t-{len(trials)}", each.assignment, each.labels, "Succeeded")
            trials.append(replace(trial, objective=value(trial)))
    return trials


def rung(trials: list[Trial], bracket: int, number: int) -> list[Trial]:
    return [each for each in trials if (each.labels[BRACKET], each.labels[RUNG]) == (str(bracket), str(number))]


def test_brackets_are_those_of_the_paper() -> None:
    found: dict[int, list[tuple[int, int]]] = {}
    for each in rungs_of(81, 3):
        found.setdefault(each.bracket, []).append((each.size, each.resource))
    assert found == PUBLISHED


def test_brackets_of_eight_halved_are_those_of_mlr3() -> None:
    # The table of `mlr3hyperband` for eta 2 and 8 units at most.
    found = [(each.size, each.resource) for each in rungs_of(8, 2)]
    assert found == [(8, 1), (4, 2), (2, 4), (1, 8), (6, 2), (3, 4), (1, 8), (4, 4), (2, 8), (4, 8)]


def test_the_best_of_a_rung_go_on_with_more_of_the_resource() -> None:
    trials = played(made())
    assert len(trials) == sum(each.size for each in rungs_of(9, 3)) == 13 + 5 + 1 + 3
    first, second, third = (rung(trials, 2, number) for number in range(3))
    assert [int(trial.assignment["epochs"]) for trial in (*first, *second, *third)] == [1] * 9 + [3] * 3 + [9]
    best = sorted(first, key=value)[:3]
    assert [trial.assignment["rate"] for trial in second] == [trial.assignment["rate"] for trial in best]


def test_a_rung_waits_for_the_trials_of_the_one_before() -> None:
    algorithm, trials = made(), []
    for each in algorithm.suggest(9, []):
        trials.append(Trial(len(trials), f"t-{len(trials)}", each.assignment, each.labels, objective=None))
    assert algorithm.suggest(3, trials) == []
    done = [replace(trial, status="Succeeded", objective=value(trial)) for trial in trials]
    assert algorithm.suggest(3, [*done[:8], trials[8]]) == []
    assert len(algorithm.suggest(9, done)) == 3


def test_failed_trials_do_not_go_on() -> None:
    algorithm, trials = made(), []
    for each in algorithm.suggest(9, []):
        kept = len(trials) < 2
        trial = Trial(len(trials), f"t-{len(trials)}", each.assignment, each.labels, "Succeeded" if kept else "Failed")
        trials.append(replace(trial, objective=value(trial) if kept else None))
    found = algorithm.suggest(9, trials)
    assert {each.assignment["rate"] for each in found} == {trial.assignment["rate"] for trial in trials[:2]}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"parallel": 8}, "parallelTrialCount is 8, but .* runs 9 trials at once; raise parallelTrialCount to 9"),
        ({"r_l": 0}, "setting r_l of algorithm hyperband must be a number from 1 on, got '0'"),
        ({"r_l": "many"}, "setting r_l .* got 'many'"),
        ({"eta": 1}, "setting eta of algorithm hyperband must be a number from 2 on, got '1'"),
        ({"resource_name": "steps"}, "resource_name .* names no parameter: 'steps'; it is one of rate, epochs"),
    ],
)
def test_what_katib_refuses_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        made(**settings)


@pytest.mark.parametrize("missing", ["r_l", "resource_name"])
def test_needed_settings_are_asked_for(missing: str) -> None:
    given = {key: text for key, text in {"r_l": "9", "resource_name": "epochs"}.items() if key != missing}
    with pytest.raises(InputError, match=f"algorithm hyperband needs the setting {missing}"):
        Hyperband(given, SPACE, "minimize", parallel=9)
