"""The status of an experiment, as Katib writes it: conditions, counts, lists of trials, the best trial.

Follows Katib's experiment controller: `util/status_util.go` (`updateTrialsSummary`, `UpdateExperimentStatusCondition`)
and `experiments/v1beta1/util.go` (how a condition takes the place of another).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sparkhu.tuning.space import Direction
from sparkhu.tuning.trials import Status, Trial

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1ExperimentCondition, V1beta1ExperimentStatus, V1beta1OptimalTrial


@dataclass(frozen=True)
class Ending:
    """Why an experiment ends: a condition of Katib with its reason and message."""

    condition: str
    reason: str
    message: str


GOAL_REACHED: Final = Ending(
    "Succeeded", "ExperimentGoalReached", "Experiment has succeeded because Objective goal has reached"
)
TOO_MANY_FAILED: Final = Ending(
    "Failed", "ExperimentFailed", "Experiment has failed because max failed count has reached"
)
MAX_TRIALS_REACHED: Final = Ending(
    "Succeeded", "ExperimentMaxTrialsReached", "Experiment has succeeded because max trial count has reached"
)
SEARCH_EXHAUSTED: Final = Ending(
    "Succeeded",
    "ExperimentSuggestionEndReached",
    "Experiment has succeeded because suggestion service has reached the end",
)
ENDINGS: Final = {
    ending.reason: ending for ending in (GOAL_REACHED, TOO_MANY_FAILED, MAX_TRIALS_REACHED, SEARCH_EXHAUSTED)
}
RUNNING_REASON: Final = "ExperimentRunning"
_FIELDS: Final[Mapping[Status, tuple[str, str]]] = {
    "Running": ("running_trial_list", "trials_running"),
    "Succeeded": ("succeeded_trial_list", "trials_succeeded"),
    "Failed": ("failed_trial_list", "trials_failed"),
    "Killed": ("killed_trial_list", "trials_killed"),
    "EarlyStopped": ("early_stopped_trial_list", "trials_early_stopped"),
    "MetricsUnavailable": ("metrics_unavailable_trial_list", "trial_metrics_unavailable"),
}


def is_better(candidate: Trial, than: Trial | None, direction: Direction) -> bool:
    """Tell whether a trial has a better objective than another one; of equal ones the earlier trial stays."""
    if candidate.objective is None:
        return False
    if than is None or than.objective is None:
        return True
    if direction == "minimize":
        return candidate.objective < than.objective
    return candidate.objective > than.objective


def best_of(trials: Sequence[Trial], direction: Direction) -> Trial | None:
    """Find the trial with the best objective; None where no trial has one."""
    best = None
    for trial in trials:
        if is_better(trial, best, direction):
            best = trial
    return best


def status_of(
    trials: Sequence[Trial], *, direction: Direction, started: datetime, ended: datetime | None, ending: Ending | None
) -> "V1beta1ExperimentStatus":
    """Make the status of an experiment.

    Args:
        trials: Every trial.
        direction: Whether a small or a large objective is good.
        started: When the experiment was begun, UTC.
        ended: When it ended, UTC; None while it runs.
        ending: Why it ended; None while it runs.
    """
    from kubeflow_katib_api.models import V1beta1ExperimentStatus

    best = best_of(trials, direction)
    lists: dict[str, list[str] | int] = {}
    for status, (names, count) in _FIELDS.items():
        found = [trial.name for trial in trials if trial.status == status]
        if found:
            lists |= {names: found, count: len(found)}
    return V1beta1ExperimentStatus(
        start_time=whole_second(started),
        completion_time=ended and whole_second(ended),
        conditions=_conditions(whole_second(started), ended and whole_second(ended), ending),
        current_optimal_trial=None if best is None else _optimal(best),
        trials=len(trials),
        **lists,
    )


def whole_second(moment: datetime) -> datetime:
    """Cut a moment to the second, as Kubernetes writes times."""
    return moment.replace(microsecond=0)


def _conditions(started: datetime, ended: datetime | None, ending: Ending | None) -> "list[V1beta1ExperimentCondition]":
    from kubeflow_katib_api.models import V1beta1ExperimentCondition

    def condition(kind: str, at: datetime, reason: str, message: str, *, holds: bool) -> V1beta1ExperimentCondition:
        return V1beta1ExperimentCondition(
            type=kind, status=str(holds), reason=reason, message=message, last_update_time=at, last_transition_time=at
        )

    created = condition("Created", started, "ExperimentCreated", "Experiment is created", holds=True)
    since = ended or started
    running = condition("Running", since, RUNNING_REASON, "Experiment is running", holds=ending is None)
    if ending is None:
        return [created, running]
    return [created, running, condition(ending.condition, since, ending.reason, ending.message, holds=True)]


def _optimal(trial: Trial) -> "V1beta1OptimalTrial":
    from kubeflow_katib_api.models import (
        V1beta1Metric,
        V1beta1Observation,
        V1beta1OptimalTrial,
        V1beta1ParameterAssignment,
    )

    metrics = [V1beta1Metric(name=o.metric, latest=o.latest, min=o.min, max=o.max) for o in trial.observations]
    return V1beta1OptimalTrial(
        best_trial_name=trial.name,
        observation=V1beta1Observation(metrics=metrics),
        parameter_assignments=[V1beta1ParameterAssignment(name=n, value=v) for n, v in trial.assignment.items()],
    )
