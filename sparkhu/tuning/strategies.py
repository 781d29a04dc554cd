"""What is left of a metric when a trial has ended: its latest, smallest and largest value, and which of them counts.

Follows Katib's trial controller (`trial_controller_util.go`, `getMetrics`) and its experiment controller
(`status_util.go`, `getObjectiveMetricValue`), with one difference: a value that is no finite number is never the
objective, where Katib takes the latest trial with such a value for the best one.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from sparkhu.tuning.space import Direction
from sparkhu.tuning.trials import Measurement, Observation

Strategy = Literal["min", "max", "latest"]
UNAVAILABLE: Final = "unavailable"
"""What Katib writes where a metric has no such value."""
DEFAULTS: Final[Mapping[Direction, Strategy]] = {"minimize": "min", "maximize": "max"}
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def finite_number(text: str) -> float | None:
    """Read a decimal number as Go's `strconv.ParseFloat` does; None for a text that is none, or is not finite."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def observe(measurements: Sequence[Measurement], strategies: Mapping[str, Strategy]) -> tuple[Observation, ...]:
    """Sum up what a trial reported.

    Args:
        measurements: Every value, in the order of the lines.
        strategies: The metrics of the experiment.

    Returns:
        One a metric that has a strategy; the latest value is that of the latest time, of equal times the later line.
    """
    reported: dict[str, list[Measurement]] = {metric: [] for metric in strategies}
    for measurement in measurements:
        if measurement.metric in reported:
            reported[measurement.metric].append(measurement)
    return tuple(_summed_up(metric, values) for metric, values in reported.items())


def _summed_up(metric: str, measurements: Sequence[Measurement]) -> Observation:
    if not measurements:
        return Observation(metric, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE)
    latest, least, most = measurements[0], None, None
    smallest, largest = math.inf, -math.inf
    for measurement in measurements:
        if measurement.at >= latest.at:
            latest = measurement
        number = finite_number(measurement.value)
        if number is None:
            continue
        if least is None or number < smallest:
            smallest, least = number, measurement.value
        if most is None or number > largest:
            largest, most = number, measurement.value
    return Observation(metric, latest.value, least or UNAVAILABLE, most or UNAVAILABLE)


def value_of(observation: Observation, strategy: Strategy) -> float | None:
    """Give the value of a metric that counts; None where it is no finite number.

    Where there is no smallest or largest value, Katib takes the latest one: that is no number then either.
    """
    texts = {"min": observation.min, "max": observation.max, "latest": observation.latest}
    return finite_number(texts[strategy])
