"""One parameter of a search space as algorithms see it: an interval from 0 to 1, or a number of choices.

An algorithm works on places in the unit interval; here they become the texts that a trial is given, and the texts of
a trial become places again. On a logarithmic scale equal lengths are equal ratios. A parameter with a step owns half a
step on either side of each of its values, so that the first and the last are as likely as the others (as in Optuna's
`IntDistribution` and `FloatDistribution`, which Katib's service uses).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sparkhu.errors import InputError
from sparkhu.tuning.space import Parameter, Space

Places = NDArray[np.float64]
MOST_VALUES = 10**18
"""Of a parameter with a step, or an int: as far as they can be counted."""


@dataclass(frozen=True)
class NumberAxis:
    """An int or a double.

    Raises:
        InputError: On first use, where a logarithmic scale begins at 0 or below.
    """

    parameter: Parameter

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.parameter.name

    @cached_property
    def count(self) -> int | None:
        """How many values there are; None where they are dense."""
        if self._step is None:
            return None
        return int((self._top - self._bottom) // self._step) + 1

    @property
    def length(self) -> float:
        """How long the interval is in the parameter's units, or in logarithms of them."""
        return self._edges[1] - self._edges[0]

    def text(self, place: float) -> str:
        """Write the value at a place."""
        if self.count is None:
            low, high = float(self._bottom), float(self._top)
            return repr(min(max(self._value(place), low), high))
        return self.nth(self._index(place))

    def nth(self, index: int) -> str:
        """Write a value by its rank, from 0, of a parameter with a step."""
        assert self._step is not None, self.name
        # A range and a step of very different sizes have one value too many, as decimals of 28 digits round as well.
        value = min(self._bottom + index * self._step, self._top)
        return str(int(value)) if self.parameter.kind == "int" else repr(float(value))

    def place(self, text: str) -> float:
        """Find where a value lies, in [0, 1]."""
        return (self._scaled(float(text)) - self._edges[0]) / self.length if self.length else 0.5

    def snapped(self, places: Places) -> Places:
        """Move places to the nearest value that the parameter can have."""
        if self.count is None or not self.length:
            return places
        scaled = self._edges[0] + places * self.length
        start, step = float(self._bottom), float(self._step or 1)
        indices = np.clip(np.round(((np.exp(scaled) if self._log else scaled) - start) / step), 0, self.count - 1)
        values = start + indices * step
        return np.asarray(((np.log(values) if self._log else values) - self._edges[0]) / self.length)

    def quantile(self, share: float) -> float:
        """Find the place below which this share of the parameter's distribution lies.

        A normal distribution has its mean in the middle and three standard deviations to either end, as Katib's
        hyperopt service has it, and is cut off there, where Katib lets 0.3 % of the values lie outside.
        """
        if not self.parameter.distribution.lower().endswith("normal"):
            return share
        from scipy.special import ndtr, ndtri

        tail = float(ndtr(-3.0))
        return (float(ndtri(tail + share * (1 - 2 * tail))) + 3) / 6

    @property
    def _log(self) -> bool:
        return self.parameter.distribution.startswith("log")

    @cached_property
    def _bottom(self) -> Decimal:
        return Decimal(repr(self.parameter.low))

    @cached_property
    def _top(self) -> Decimal:
        return Decimal(repr(self.parameter.high))

    @cached_property
    def _step(self) -> Decimal | None:
        if self.parameter.step:
            return Decimal(repr(self.parameter.step))
        return Decimal(1) if self.parameter.kind == "int" else None

    @cached_property
    def _edges(self) -> tuple[float, float]:
        low, high = float(self._bottom), float(self._top)
        if self._log and low <= 0:
            raise InputError(
                f"parameter {self.name}: distribution {self.parameter.distribution} needs min > 0, got {low:g}; "
                "give a small positive min, or distribution: uniform"
            )
        if self._step is not None and self.count is not None:
            step = float(self._step)
            high = float(self._bottom + (self.count - 1) * self._step) + step / 2
            low -= (min(step, low) if self._log else step) / 2
        return self._scaled(low), self._scaled(high)

    def _index(self, place: float) -> int:
        assert self.count is not None, self.name
        nearest = round((self._value(place) - float(self._bottom)) / float(self._step or 1))
        return min(max(nearest, 0), self.count - 1)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self._log else value

    def _value(self, place: float) -> float:
        start, end = self._edges
        scaled = start + place * (end - start)
        return math.exp(scaled) if self._log else scaled


@dataclass(frozen=True)
class ChoiceAxis:
    """A categorical or a discrete parameter: values without an order, as Katib's services see them."""

    parameter: Parameter

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.parameter.name

    @property
    def count(self) -> int:
        """How many choices there are."""
        return len(self.parameter.choices)

    def nth(self, index: int) -> str:
        """Write a choice by its rank, from 0."""
        return self.parameter.choices[index]

    def index(self, text: str) -> int:
        """Find the rank of a choice."""
        return self.parameter.choices.index(text)

    def text(self, place: float) -> str:
        """Write the choice at a place; every one has an equal share of the interval."""
        return self.nth(min(int(place * self.count), self.count - 1))

    def quantile(self, share: float) -> float:
        """Find the place below which this share of the choices lies."""
        return share


Axis = NumberAxis | ChoiceAxis


def axes_of(space: Space) -> tuple[Axis, ...]:
    """Make the axes of a space.

    Raises:
        InputError: A logarithmic scale begins at 0 or below, or a range cannot be computed with.
    """
    axes: list[Axis] = []
    for parameter in space:
        if parameter.kind in ("int", "double"):
            axis = NumberAxis(parameter)
            _check_range(axis)
            axes.append(axis)
        else:
            axes.append(ChoiceAxis(parameter))
    return tuple(axes)


def _check_range(axis: NumberAxis) -> None:
    parameter = axis.parameter
    low, high = float(parameter.low or 0), float(parameter.high or 0)
    step = float(parameter.step or (parameter.kind == "int"))
    told = f"parameter {axis.name}: the range from {low:g} to {high:g}"
    if step and (high - low) / step > MOST_VALUES:
        raise InputError(
            f"{told} in steps of {step:g} has more than {MOST_VALUES:.0e} values; give larger steps, or fewer"
        )
    if not math.isfinite(axis.length):
        raise InputError(f"{told} is wider than the largest number that there is, 1.8e+308; give a smaller one")


def assignment_at(axes: Sequence[Axis], shares: Sequence[float]) -> dict[str, str]:
    """Write the assignment at a point of the unit cube, each axis by its distribution."""
    return {axis.name: axis.text(axis.quantile(share)) for axis, share in zip(axes, shares, strict=True)}
