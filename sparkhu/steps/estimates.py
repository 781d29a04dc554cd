"""What a strategy of filling is: it fills what is missing, and fills masked points again.

Its `refill` answers what `fill` would have put at the points of a mask, had these been missing, without filling the
series again for every mask; `fill` with the points taken out is the definition, and the tests hold `refill` to it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np

from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NEVER, NOWHERE, Bools, Floats, Ints

HUGE = 2.0**1000
"""A value of this size or more overflows in sums and differences."""
UNIT = 2.0**40
"""What series with such a value are counted in; a power of two, so that no digit is lost."""


class Estimate(NamedTuple):
    """One estimate a row, of all rows or of some.

    Attributes:
        values: In the unit of `y`; NaN where the strategy has none.
        latest: When the latest point it used became available, microseconds; `NEVER` where there is no estimate.
    """

    values: Floats
    latest: Ints


@dataclass(frozen=True)
class Masks:
    """Stretches of known points that are hidden one at a time, all of one length, sorted by series.

    Attributes:
        length: Points hidden together.
        first: The first hidden row of each mask.
        number: The series' number of each mask.
    """

    length: int
    first: Ints
    number: Ints

    @cached_property
    def rows(self) -> Ints:
        """The hidden rows, shape (masks, length)."""
        return self.first[:, None] + np.arange(self.length)

    @property
    def before(self) -> Ints:
        """The known row before each mask."""
        return self.first - 1

    @property
    def after(self) -> Ints:
        """The known row behind each mask."""
        return self.first + self.length

    def across(self, values: Floats) -> Floats:
        """Give all points of a mask its one value, shape (masks, length)."""
        return np.broadcast_to(values[:, None], (len(values), self.length))


class Strategy(ABC):
    """A way of filling.

    Attributes:
        from_both_sides: It needs known points around a gap, so that the edge policy applies.
        need: What a series lacks that it cannot estimate at all.
    """

    from_both_sides: ClassVar[bool] = True
    need: ClassVar[str] = ""

    def applies(self, points: Points) -> Bools:
        """Say of each series whether it is long enough for an estimate."""
        return np.ones(len(points.owner.lengths), np.bool_)

    @abstractmethod
    def fill(self, points: Points) -> Estimate:
        """Estimate every row of the shard from its known points."""

    def fill_at(self, points: Points, rows: Ints) -> Estimate:
        """Estimate some rows that are not known."""
        whole = self.fill(points)
        return Estimate(whole.values[rows], whole.latest[rows])

    @abstractmethod
    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """Estimate the hidden points of each mask as if only these were missing; arrays of shape (masks, length)."""


class Fitted(Strategy):
    """A way of filling with one value a series, fitted on its sample."""

    from_both_sides = False

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        return spread(points, self.fit(points))

    def fill_at(self, points: Points, rows: Ints) -> Estimate:
        """See `Strategy`."""
        fit, number = self.fit(points), np.searchsorted(points.owner.starts, rows, side="right") - 1
        return Estimate(fit.values[number], fit.latest[number])

    @abstractmethod
    def fit(self, points: Points) -> Estimate:
        """Fit the value of each series: one estimate a series, not a row; NaN without a sample."""


def in_units(points: Points) -> tuple[Points, Floats]:
    """Bring series of huge values to smaller ones, whose sums and differences are finite.

    Returns:
        The points, the same where none is huge; and the unit of each series, which its estimates are multiples of.
    """
    if not (np.abs(points.y) >= HUGE).any():
        return points, np.ones(len(points.owner.lengths))
    largest = np.maximum.reduceat(np.where(points.known, np.abs(points.y), 0.0), points.owner.starts)
    unit = np.where(largest >= HUGE, UNIT, 1.0)
    return (replace(points, y=points.y / points.owner.spread(unit), whole=None) if (unit > 1).any() else points), unit


def filled(points: Points, way: Strategy) -> Estimate:
    """Estimate the missing rows by `way`, however large their values; an estimate that is not finite is none."""
    small, unit = in_units(points)
    values, latest = way.fill_at(small, points.missing_rows)
    return _finite(values, unit[points.missing_number], latest)


def fitted(points: Points, way: Fitted) -> Estimate:
    """Fit the value of each series by `way`, however large its values; a fit that is not finite is none."""
    small, unit = in_units(points)
    values, latest = way.fit(small)
    return _finite(values, unit, latest)


def _finite(values: Floats, unit: Floats, latest: Ints) -> Estimate:
    with np.errstate(over="ignore"):
        values = values * unit
    there = np.isfinite(values)
    return Estimate(np.where(there, values, np.nan), np.where(there, latest, NEVER))


def taken(points: Points, source: Ints) -> Estimate:
    """Estimate each row by the value of the known row `source`; no estimate where that is `NOWHERE`."""
    there = source != NOWHERE
    return Estimate(np.where(there, points.y[source], np.nan), np.where(there, points.available_at[source], NEVER))


def spread(points: Points, fit: Estimate) -> Estimate:
    """Estimate each row by the one estimate of its series."""
    return Estimate(points.owner.spread(fit.values), points.owner.spread(fit.latest))


def inside(points: Points, rows: Ints, values: Floats, latest: Ints) -> Estimate:
    """Estimate some rows; the others have no estimate."""
    whole = Estimate(np.full(len(points.y), np.nan), np.full(len(points.y), NEVER))
    whole.values[rows] = values
    whole.latest[rows] = np.where(np.isnan(values), NEVER, latest)
    return whole


def share_of_way(points: Points, before: Ints, after: Ints, rows: Ints) -> Floats:
    """Say how far, in time, each row stands on the way from one row to another: 0 to 1."""
    share: Floats = (points.ds[rows] - points.ds[before]) / np.maximum(points.ds[after] - points.ds[before], 1)
    return share
