"""Fixed periods, found from the gaps between points.

The gaps of a series are sorted and clustered where they jump by more than 10 %; a cluster's modal gap is its median.
The most frequent clusters that together cover 95 % of the gaps give the candidates: the approximate greatest common
divisor of their modal gaps, then, should the rarest of them be at odds with the rest, that of the more frequent
ones. The first candidate that itself holds 20 % of the gaps and has 90 % of them within a tenth of a multiple is the
period. All counting is done on the distinct gaps of each series, which on a clean grid are a handful.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from sparkhu.periods import HOUR_US, SECOND_US, WEEK_US
from sparkhu.steps.series_gaps import LEAST_SHARE_HELD, REACH, Fit, Floats, Ints, MeasuredGaps, SeriesGaps
from sparkhu.zones import DAY_US

JUMP = 1.1
COVERED = 0.95
EXACT_SHARE = 0.9
LARGEST_CORRECTION = 0.01
MOST_UNITS = 100
NONE = 0

_MINUTE_US = 60 * SECOND_US
ROUND_UNITS = (
    *(
        WEEK_US,
        DAY_US,
        12 * HOUR_US,
        6 * HOUR_US,
        HOUR_US,
        30 * _MINUTE_US,
        15 * _MINUTE_US,
        5 * _MINUTE_US,
        _MINUTE_US,
    ),
    *(30 * SECOND_US, 10 * SECOND_US, 5 * SECOND_US, SECOND_US),
    *(500_000, 250_000, 100_000, 50_000, 25_000, 10_000, 5_000, 1_000, 500, 250, 100, 50, 10, 5),
)


@dataclass(frozen=True)
class GapCounts:
    """The distinct gaps of each series, increasing, with how often each occurs.

    Attributes:
        owners: Number of the series.
        sizes: Length of the gap in microseconds.
        counts: How often it occurs.
        totals: Gaps of each series.
    """

    owners: Ints
    sizes: Ints
    counts: Ints
    totals: Ints

    @classmethod
    def of(cls, gaps: SeriesGaps) -> "GapCounts":
        """Count the distinct gaps of every series."""
        new = np.ones(len(gaps.sizes), np.bool_)  # equal gaps mostly stand together: few runs of them are to be sorted
        new[1:] = (gaps.sizes[1:] != gaps.sizes[:-1]) | (gaps.owners[1:] != gaps.owners[:-1])
        runs = np.flatnonzero(new)
        lengths = np.diff(runs, append=len(new))
        table = pl.DataFrame({"owner": gaps.owners[runs], "size": gaps.sizes[runs], "count": lengths})
        table = table.group_by("owner", "size").sum().sort("owner", "size")
        owners, sizes, counts = (table[name].to_numpy().astype(np.int64) for name in ("owner", "size", "count"))
        return cls(owners, sizes, counts, gaps.totals)

    def medians(self) -> Ints:
        """Take the median gap of each series (of an even number the lower, a gap there is), 0 without any."""
        some, medians = self.totals > 0, np.zeros(len(self.totals), np.int64)
        middle = np.cumsum(self.totals) - self.totals + (self.totals + 1) // 2
        medians[some] = self.sizes[np.searchsorted(np.cumsum(self.counts), middle[some])]
        return medians

    def measure(self, periods: Ints) -> Fit:
        """Measure one fixed period a series; a series with period 0 (none) is explained nowhere."""
        wanted = periods[self.owners] != NONE
        rows = GapCounts(self.owners[wanted], self.sizes[wanted], self.counts[wanted], self.totals)
        steps, rest = rows.nearest(periods)
        return MeasuredGaps(rows.owners, rows.counts, steps, rest, periods[rows.owners]).fit(self.totals)

    def nearest(self, periods: Ints) -> tuple[Ints, Ints]:
        """Find the nearest multiple of each series' period, and the distance from it, for each gap."""
        period = periods[self.owners]
        below, over = np.divmod(self.sizes, period)
        up = over >= period - over
        return below + up, np.where(up, period - over, over)


def find_fixed(gaps: SeriesGaps) -> tuple[Ints, Fit]:
    """Find the fixed period of each series.

    Returns:
        Periods in microseconds, 0 where no candidate holds enough gaps, and how well they fit. Where no candidate
        makes the series regular, the one that explains most.
    """
    counts = GapCounts.of(gaps)
    found = np.zeros(len(gaps.lengths), np.int64)
    found_fit = Fit.nothing(len(found))
    lists = _candidates(counts)
    for turn in range(max(map(len, lists), default=0)):
        trial = np.array([values[turn] if turn < len(values) else NONE for values in lists], np.int64)
        trial = np.where(found_fit.passes, NONE, trial)
        trial = _refined(counts, trial)
        trial_fit = counts.measure(trial)
        better = (trial_fit.held >= LEAST_SHARE_HELD) & (trial_fit.explained > found_fit.explained)
        found = np.where(better, trial, found)
        found_fit = found_fit.replaced(better, trial_fit.only(better))
    return found, found_fit


def _candidates(counts: GapCounts) -> list[list[int]]:
    """List the candidates of each series, the divisor of all its modal gaps first."""
    owners, modal, members = _clusters(counts)
    order = np.lexsort((modal, -members, owners))
    owners, modal, members = owners[order], modal[order], members[order]
    first = np.searchsorted(owners, np.arange(len(counts.totals)))
    before = np.cumsum(members) - members
    before -= before[first[owners]] if len(owners) else 0
    needed = before < COVERED * counts.totals[owners]
    lists: list[list[int]] = [[] for _ in counts.totals]
    for owner, gap in zip(owners[needed].tolist(), modal[needed].tolist(), strict=True):
        divisors = lists[owner]
        divisor = approximate_divisor(divisors[0], gap) if divisors else gap
        if not divisors or divisor != divisors[0]:
            divisors.insert(0, divisor)
    return lists


def _clusters(counts: GapCounts) -> tuple[Ints, Ints, Ints]:
    """Cluster the sorted gaps: series, modal gap (the lower median) and number of gaps of each cluster."""
    owners, sizes = counts.owners, counts.sizes
    opens = np.ones(len(sizes), np.bool_)
    opens[1:] = (owners[1:] != owners[:-1]) | (sizes[1:] / sizes[:-1] > JUMP)
    starts = np.flatnonzero(opens)
    running = np.cumsum(counts.counts)
    before = running[starts] - counts.counts[starts]
    members = np.diff(before, append=running[-1:])
    middles = np.searchsorted(running, before + (members + 1) // 2)
    return owners[starts], sizes[middles], members


def approximate_divisor(first: int, second: int) -> int:
    """Find the approximate greatest common divisor of two gaps.

    Euclid's algorithm that ends as soon as the larger is within a tenth of the smaller of one of its multiples.

    Example:
        >>> approximate_divisor(3600, 5400), approximate_divisor(3600, 7230)
        (1800, 3600)
    """
    small, large = sorted((first, second))
    while True:
        over = large % small
        rest = min(over, small - over)
        if rest <= small // REACH:
            return small
        small, large = rest, small


def _refined(counts: GapCounts, periods: Ints) -> Ints:
    """Sharpen candidates: the most usual gap near each, or, where gaps scatter, the mean step, rounded if it may be."""
    wanted = (periods[counts.owners] != NONE) & (counts.totals[counts.owners] > 0)
    rows = GapCounts(counts.owners[wanted], counts.sizes[wanted], counts.counts[wanted], counts.totals)
    usual = _usual_gap(rows, periods)
    steps, rest = rows.nearest(usual)
    near = (steps >= 1) & (rest <= usual[rows.owners] // REACH)
    explained = _sums(rows, rows.counts * near)
    exact = _sums(rows, rows.counts * (near & (rest == 0)))
    refined = usual.copy()
    for series in np.flatnonzero((explained > 0) & (exact < EXACT_SHARE * explained)):
        own = slice(*np.searchsorted(rows.owners, (series, series + 1)))
        use = near[own]
        refined[series] = _mean_step(rows.sizes[own][use], rows.counts[own][use], int(usual[series]))
    return refined


def _usual_gap(rows: GapCounts, periods: Ints) -> Ints:
    """Take the median (lower) of the gaps within a tenth of the candidate, the candidate where there are none."""
    steps, rest = rows.nearest(periods)
    held = np.flatnonzero((steps == 1) & (rest <= periods[rows.owners] // REACH))
    usual = periods.copy()
    if len(held):
        owners, starts = np.unique(rows.owners[held], return_index=True)
        running = np.cumsum(rows.counts[held])
        before = running[starts] - rows.counts[held][starts]
        members = np.diff(before, append=running[-1:])
        usual[owners] = rows.sizes[held][np.searchsorted(running, before + (members + 1) // 2)]
    return usual


def _mean_step(sizes: Ints, counts: Ints, period: int) -> int:
    """Take the mean step of gaps that lie near multiples of `period`, or the round length within three standard errors.

    Multiples are counted twice, the second time by the mean step itself, so that long gaps are not miscounted.
    """
    mean = float(period)
    for _ in range(2):
        steps = np.maximum(np.rint(sizes / mean), 1)
        mean = float((sizes * counts).sum() / (steps * counts).sum())
    scatter = float(np.sqrt((counts * (sizes - steps * mean) ** 2).sum()) / counts.sum())
    return _rounded(mean, min(3 * scatter, LARGEST_CORRECTION * mean))


def _rounded(length: float, tolerance: float) -> int:
    """Find the multiple of the largest round unit of time within `tolerance` of a length, else whole microseconds."""
    for unit in ROUND_UNITS:
        times = round(length / unit)
        if 1 <= times <= MOST_UNITS and abs(times * unit - length) <= tolerance:
            return times * unit
    return max(1, round(length))


def _sums(rows: GapCounts, weights: Ints) -> Floats:
    return np.bincount(rows.owners, weights=weights, minlength=len(rows.totals)).astype(np.float64)
