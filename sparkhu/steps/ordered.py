"""Order statistics of every series of a shard, from its values sorted once.

Quantiles are linear between order statistics, as pandas' `quantile`: R. J. Hyndman and Y. Fan, Sample Quantiles in
Statistical Packages, The American Statistician 50/4 (1996), definition 7.
"""

from dataclasses import dataclass

import numpy as np

from sparkhu.steps.segmented import Floats, Ints


@dataclass(frozen=True)
class Ordered:
    """The values of each series, sorted.

    Attributes:
        values: Of all series, one after another, ascending within each.
        first: Where those of each series start.
        counts: How many they are.
    """

    values: Floats
    first: Ints
    counts: Ints

    @classmethod
    def of(cls, values: Floats, counts: Ints) -> "Ordered":
        """Sort the values of each series.

        Args:
            values: Of all series, one after another, without NaN; left as they are.
            counts: How many each series has.
        """
        ordered = values + 0.0  # −0 becomes 0: which of the two would come first is chance
        ends = np.cumsum(counts)
        first = ends - counts
        # Sorting is the work of a series: series by series is five times as fast as one sort by two keys.
        for start, end in zip(first.tolist(), ends.tolist(), strict=True):
            ordered[start:end].sort()
        return cls(ordered, first, counts)

    def quantile(self, share: float) -> Floats:
        """Give a quantile of each series, NaN where it has no value.

        Example:
            >>> Ordered.of(np.array([4.0, 1.0, 2.0]), np.array([3, 0])).quantile(0.25).tolist()
            [1.5, nan]
        """
        some = self.counts > 0
        place = (self.counts[some] - 1) * share
        below = np.floor(place)
        at = self.first[some] + below.astype(np.int64)
        low, high = self.values[at], self.values[at + (place > below)]
        found = np.full(len(self.counts), np.nan)
        with np.errstate(all="ignore"):  # the ends of the range of 64-bit numbers are farther apart than it reaches
            found[some] = np.where(low == high, low, (place - below) * (high - low) + low)
        return found

    def mode(self) -> Floats:
        """Give the most frequent value of each series, the smallest of several; NaN where it has none."""
        found, some = np.full(len(self.counts), np.nan), np.flatnonzero(self.counts)
        if not len(some):
            return found
        new = np.ones(len(self.values), np.bool_)
        new[1:] = self.values[1:] != self.values[:-1]
        new[self.first[some]] = True
        start = np.flatnonzero(new)
        times, head = np.diff(start, append=len(new)), np.searchsorted(start, self.first[some])
        most = np.repeat(np.maximum.reduceat(times, head), np.diff(head, append=len(start)))
        best = np.flatnonzero(times == most)
        found[some] = self.values[start[best[np.searchsorted(best, head)]]]
        return found
