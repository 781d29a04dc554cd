"""What a trial is, whichever engine runs it: what it was given, what it reported, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Status = Literal["Running", "Succeeded", "Failed", "Killed", "EarlyStopped", "MetricsUnavailable"]
"""Katib's conditions of a trial."""
COMPLETED: frozenset[Status] = frozenset({"Succeeded", "EarlyStopped"})
"""Those that count towards `maxTrialCount`."""
FAILED: frozenset[Status] = frozenset({"Failed", "MetricsUnavailable"})
"""Those that count towards `maxFailedTrialCount`."""
ENDED: frozenset[Status] = COMPLETED | FAILED | {"Killed"}


@dataclass(frozen=True)
class Measurement:
    """One value that a trial reported.

    Attributes:
        at: When, UTC.
        metric: Name of the metric.
        value: The value, as the trial wrote it.
    """

    at: datetime
    metric: str
    value: str


@dataclass(frozen=True)
class Observation:
    """What is left of a metric when a trial has ended: its last, smallest and largest value, as texts."""

    metric: str
    latest: str
    min: str
    max: str


@dataclass(frozen=True)
class Trial:
    """A trial.

    Attributes:
        number: Its place in the experiment, from 0.
        name: Its name, unique in the experiment.
        assignment: The value of each parameter, as texts.
        labels: What the algorithm wants to find again, such as Hyperband's bracket.
        status: How far it is.
        started: When it began, UTC.
        ended: When it ended, UTC; None while it runs.
        measurements: Every value that it reported, in order.
        observations: One a metric, once it has ended.
        objective: The objective, by the strategy of its metric; None where there is none.
        message: Why it ended as it did.
    """

    number: int
    name: str
    assignment: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    status: Status = "Running"
    started: datetime | None = None
    ended: datetime | None = None
    measurements: tuple[Measurement, ...] = ()
    observations: tuple[Observation, ...] = ()
    objective: float | None = None
    message: str = ""
