"""Early stopping: rules that a trial is given when it starts, and watching whether it breaks them.

`medianstop` is Katib's: `pkg/earlystopping/v1beta1/medianstop/service.py` makes the rules, and
`cmd/metricscollector/v1beta1/file-metricscollector/main.go` applies them. Its "median" is the mean over succeeded
trials of the mean of their first `start_step` values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Final, Literal, Protocol, cast

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.settings import Reader, read_settings, whole
from sparkhu.tuning.space import Direction
from sparkhu.tuning.strategies import finite_number
from sparkhu.tuning.trials import Trial

Comparison = Literal["less", "greater", "equal"]


@dataclass(frozen=True)
class Rule:
    """A trial is stopped when this holds of what it reports.

    Attributes:
        metric: Which metric is looked at.
        value: What it is compared with.
        comparison: How; `less`: it is stopped where the metric is less than `value`.
        start_step: It is applied to this report of the metric alone, counted from 1 (Katib's collector counts down to 0
            and beyond); 0: to every one.
    """

    metric: str
    value: float
    comparison: Comparison
    start_step: int = 0


class Stopping(Protocol):
    """It makes the rules of a trial from what the earlier ones reported."""

    def rules(self, trials: Sequence[Trial]) -> tuple[Rule, ...]:
        """Give the rules for a trial that starts now."""


KNOWN: Final[Mapping[str, Reader]] = {"min_trials_required": whole(at_least=1), "start_step": whole(at_least=1)}


class MedianStop:
    """A trial is stopped when its best value so far is worse than what the others had at the same step.

    Args:
        settings: `min_trials_required` (3) succeeded trials before there is a rule; `start_step` (4) reports before it
            is applied.
        direction: Of the objective.
        metric: The objective.

    Raises:
        InputError: A setting cannot be used.
    """

    def __init__(self, settings: Mapping[str, str], direction: Direction, metric: str) -> None:
        read = read_settings("medianstop", settings, KNOWN)
        self.least = cast("int", read.get("min_trials_required", 3))
        self.start = cast("int", read.get("start_step", 4))
        self.comparison: Comparison = "less" if direction == "maximize" else "greater"
        self.metric = metric
        self._averages: dict[str, float] = {}

    def rules(self, trials: Sequence[Trial]) -> tuple[Rule, ...]:
        """Give the rule, or none where too few trials have succeeded."""
        for trial in trials:
            if trial.status == "Succeeded" and trial.name not in self._averages:
                texts = [each.value for each in trial.measurements if each.metric == self.metric][: self.start]
                reported = [number for text in texts if (number := finite_number(text)) is not None]
                if reported:
                    self._averages[trial.name] = mean(reported)
        if len(self._averages) < self.least:
            return ()
        return (Rule(self.metric, mean(self._averages.values()), self.comparison, self.start),)


class Watch:
    """Watches a trial that runs; it is stopped once each of its rules has held.

    A rule on the objective looks at the best value so far, another at the value itself. Reports of a metric are counted
    once for every rule on it that has not held yet, as Katib's collector counts them.

    Args:
        rules: Those that the trial was given.
        direction: Of the objective.
        metric: The objective.
    """

    def __init__(self, rules: Sequence[Rule], *, direction: Direction, metric: str) -> None:
        self._rules = list(rules)
        self._watched = bool(rules)
        self._objective = metric
        self._better = min if direction == "minimize" else max
        self._best: float | None = None
        self._steps = {rule.metric: rule.start_step for rule in rules if rule.start_step}

    @property
    def stopped(self) -> bool:
        """Tell whether there were rules, and all of them have held."""
        return self._watched and not self._rules

    def report(self, metric: str, value: float) -> bool:
        """Take in what the trial reports, and tell whether it is to stop now."""
        for rule in [rule for rule in self._rules if rule.metric == metric]:
            seen = value
            if metric == self._objective:
                self._best = seen = value if self._best is None else self._better(self._best, value)
            if metric in self._steps:
                self._steps[metric] -= 1
                if self._steps[metric] != 0:
                    continue
            if _holds(rule, seen):
                self._rules.remove(rule)
        return self.stopped


def make_stopping(name: str, *, settings: Mapping[str, str], direction: Direction, metric: str) -> Stopping:
    """Make the early stopping of a name.

    Args:
        name: Katib's name of it.
        settings: Its settings, by name.
        direction: Of the objective.
        metric: The objective.

    Raises:
        InputError: There is none of this name, or it refuses its settings.
    """
    if name != "medianstop":
        raise InputError(f"unknown early stopping {name!r}; there is medianstop")
    return MedianStop(settings, direction, metric)


def _holds(rule: Rule, value: float) -> bool:
    if rule.comparison == "equal":
        return value == rule.value
    return value < rule.value if rule.comparison == "less" else value > rule.value
