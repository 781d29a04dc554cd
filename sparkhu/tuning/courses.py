"""A trial under way: what it has reported, and whether it is to stop."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from sparkhu.tuning.trials import Measurement, Trial


class Pruned(BaseException):
    """A trial is to stop: early stopping says so, or its experiment ends.

    No `Exception`, so that what guards an objective against failures lets it through.
    """


class Watching(Protocol):
    """Is fed what a trial reports."""

    def report(self, metric: str, value: float) -> bool:
        """Take a value of a metric, and tell whether the rules of early stopping end the trial now."""


@dataclass(frozen=True)
class Outcome:
    """How the work of a trial ended: of itself, well or not, or stopped from outside.

    Attributes:
        kind: `done` and `failed` are its own; `stopped` is early stopping; `ended` is the end of its experiment.
        detail: Why it failed.
    """

    kind: Literal["done", "failed", "stopped", "ended"]
    detail: str = ""


class Course:
    """A trial under way.

    Args:
        trial: The trial.
        watch: Early stopping; None where there is none.
        ending: Set when the experiment ends before the trial does.

    Attributes:
        measurements: What it has reported so far.
        stopped: Whether early stopping has said that it is to stop.
    """

    def __init__(self, trial: Trial, watch: Watching | None, ending: threading.Event) -> None:
        self.trial = trial
        self.ending = ending
        self.measurements: list[Measurement] = []
        self.stopped = False
        self._watch = watch

    def report(self, at: datetime, metric: str, value: str, number: float | None) -> None:
        """Take a value.

        Args:
            at: When it was reported, UTC.
            metric: Its metric.
            value: The value as it was written.
            number: The value as a number; None where it is none.

        Raises:
            Pruned: The trial is to stop.
        """
        self.measurements.append(Measurement(at, metric, value))
        if self._watch is not None and number is not None and self._watch.report(metric, number):
            self.stopped = True
        if self.stopped or self.ending.is_set():
            raise Pruned

    @property
    def outcome_of_stop(self) -> Outcome:
        """What became of a trial that was stopped from outside."""
        return Outcome("stopped" if self.stopped else "ended")


Runner = Callable[[Course], Outcome]
"""Does the work of a trial, and gives how it ended. It ends the work when the course says so, and raises nothing."""
