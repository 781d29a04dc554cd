"""The status of an experiment is what Katib's controller writes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sparkhu.tuning.space import Direction
from sparkhu.tuning.status import ENDINGS, GOAL_REACHED, TOO_MANY_FAILED, best_of, status_of
from sparkhu.tuning.trials import Observation, Status, Trial

NOON = datetime(2024, 5, 1, 12, 0, 0, 5, tzinfo=UTC)
LATER = datetime(2024, 5, 1, 13, tzinfo=UTC)


def trial(number: int, status: Status = "Succeeded", objective: float | None = None) -> Trial:
    return Trial(number, f"tuned-{number:04d}", {"lr": str(number)}, status=status, objective=objective)


@pytest.mark.parametrize(("direction", "number"), [("minimize", 1), ("maximize", 3)])
def test_the_best_trial_has_the_best_objective_and_of_equal_ones_the_earlier_stays(
    direction: Direction, number: int
) -> None:
    objectives = [2.0, 1.0, 1.0, 3.0, 3.0, None]
    trials = [trial(place, objective=objective) for place, objective in enumerate(objectives)]
    best = best_of(trials, direction)
    assert best is not None
    assert best.number == number
    assert best_of([trial(0)], direction) is None


def test_every_trial_is_counted_and_listed_under_its_status() -> None:
    kinds: list[Status] = ["Succeeded", "Failed", "Killed", "EarlyStopped", "MetricsUnavailable", "Running"]
    trials = [trial(number, kind) for number, kind in enumerate([*kinds, "Succeeded"])]
    status = status_of(trials, direction="minimize", started=NOON, ended=None, ending=None).to_dict()
    assert status["trials"] == 7
    assert status["succeededTrialList"] == ["tuned-0000", "tuned-0006"]
    assert status["trialsSucceeded"] == 2
    singles = ["failedTrialList", "killedTrialList", "earlyStoppedTrialList", "metricsUnavailableTrialList"]
    assert [status[name] for name in [*singles, "runningTrialList"]] == [[f"tuned-{n:04d}"] for n in range(1, 6)]
    counts = ["trialsFailed", "trialsKilled", "trialsEarlyStopped", "trialMetricsUnavailable", "trialsRunning"]
    assert [status[name] for name in counts] == [1] * 5


def test_the_optimal_trial_is_told_with_its_observation_and_assignment() -> None:
    best = replace(trial(4, objective=0.5), observations=(Observation("loss", "0.7", "0.5", "0.9"),))
    status = status_of([trial(0), best], direction="minimize", started=NOON, ended=None, ending=None)
    assert status.current_optimal_trial.to_dict() == {
        "bestTrialName": "tuned-0004",
        "observation": {"metrics": [{"name": "loss", "latest": "0.7", "min": "0.5", "max": "0.9"}]},
        "parameterAssignments": [{"name": "lr", "value": "4"}],
    }


def test_conditions_of_a_running_experiment_are_created_and_running() -> None:
    status = status_of([], direction="minimize", started=NOON, ended=None, ending=None)
    told = [(one.type, one.status, one.reason, one.message) for one in status.conditions]
    assert told == [
        ("Created", "True", "ExperimentCreated", "Experiment is created"),
        ("Running", "True", "ExperimentRunning", "Experiment is running"),
    ]
    assert status.start_time == NOON.replace(microsecond=0)
    assert status.completion_time is None


@pytest.mark.parametrize("ending", [GOAL_REACHED, TOO_MANY_FAILED])
def test_an_experiment_that_ended_runs_no_more_and_says_why(ending: object) -> None:
    status = status_of([], direction="minimize", started=NOON, ended=LATER, ending=ending)  # type: ignore[arg-type]
    told = [(one.type, one.status, one.reason) for one in status.conditions]
    assert told[1:] == [("Running", "False", "ExperimentRunning"), (ending.condition, "True", ending.reason)]  # type: ignore[attr-defined]
    assert [one.last_transition_time for one in status.conditions] == [NOON.replace(microsecond=0), LATER, LATER]


def test_reasons_and_messages_are_katibs() -> None:
    assert {reason: (ending.condition, ending.message) for reason, ending in ENDINGS.items()} == {
        "ExperimentGoalReached": ("Succeeded", "Experiment has succeeded because Objective goal has reached"),
        "ExperimentFailed": ("Failed", "Experiment has failed because max failed count has reached"),
        "ExperimentMaxTrialsReached": ("Succeeded", "Experiment has succeeded because max trial count has reached"),
        "ExperimentSuggestionEndReached": (
            "Succeeded",
            "Experiment has succeeded because suggestion service has reached the end",
        ),
    }
