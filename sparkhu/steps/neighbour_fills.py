"""Filling from the known points next to a gap: the last, the next, the line between them, the mean around them."""

from collections.abc import Sequence

import numpy as np

from sparkhu.errors import InputError
from sparkhu.steps.estimates import Estimate, Masks, Strategy, inside, share_of_way, taken
from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NEVER, NOWHERE, Floats, Ints


class Last(Strategy):
    """The last known value carried forward."""

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        return taken(points, points.before)

    def fill_at(self, points: Points, rows: Ints) -> Estimate:
        """See `Strategy`."""
        return taken(points, points.before_gap(rows))

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`."""
        return [mask.across(points.y[mask.before]) for mask in masks]


class Next(Strategy):
    """The next known value carried backward."""

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        return taken(points, points.after)

    def fill_at(self, points: Points, rows: Ints) -> Estimate:
        """See `Strategy`."""
        return taken(points, points.after_gap(rows))

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`."""
        return [mask.across(points.y[mask.after]) for mask in masks]


class Linear(Strategy):
    """The straight line, in time, between the known values on both sides."""

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        found = self.fill_at(points, points.between)
        return inside(points, points.between, found.values, found.latest)

    def fill_at(self, points: Points, rows: Ints) -> Estimate:
        """See `Strategy`."""
        before, after = points.before_gap(rows), points.after_gap(rows)
        there = (before != NOWHERE) & (after != NOWHERE)
        line = self._line(points, before, after, rows)
        latest = np.maximum(points.available_at[before], points.available_at[after])
        return Estimate(np.where(there, line, np.nan), np.where(there, latest, NEVER))

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`."""
        return [self._line(points, mask.before[:, None], mask.after[:, None], mask.rows) for mask in masks]

    @staticmethod
    def _line(points: Points, before: Ints, after: Ints, rows: Ints) -> Floats:
        rise = points.y[after] - points.y[before]
        line: Floats = points.y[before] + rise * share_of_way(points, before, after, rows)
        return line


class MovingAverage(Strategy):
    """The mean of the nearest known points on each side of the gap, as many as there are up to `window` a side.

    Args:
        window: Known points on each side, at least 1.

    Raises:
        InputError: `window` is smaller.
    """

    def __init__(self, window: int = 5):
        if window < 1:
            raise InputError(f"window must be 1 or more known points on each side, got {window}.")
        self.window = window

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        rows = points.between
        first, gap = np.unique(points.before[rows], return_index=True)
        near = self._near(points, first, points.after[rows[gap]])
        latest = np.where(near == NOWHERE, NEVER, points.available_at[near]).max(axis=1, initial=NEVER)
        place = np.searchsorted(first, points.before[rows])
        return inside(points, rows, self._mean(points, near)[place], latest[place])

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`."""
        return [mask.across(self._mean(points, self._near(points, mask.before, mask.after))) for mask in masks]

    def _near(self, points: Points, before: Ints, after: Ints) -> Ints:
        return np.hstack([points.known_back(before, self.window), points.known_on(after, self.window)])

    @staticmethod
    def _mean(points: Points, near: Ints) -> Floats:
        there = near != NOWHERE
        mean: Floats = np.where(there, points.y[near], 0.0).sum(axis=1) / there.sum(axis=1)
        return mean
