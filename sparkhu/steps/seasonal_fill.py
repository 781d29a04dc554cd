"""Filling with the season in mind: it is taken out, what is left is filled linearly in time, and it is put back.

1. Between the known points the series is drawn linearly in time; the trend is its centred moving average over one
   season (a season of an even number of points weighs both ends half): classical decomposition, as
   R. Hyndman and G. Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 3.4, and
   `statsmodels.tsa.seasonal.seasonal_decompose` describe it.
2. The season at a point is the mean of the known values less the trend at the same place of the `CYCLES` nearest
   seasons (all of them where the series has no more), so that it may change slowly, as in X-11 (ibid., section 3.5).
3. What is left of the known points at both sides of a gap, trend and remainder, is joined by a straight line in time,
   and the season of each point is put back: `na_seadec` of S. Moritz and T. Bartz-Beielstein, imputeTS, The R
   Journal 9/1 (2017), section "Algorithms". The trend stays in what is filled: within a long gap the moving average of
   a drawn line says nothing that the line does not.

A value is known when the last point that its seasons were taken from is, and all points before that.
"""

from collections.abc import Sequence

import numpy as np

from sparkhu.steps.estimates import Estimate, Masks, Strategy, inside, share_of_way
from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NEVER, NOWHERE, Bools, Floats, Ints

CYCLES = 15
"""Seasons that the season at a point is averaged over."""
CHUNK = 1 << 18
"""Points averaged at a time, to bound the memory."""


class Seasonal(Strategy):
    """The season of the nearest cycles on a straight line, in time, through what is left without it.

    Args:
        cycles: Seasons that are averaged.
    """

    need = "fewer than two seasons of known points, or no season at all"

    def __init__(self, cycles: int = CYCLES):
        self.cycles = cycles

    def applies(self, points: Points) -> Bools:
        """See `Strategy`."""
        return _long_enough(points.owner.sum_ints(points.known), points.season_length)

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        rows = points.between[self.applies(points)[points.number[points.between]]]
        before, after = points.before[rows], points.after[rows]
        trend = _Trend(points)
        values, latest = np.full(len(points.y), np.nan), np.full(len(points.y), NEVER)
        asked = np.unique(np.concatenate([rows, before, after]))
        for length in np.unique(points.season_length[points.number[asked]]).tolist():
            own = asked[points.season_length[points.number[asked]] == length]
            cycles = _same_places(points, own, length, self.cycles)
            off = np.where(cycles == NOWHERE, np.nan, trend.off[cycles])
            values[own] = _mean(off)
            last = np.where(np.isnan(off), NOWHERE, cycles).max(axis=1)
            latest[own] = trend.known_from(last, length)
        left, right = points.y[before] - values[before], points.y[after] - values[after]
        filled = _put_back(left, right, share_of_way(points, before, after, rows), values[rows])
        return inside(points, rows, filled, np.maximum(np.maximum(latest[before], latest[after]), latest[rows]))

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`.

        Hiding points bends the drawn line there, which moves the trend within half a season and nothing else.
        """
        trend, known = _Trend(points), points.owner.sum_ints(points.known)
        refilled = []
        for mask in masks:
            values = np.full((len(mask.first), mask.length), np.nan)
            enough = _long_enough(known - mask.length, points.season_length)[mask.number]
            lengths = np.where(enough, points.season_length[mask.number], 0)
            for length in np.unique(lengths[enough]).tolist():
                own = np.flatnonzero(lengths == length)
                size = max(CHUNK // ((mask.length + 2) * self.cycles), 1)
                for start in range(0, len(own), size):
                    few = own[start : start + size]
                    part = Masks(mask.length, mask.first[few], mask.number[few])
                    values[few] = self._refill_part(points, part, trend, length)
            refilled.append(values)
        return refilled

    def _refill_part(self, points: Points, mask: Masks, trend: "_Trend", length: int) -> Floats:
        """Refill masks of one length in series of one season."""
        rows = np.arange(-1, mask.length + 1) + mask.first[:, None]
        cycles = _same_places(points, rows.ravel(), length, self.cycles).reshape(*rows.shape, -1)
        hidden = (cycles >= mask.first[:, None, None]) & (cycles < mask.after[:, None, None])
        off = np.where((cycles == NOWHERE) | hidden, np.nan, trend.off[cycles])
        season = _mean(off - trend.moved(points, mask, cycles, length))
        before, after = mask.before[:, None], mask.after[:, None]
        left, right = points.y[before] - season[:, :1], points.y[after] - season[:, -1:]
        return _put_back(left, right, share_of_way(points, before, after, mask.rows), season[:, 1:-1])


class _Trend:
    """The trend of every series of a shard and the known values less it.

    Attributes:
        off: Value less trend; NaN where it is not known, or the trend's window reaches beyond the known points.
    """

    def __init__(self, points: Points):
        self._owner, self._number, self._after = points.owner, points.number, points.after
        self._drawn, center = _drawn(points)
        self._sums = np.zeros(len(points.y) + len(points.owner.lengths))
        self._until = np.full(len(points.y), NEVER)
        known_from = np.where(points.known, points.available_at, NEVER)
        # A running sum or maximum is the work of a series: one over all would carry what came before it along.
        for number, (start, end) in enumerate(zip(points.owner.starts, points.owner.ends, strict=True)):
            np.cumsum(self._drawn[start:end], out=self._sums[start + number + 1 : end + number + 1])
            np.maximum.accumulate(known_from[start:end], out=self._until[start:end])
        rows = np.arange(len(points.y))
        length = points.season_length[points.number]
        first, last = rows - length // 2, rows - (length - 1) // 2 + length - 1
        inside_known = points.known & (length > 1)
        inside_known &= (first >= points.first_known[points.number]) & (last <= points.last_known[points.number])
        self.off = np.full(len(points.y), np.nan)
        own = np.flatnonzero(inside_known)
        self.off[own] = points.y[own] - center[points.number[own]] - self._average(own, length[own])

    def _average(self, rows: Ints, length: Ints) -> Floats:
        """Average over a season around each row."""
        at = rows + self._number[rows]
        early, late = at - length // 2, at - (length - 1) // 2
        sums = (self._sums[early + length] - self._sums[early]) + (self._sums[late + length] - self._sums[late])
        average: Floats = sums / (2 * length)
        return average

    def moved(self, points: Points, mask: Masks, rows: Ints, length: int) -> Floats:
        """Say by how much hiding the points of each mask moves the trend at the given rows.

        Args:
            points: The shard.
            mask: Masks in series of one season.
            rows: Shape (masks, …).
            length: Points a season.
        """
        share = share_of_way(points, mask.before[:, None], mask.after[:, None], mask.rows)
        start, end = points.y[mask.before][:, None], points.y[mask.after][:, None]
        bent = start + (end - start) * share - points.y[mask.rows]
        sums = np.concatenate([np.zeros((len(bent), 1)), np.cumsum(bent, axis=1)], axis=1)
        shape = (-1, *[1] * (rows.ndim - 1))
        first, which = mask.first.reshape(shape), np.arange(len(bent)).reshape(shape)

        def until(row: Ints) -> Floats:
            reached: Floats = sums[which, np.clip(row - first, 0, mask.length)]
            return reached

        early, late = rows - length // 2, rows - (length - 1) // 2
        ends, starts = until(early + length), until(early)
        same = length % 2 == 1  # a season of an odd number of points has one window, not two
        later = (ends, starts) if same else (until(late + length), until(late))
        moved: Floats = (ends - starts + later[0] - later[1]) / (2 * length)
        return moved

    def known_from(self, rows: Ints, length: int) -> Ints:
        """Say when the trend at each row, and all before it, could have been known; `NEVER` at `NOWHERE`."""
        reach = np.minimum(rows - (length - 1) // 2 + length - 1, self._owner.ends[self._number[rows]] - 1)
        last = self._after[np.maximum(reach, 0)]
        return np.where((rows == NOWHERE) | (last == NOWHERE), NEVER, self._until[last])


def _drawn(points: Points) -> tuple[Floats, Floats]:
    """Draw every series linearly in time between its known points, 0 outside of them.

    Returns:
        The drawn values less the mean of the series' known ones, which keeps the digits of running sums; that mean.
    """
    counts = points.owner.sum_ints(points.known)
    center = points.owner.sum_floats(np.where(points.known, points.y, 0.0)) / np.maximum(counts, 1)
    drawn = np.where(points.known, points.y - center[points.number], 0.0)
    rows = points.between
    before, after = points.before[rows], points.after[rows]
    drawn[rows] = drawn[before] + (drawn[after] - drawn[before]) * share_of_way(points, before, after, rows)
    return drawn, center


def _same_places(points: Points, rows: Ints, length: int, cycles: int) -> Ints:
    """Find the rows at the same place of the nearest seasons, the row's own among them.

    Seasons are counted from the series' first known point on; near its ends those nearest to the end are taken.

    Returns:
        Rows, shape (rows, cycles); `NOWHERE` where the series has no such row.
    """
    number = points.number[rows]
    first, last = points.first_known[number], points.last_known[number]
    cycle, place = np.divmod(rows - first, length)
    count = (last - first) // length + 1
    taken = int(min(cycles, count.max(initial=1)))
    start = np.clip(cycle - cycles // 2, 0, np.maximum(count - cycles, 0))
    found = (first + place)[:, None] + (start[:, None] + np.arange(taken)) * length
    return np.where(found <= last[:, None], found, NOWHERE)


def _mean(off: Floats) -> Floats:
    """Average over the last axis what is not NaN; NaN where all is."""
    there = ~np.isnan(off)
    counts = there.sum(axis=-1)
    sums = np.zeros(off.shape[:-1])
    for place in range(off.shape[-1]):  # one after another: the order must not hang on how many there are
        sums += np.where(there[..., place], off[..., place], 0.0)
    mean: Floats = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return mean


def _put_back(left: Floats, right: Floats, share: Floats, season: Floats) -> Floats:
    """Join what is left of the known values at both sides without their seasons, and put the season back."""
    filled: Floats = left + (right - left) * share + season
    return filled


def _long_enough(known: Ints, season_length: Ints) -> Bools:
    return (season_length > 1) & (known >= 2 * season_length)
