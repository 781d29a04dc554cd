"""Filling with one value a series, fitted on its training part: mean, median or mode."""

from collections.abc import Sequence

import numpy as np

from sparkhu.steps.estimates import Estimate, Fitted, Masks
from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NEVER, Bools, Floats, Ints


class Mean(Fitted):
    """The mean of the known points of the training part."""

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
        off = np.where(points.sample, points.y - points.owner.spread(center), 0.0)
        total = points.owner.sum_floats(off)
        return [
            mask.across(
                center[mask.number]
                + (total[mask.number] - off[mask.rows].sum(axis=1)) / (counts[mask.number] - mask.length)
            )
            for mask in masks
        ]

    @staticmethod
    def _means(points: Points, counts: Ints) -> Floats:
        sums = points.owner.sum_floats(np.where(points.sample, points.y, 0.0))
        means: Floats = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        return means


class Median(Fitted):
    """The median of the known points of the training part."""

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
            results.append(mask.across((middle[0] + middle[1]) / 2))
        return results


class Mode(Fitted):
    """The most frequent value among the known points of the training part; the smallest of several as frequent."""

    def fit(self, points: Points) -> Estimate:
        """See `Fitted`."""
        values = np.full(len(points.owner.lengths), np.nan)
        counted = _Counted(points)
        some = counted.kinds > 0
        values[some] = counted.values[counted.first[some]]
        return _from_sample(points, values)

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`.

        Of the values sorted by frequency, a mask of `m` points touches at most `m`: what is most frequent without
        them is among the first `m + 1`.
        """
        counted = _Counted(points)
        return [mask.across(self._left(counted, mask)) for mask in masks]

    @staticmethod
    def _left(counted: "_Counted", mask: Masks) -> Floats:
        width = mask.length + 1
        candidates = counted.first[mask.number][:, None] + np.arange(width)
        there = np.arange(width) < counted.kinds[mask.number][:, None]
        candidates = np.where(there, candidates, 0)
        hidden = counted.kind[mask.rows] - counted.first[mask.number][:, None]
        row = np.repeat(np.arange(len(mask.first)), mask.length)[(hidden < width).ravel()]
        taken = np.bincount(row * width + hidden[hidden < width], minlength=len(mask.first) * width)
        left = np.where(there, counted.counts[candidates] - taken.reshape(-1, width), -1)
        most = left == left.max(axis=1, keepdims=True)
        value: Floats = np.where(most, counted.values[candidates], np.inf).min(axis=1)
        return value


class _Counted:
    """The different values of each series' sample, the most frequent first, of those as frequent the smallest.

    Attributes:
        values: Of all series, one after another.
        counts: How often each stands.
        first: Where those of each series start.
        kinds: How many they are.
        kind: The place in `values` of every row of the sample; 0 elsewhere.
    """

    def __init__(self, points: Points):
        ordered, start, sizes, rank = points.sample_order
        number = np.repeat(np.arange(len(sizes)), sizes)
        new = _starts_anew(ordered, number)
        kind = np.cumsum(new) - 1
        counts, owner = np.bincount(kind, minlength=int(new.sum())), number[new]
        order = np.lexsort((-counts, owner))  # stable: the values of a series that are as frequent stay ascending
        self.values, self.counts = ordered[new][order], counts[order]
        self.kinds = np.bincount(owner, minlength=len(sizes))
        self.first = np.cumsum(self.kinds) - self.kinds
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self.kind = np.zeros(len(points.y), np.int64)
        rows = np.flatnonzero(points.sample)
        self.kind[rows] = place[kind][start[points.number[rows]] + rank[rows]]


def _starts_anew(ordered: Floats, number: Ints) -> Bools:
    new = np.ones(len(ordered), np.bool_)
    new[1:] = (np.diff(ordered) != 0) | (np.diff(number) != 0)
    return new


def _from_sample(points: Points, values: Floats) -> Estimate:
    """Say of one value a series that it is known when the whole sample is; no estimate where it is NaN."""
    return Estimate(values, np.where(np.isnan(values), NEVER, points.sample_available_at))
