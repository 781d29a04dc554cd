"""Where gaps lie in a sorted shard and which instants belong into them.

A stretch is one gap: a row of the shard that the new rows stand before or behind, how many, and the instants
they divide. All arithmetic is in whole microseconds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparkhu.periods import Period
from sparkhu.steps.segmented import Bools, Ints, Segments
from sparkhu.zones import DAY_US, from_wall, to_wall


@dataclass(frozen=True)
class Bounds:
    """The interval `[start, end)` that is marked, in microseconds; `None` where it is open.

    Attributes:
        start: Rows in front of a series begin here.
        end: Rows behind a series stop before here.
        preserve_last: No row in the last period before `end`.
    """

    start: int | None = None
    end: int | None = None
    preserve_last: bool = False


@dataclass(frozen=True)
class Stretches:
    """Gaps, one element each.

    Attributes:
        slot: The row that the new rows stand before; the number of rows for behind the last.
        number: The series' number.
        origin: The known instant that is counted from, microseconds.
        span: Microseconds to the other end; `parts` equal parts of it make the instants (fixed periods).
        parts: New rows + 1; kept even where too many rows are asked for.
        backward: Counted from `origin` towards the past.
    """

    slot: Ints
    number: Ints
    origin: Ints
    span: Ints
    parts: Ints
    backward: Bools

    @property
    def rows(self) -> Ints:
        """New rows of each gap."""
        return self.parts - 1

    def take(self, which: npt.NDArray[np.generic]) -> "Stretches":
        """Keep some of the gaps, by number or by mask."""
        return Stretches(
            self.slot[which],
            self.number[which],
            self.origin[which],
            self.span[which],
            self.parts[which],
            self.backward[which],
        )


def join(several: list[Stretches]) -> Stretches:
    """Put gaps together in the order of their slots; of one slot, those behind a series first."""
    names = ("slot", "number", "origin", "span", "parts", "backward")
    columns = {name: np.concatenate([getattr(one, name) for one in several]) for name in names}
    joined = Stretches(**columns)
    return joined.take(np.lexsort((joined.number, joined.slot)))


def find_stretches(ds: Ints, owner: Segments, series: Ints, period: Period, bounds: Bounds) -> Stretches:
    """Find the gaps between, in front of and behind the rows of some series of one period.

    Args:
        ds: Instants of all rows of the shard.
        owner: The series of the shard.
        series: The numbers of the series to look at.
        period: Their period.
        bounds: The interval; without start (end) nothing is added in front (behind).
    """
    chosen = np.zeros(len(owner.lengths), np.bool_)
    chosen[series] = True
    inner = owner.spread(chosen)
    inner[owner.starts] = False
    inner[1:] &= np.diff(ds) >= _least_gap(period)
    after = np.flatnonzero(inner)
    before = after - 1
    parts = count_parts(ds[before], ds[after], period)
    span = to_wall(ds[after], clock(period)) - to_wall(ds[before], clock(period))
    forward = np.zeros(len(after), np.bool_)
    number = np.searchsorted(owner.starts, after, side="right") - 1
    between = Stretches(after, number, ds[before], span, parts, forward).take(parts > 1)
    edges = []
    if bounds.start is not None:
        edges.append(_front(owner.starts[series], series, ds, bounds.start, period))
    if bounds.end is not None:
        edges.append(_behind(owner.ends[series], series, ds, bounds.end, period))
    return join([between, *edges])


def _least_gap(period: Period) -> int:
    """Give a length that no gap which holds a new row falls below, so that few rows need a closer look."""
    if period.microseconds is None or clock(period) != "UTC":
        return 0
    return period.microseconds + period.microseconds // 2


def clock(period: Period) -> str:
    """Name the zone on whose clock a fixed period divides a gap: whole days on their own, the rest in UTC."""
    whole_days = period.microseconds is not None and period.microseconds % DAY_US == 0
    return period.zone if whole_days else "UTC"


def count_parts(before: Ints, after: Ints, period: Period) -> Ints:
    """Count the periods in each gap, 1 where it is none.

    Fixed periods: a gap of 1.7·P or more holds ⌊(10·gap + 7·P) / (10·P)⌋. Calendar periods: the calendar's own
    count, where the gap is 1.7 periods or more by it.
    """
    P = period.microseconds
    if P is None:
        steps, rest = period.fit_us(before, after)
        return np.where((steps > 2) | ((steps == 2) & (10 * rest >= -3 * period.nominal_us)), steps, 1)
    gap = to_wall(after, clock(period)) - to_wall(before, clock(period))
    # With gap = whole·P + rest: 10·gap ≥ 17·P and ⌊(10·gap + 7·P) / (10·P)⌋, without products that leave 64 bits.
    whole, rest = gap // P, gap % P
    return np.where((whole > 1) | ((whole == 1) & (10 * rest >= 7 * P)), whole + (10 * rest >= 3 * P), 1)


def _front(slot: Ints, series: Ints, ds: Ints, start: int, period: Period) -> Stretches:
    first = ds[slot]
    starts = np.full(len(first), start)
    if period.microseconds is not None:
        room = to_wall(first, clock(period)) - to_wall(starts, clock(period))
        rows = np.maximum(room // period.microseconds, 0)
    else:
        guess = period.fit_us(starts, first)[0]
        fits = [(k > 0) & (period.shift_us(first, -k) >= start) for k in (guess + 1, guess, guess - 1)]
        rows = np.select(fits, [guess + 1, guess, guess - 1], 0)
    return _edge(slot, series, first, rows, period, backward=True)


def _behind(slot: Ints, series: Ints, ds: Ints, end: int, period: Period) -> Stretches:
    last = ds[slot - 1]
    ends = np.full(len(last), end)
    if period.microseconds is not None:
        room = to_wall(ends, clock(period)) - to_wall(last, clock(period))
        rows = np.maximum((room - 1) // period.microseconds, 0)
    else:
        guess = period.fit_us(last, ends)[0]
        fits = [(k > 0) & (period.shift_us(last, k) < end) for k in (guess + 1, guess, guess - 1)]
        rows = np.select(fits, [guess + 1, guess, guess - 1], 0)
    return _edge(slot, series, last, rows, period, backward=False)


def _edge(slot: Ints, series: Ints, origin: Ints, rows: Ints, period: Period, *, backward: bool) -> Stretches:
    span = (rows + 1) * (period.microseconds or 0)
    found = Stretches(slot, series, origin, span, rows + 1, np.full(len(rows), backward))
    return found.take(rows > 0)


def new_instants(stretches: Stretches, period: Period) -> Ints:
    """Give the instants of the new rows, gap after gap, each in ascending order."""
    rows = stretches.rows
    each = np.repeat(np.arange(len(rows)), rows)
    k = np.arange(int(rows.sum())) - np.repeat(np.cumsum(rows) - rows, rows) + 1
    backward, parts = stretches.backward[each], stretches.parts[each]
    k = np.where(backward, k - parts, k)
    origin = stretches.origin[each]
    if period.microseconds is None:
        return period.shift_us(origin, k)
    whole, rest = np.divmod(stretches.span[each], parts)
    return from_wall(to_wall(origin, clock(period)) + k * whole + k * rest // parts, clock(period))


def last_period(bounds: Bounds, period: Period) -> tuple[int, int] | None:
    """Give the interval `[end − P, end)` that stays free of new rows, where one is to stay so."""
    if not bounds.preserve_last or bounds.end is None:
        return None
    return int(period.shift_us(np.array([bounds.end]), np.array([-1]))[0]), bounds.end
