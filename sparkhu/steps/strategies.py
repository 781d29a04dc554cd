"""The strategies that gaps are filled with, each able to fill what is missing and to fill masked points again.

A strategy is one small class; `STRATEGIES` lists them by name. Its `refill` answers what `fill` would have put
at the points of a mask, had these been missing, without filling the series again for every mask; `fill` with the
points taken out is the definition, and the tests hold `refill` to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NEVER, NOWHERE, Floats, Ints

ORDER = ("mean", "median", "mode", "last", "next", "linear", "spline", "seasonal", "moving_average")
"""All strategies from the simplest on: of two that score the same, the simpler is taken."""


class Estimate(NamedTuple):
    """One estimate a row.

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

    @property
    def rows(self) -> Ints:
        """The hidden rows, shape (masks, length)."""
        return self.first[:, None] + np.arange(self.length)


class Strategy(Protocol):
    """A way of filling.

    Attributes:
        from_both_sides: It needs known points around a gap, so that the edge policy applies.
    """

    from_both_sides: bool

    def fill(self, points: Points) -> Estimate:
        """Estimate every row of the shard from its known points."""
        ...

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """Estimate the hidden points of each mask as if only these were missing; arrays of shape (masks, length)."""
        ...


class Fitted(Strategy, Protocol):
    """A way of filling with one value a series, fitted on its sample."""

    def fit(self, points: Points) -> Estimate:
        """Fit the value of each series: one estimate a series, not a row; NaN without a sample."""
        ...


class Last:
    """The last known value carried forward."""

    from_both_sides = True

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        return taken(points, points.before)

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`."""
        return [_across(points.y[mask.first - 1], mask) for mask in masks]


class Next:
    """The next known value carried backward."""

    from_both_sides = True

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        return taken(points, points.after)

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`."""
        return [_across(points.y[mask.first + mask.length], mask) for mask in masks]


class Linear:
    """The straight line, in time, between the known values on both sides."""

    from_both_sides = True

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        inside = (points.before != NOWHERE) & (points.after != NOWHERE)
        values = np.full(len(points.y), np.nan)
        latest = np.full(len(points.y), NEVER)
        rows = np.flatnonzero(inside)
        before, after = points.before[rows], points.after[rows]
        values[rows] = _line(points, before, after, rows)
        latest[rows] = np.maximum(points.available_at[before], points.available_at[after])
        return Estimate(values, latest)

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`."""
        return [
            _line(points, (mask.first - 1)[:, None], (mask.first + mask.length)[:, None], mask.rows) for mask in masks
        ]


class Mean:
    """The mean of the known points of the training part."""

    from_both_sides = False

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        return spread(points, self.fit(points))

    def fit(self, points: Points) -> Estimate:
        """See `Fitted`."""
        return _from_sample(points, self._means(points, points.owner.sum_ints(points.sample)))

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`.

        The mean of the points left is `c + (Σ(y − c) − Σ_hidden(y − c)) / (n − m)`, taken around the mean `c` of
        all, so that no digits are lost to a large offset.
        """
        counts = points.owner.sum_ints(points.sample)
        center = self._means(points, counts)
        off = np.where(points.sample, points.y - center[points.number], 0.0)
        total = points.owner.sum_floats(off)
        return [
            _across(
                center[mask.number]
                + (total[mask.number] - off[mask.rows].sum(axis=1)) / (counts[mask.number] - mask.length),
                mask,
            )
            for mask in masks
        ]

    @staticmethod
    def _means(points: Points, counts: Ints) -> Floats:
        sums = points.owner.sum_floats(np.where(points.sample, points.y, 0.0))
        means: Floats = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        return means


class Median:
    """The median of the known points of the training part."""

    from_both_sides = False

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        return spread(points, self.fit(points))

    def fit(self, points: Points) -> Estimate:
        """See `Fitted`."""
        ordered, first, counts, _ = points.sample_order
        low, high = first + (counts - 1) // 2, first + counts // 2
        some = counts > 0
        values = np.full(len(counts), np.nan)
        values[some] = (ordered[low[some]] + ordered[high[some]]) / 2
        return _from_sample(points, values)

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`.

        With the hidden points' ranks sorted, `r_0 < r_1 < …`, the k-th smallest of the points left is the one of
        rank `k + #{j : r_j − j ≤ k}` among all: each hidden rank at or below it moves it up by one.
        """
        ordered, first, counts, rank = points.sample_order
        results = []
        for mask in masks:
            hidden = np.sort(rank[mask.rows], axis=1) - np.arange(mask.length)
            left = counts[mask.number] - mask.length
            middle = [
                ordered[first[mask.number] + place + (hidden <= place[:, None]).sum(axis=1)]
                for place in ((left - 1) // 2, left // 2)
            ]
            results.append(_across((middle[0] + middle[1]) / 2, mask))
        return results


FITTED: dict[str, Fitted] = {"mean": Mean(), "median": Median()}
STRATEGIES: dict[str, Strategy] = {
    **FITTED,
    "last": Last(),
    "next": Next(),
    "linear": Linear(),
}


def taken(points: Points, source: Ints) -> Estimate:
    """Estimate each row by the value of the known row `source`; no estimate where that is `NOWHERE`."""
    there = source != NOWHERE
    return Estimate(np.where(there, points.y[source], np.nan), np.where(there, points.available_at[source], NEVER))


def spread(points: Points, fit: Estimate) -> Estimate:
    """Estimate each row by the one estimate of its series."""
    return Estimate(fit.values[points.number], fit.latest[points.number])


def _from_sample(points: Points, values: Floats) -> Estimate:
    """Say of one value a series that it is known when the whole sample is; no estimate where it is NaN."""
    return Estimate(values, np.where(np.isnan(values), NEVER, points.sample_available_at))


def _line(points: Points, before: Ints, after: Ints, rows: Ints) -> Floats:
    share = (points.ds[rows] - points.ds[before]) / np.maximum(points.ds[after] - points.ds[before], 1)
    line: Floats = points.y[before] + (points.y[after] - points.y[before]) * share
    return line


def _across(values: Floats, mask: Masks) -> Floats:
    return np.repeat(values[:, None], mask.length, axis=1)
