"""A study: which trials an experiment begins, what becomes of them, and when it ends.

Follows Katib's experiment controller: `experiment_controller.go` (`ReconcileTrials`) says how many trials begin,
`status_util.go` (`UpdateExperimentStatusCondition`) when the experiment ends and in which order its reasons are looked
at. Two differences: trials without metrics count towards `maxTrialCount` everywhere, where Katib forgets them when it
begins new ones; and trials still under way when the experiment ends are ended as well.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparkhu.errors import InputError
from sparkhu.tuning.courses import Course, Outcome
from sparkhu.tuning.reading import direction_of, metric_of, strategies_of
from sparkhu.tuning.status import (
    GOAL_REACHED,
    MAX_TRIALS_REACHED,
    SEARCH_EXHAUSTED,
    TOO_MANY_FAILED,
    Ending,
    best_of,
    is_better,
)
from sparkhu.tuning.strategies import UNAVAILABLE, observe, value_of
from sparkhu.tuning.trials import COMPLETED, FAILED, Observation, Status, Trial

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

    from sparkhu.tuning.algorithms.suggesting import Suggester

KILLED = "Trial is killed: the experiment ended before it"
_LONGEST_DETAIL = 500


@dataclass(frozen=True)
class Budget:
    """How far an experiment goes; the only part of it that may change while it is under way.

    Attributes:
        parallel: Trials at once.
        most: Trials that complete, well or not; None: until the search is exhausted or the goal is reached.
        most_failed: Trials that may fail before the experiment does; None: any number.
    """

    parallel: int
    most: int | None
    most_failed: int | None


class Study:
    """The trials of an experiment and what follows from them.

    Args:
        experiment: A checked experiment.
        suggester: Its algorithm.
        trials: The trials so far, in the order of their numbers; those under way are to be run again.

    Attributes:
        trials: Every trial, in the order of their numbers.
        best: The trial with the best objective.
    """

    def __init__(self, experiment: "V1beta1Experiment", suggester: "Suggester", trials: Sequence[Trial]) -> None:
        spec = experiment.spec
        self.trials = list(trials)
        self.budget = Budget(spec.parallel_trial_count, spec.max_trial_count, spec.max_failed_trial_count)
        self.best = best_of(self.trials, direction_of(experiment))
        self._name = experiment.metadata.name
        self._goal: float | None = spec.objective.goal
        self._direction = direction_of(experiment)
        self._metric = metric_of(experiment)
        self._strategies = strategies_of(experiment)
        self._names = [parameter.name for parameter in spec.parameters]
        self._suggester = suggester
        self._counts = Counter[Status](trial.status for trial in self.trials)
        self._waiting = [trial for trial in self.trials if trial.status == "Running"]
        self._exhausted = False

    @property
    def running(self) -> int:
        """How many trials are under way, or are to be run again."""
        return self._counts["Running"]

    def next_trials(self) -> list[Trial]:
        """Give the trials that begin now; those of an earlier process come first."""
        waiting, self._waiting = self._waiting, []
        wanted = self.budget.parallel - self.running
        if self.budget.most is not None:
            wanted = min(wanted, self.budget.most - len(self.trials))
        if wanted <= 0 or self._exhausted:
            return waiting
        suggestions = self._suggester.suggest(wanted, self.trials)
        self._exhausted = not suggestions and not self.running
        for suggestion in suggestions[:wanted]:
            number = len(self.trials)
            assignment = {name: suggestion.assignment[name] for name in self._names}
            trial = Trial(number, f"{self._name}-{number:04d}", assignment, suggestion.labels)
            self.trials.append(trial)
            self._counts["Running"] += 1
            waiting.append(trial)
        return waiting

    def begin(self, trial: Trial) -> Trial:
        """Stamp a trial that begins now."""
        return self._put(replace(trial, started=datetime.now(UTC)))

    def end(self, course: Course, outcome: Outcome) -> Trial:
        """Take a trial that has ended."""
        observations = observe(course.measurements, self._strategies)
        metric = next(found for found in observations if found.metric == self._metric)
        objective = value_of(metric, self._strategies[self._metric])
        status, message = _verdict(outcome, objective, metric)
        if status not in COMPLETED:
            objective = None
        ended = replace(
            course.trial,
            status=status,
            ended=datetime.now(UTC),
            measurements=tuple(course.measurements),
            observations=observations if status in COMPLETED or status == "MetricsUnavailable" else (),
            objective=objective,
            message=message,
        )
        self._counts["Running"] -= 1
        self._counts[status] += 1
        if is_better(ended, self.best, self._direction):
            self.best = ended
        return self._put(ended)

    def abandon(self) -> list[Trial]:
        """Give up the trials of an earlier process that have not been begun again: the experiment has ended."""
        waiting, self._waiting = self._waiting, []
        self._counts["Running"] -= len(waiting)
        self._counts["Killed"] += len(waiting)
        now = datetime.now(UTC)
        return [self._put(replace(trial, status="Killed", ended=now, message=KILLED)) for trial in waiting]

    def ending(self) -> Ending | None:
        """Say why the experiment ends now; None while it goes on."""
        failed = sum(self._counts[status] for status in FAILED)
        if self._reached_goal():
            return GOAL_REACHED
        if self.budget.most_failed is not None and failed and failed >= self.budget.most_failed:
            return TOO_MANY_FAILED
        if self.budget.most is not None and len(self.trials) - self.running >= self.budget.most:
            return MAX_TRIALS_REACHED
        return SEARCH_EXHAUSTED if self._exhausted and not self.running else None

    def _reached_goal(self) -> bool:
        if self._goal is None or self.best is None or self.best.objective is None:
            return False
        if self._direction == "minimize":
            return self.best.objective <= self._goal
        return self.best.objective >= self._goal

    def _put(self, trial: Trial) -> Trial:
        self.trials[trial.number] = trial
        return trial


def _verdict(outcome: Outcome, objective: float | None, metric: Observation) -> tuple[Status, str]:
    """Say what became of a trial, with Katib's messages."""
    if outcome.kind == "ended":
        return "Killed", KILLED
    if outcome.kind == "failed":
        return "Failed", f"Trial has failed. {outcome.detail}"[:_LONGEST_DETAIL]
    if objective is None:
        seen = "was never reported" if metric.latest == UNAVAILABLE else f"is '{metric.latest}', no finite number"
        return "MetricsUnavailable", f"Metrics are not available: '{metric.metric}' {seen}"
    if outcome.kind == "stopped":
        return "EarlyStopped", "Trial is early stopped"
    return "Succeeded", "Trial has succeeded"


def check_restart(experiment: "V1beta1Experiment", reason: str, trials: int) -> bool:
    """Say whether an experiment that has ended goes on, because it may now have more trials.

    Katib allows that where the most trials were reached and the resume policy is not `Never`
    (`IsCompletedExperimentRestartable`).

    Raises:
        InputError: More trials are wanted, and the experiment may not go on.
    """
    spec = experiment.spec
    if spec.max_trial_count is None or spec.max_trial_count <= trials or reason != MAX_TRIALS_REACHED.reason:
        return False
    if spec.resume_policy == "Never":
        told = f"the experiment ended with {trials} trials and its resumePolicy is Never"
        way_out = "Say resumePolicy: LongRunning to let it go on, or name another folder"
        raise InputError(f"spec.maxTrialCount: got {spec.max_trial_count}, but {told}. {way_out}.")
    return True
