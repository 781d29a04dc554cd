"""The gaps between the points of every series of a shard, as flat arrays."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import segments
from sparkhu.periods import Period
from sparkhu.zones import to_wall

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

LEAST_SHARE_HELD = 0.2
"""The share of its gaps that a period itself must hold."""
LEAST_SHARE_EXPLAINED = 0.9
"""The share of its gaps that must lie near a multiple of the period."""
REACH = 10
"""A gap is near a multiple of P when it lies within P / REACH of it."""


@dataclass(frozen=True)
class Fit:
    """How well a period describes the gaps of each series.

    Attributes:
        held: Share of the gaps within 0.1·P of P itself.
        explained: Share of the gaps within 0.1·P of a multiple of P (at least P).
        error: Mean distance of the gaps from the nearest multiple, in P.
    """

    held: Floats
    explained: Floats
    error: Floats

    @property
    def passes(self) -> Bools:
        """Whether the period makes the series regular."""
        return (self.held >= LEAST_SHARE_HELD) & (self.explained >= LEAST_SHARE_EXPLAINED)

    @classmethod
    def nothing(cls, series: int) -> "Fit":
        """Describe series that nothing fits."""
        return cls(np.zeros(series), np.zeros(series), np.zeros(series))

    def replaced(self, which: Bools | Ints, other: "Fit") -> "Fit":
        """Replace the series picked by a mask or by number with the series of `other`, one by one."""
        merged = Fit(self.held.copy(), self.explained.copy(), self.error.copy())
        merged.held[which], merged.explained[which], merged.error[which] = other.held, other.explained, other.error
        return merged

    def only(self, which: Bools | Ints) -> "Fit":
        """Keep the series picked by a mask or by number."""
        return Fit(self.held[which], self.explained[which], self.error[which])


@dataclass(frozen=True)
class SeriesGaps:
    """Points of many series, one after another, and the gaps between them.

    Attributes:
        times: Instants of all points, in microseconds, increasing within a series.
        starts: Row of the first point of each series.
        lengths: Points of each series.
    """

    times: Ints
    starts: Ints
    lengths: Ints

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "SeriesGaps":
        """Take the distinct instants of each series of a sorted frame."""
        (starts, lengths), times = segments(frame), frame["ds"].to_physical().to_numpy()
        again = np.concatenate([np.zeros(1, np.bool_), np.diff(times) == 0])[: len(times)]
        again[starts] = False
        if again.any():
            lengths = lengths - np.add.reduceat(again, starts, dtype=np.int64)
            times, starts = times[~again], np.cumsum(lengths) - lengths
        return cls(times, starts, lengths)

    @cached_property
    def first_rows(self) -> Ints:
        """Row of the point that each gap starts at."""
        inside = np.ones(len(self.times), np.bool_)
        inside[self.starts + self.lengths - 1] = False
        return np.flatnonzero(inside).astype(np.int64)

    @cached_property
    def owners(self) -> Ints:
        """Number of the series that each gap belongs to."""
        return np.repeat(np.arange(len(self.lengths), dtype=np.int64), self.lengths - 1)

    @cached_property
    def sizes(self) -> Ints:
        """Length of each gap in microseconds."""
        return np.diff(self.times)[self.first_rows]

    @cached_property
    def totals(self) -> Ints:
        """Gaps of each series."""
        return self.lengths - 1

    def only(self, series: Ints) -> "SeriesGaps":
        """Keep the series of these numbers, in this order."""
        lengths = self.lengths[series]
        starts = np.cumsum(lengths) - lengths
        rows = np.repeat(self.starts[series] - starts, lengths) + np.arange(lengths.sum())
        return SeriesGaps(self.times[rows], starts, lengths)

    def on_wall(self, zone: str) -> "SeriesGaps":
        """Read the points on the wall clock of `zone`."""
        return replace(self, times=to_wall(self.times, zone))

    def measure(self, period: Period) -> Fit:
        """Measure how well one period describes every series."""
        steps, rest = period.fit_us(self.times[self.first_rows], self.times[self.first_rows + 1])
        measured = MeasuredGaps(self.owners, np.ones_like(steps), steps, np.abs(rest), np.int64(period.nominal_us))
        return measured.fit(self.totals)


@dataclass(frozen=True)
class MeasuredGaps:
    """Gaps that have been measured against a period.

    Attributes:
        owners: Number of the series of each gap.
        counts: How many gaps each stands for.
        steps: Nearest multiple of the period.
        rest: Distance from that multiple, in microseconds.
        period: Length of the period, for each gap or for all.
    """

    owners: Ints
    counts: Ints
    steps: Ints
    rest: Ints
    period: Ints | np.int64

    @property
    def near(self) -> Bools:
        """Whether each gap lies within a tenth of the period of a multiple of it."""
        return (self.steps >= 1) & (self.rest <= self.period // REACH)

    def fit(self, totals: Ints) -> Fit:
        """Add up the gaps of each series and divide by their number."""

        def share(weights: Ints | Floats) -> Floats:
            sums = np.bincount(self.owners, weights=weights, minlength=len(totals))
            return np.divide(sums, totals, out=np.zeros(len(totals)), where=totals > 0)

        held = share(self.counts * (self.near & (self.steps == 1)))
        return Fit(held, share(self.counts * self.near), share(self.counts * (self.rest / self.period)))
