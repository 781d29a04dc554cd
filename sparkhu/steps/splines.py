"""Filling on the cubic spline through the known points, only between them.

The spline is the interpolating one with continuous second derivatives and the not-a-knot condition at both ends
(C. de Boor, A Practical Guide to Splines, chapter IV), as `scipy.interpolate.CubicSpline` draws it. The pull of a
point on the slope at a gap fades by a factor of about 2 − √3 ≈ 0.27 with every point between them, so each gap is
drawn through its `NEIGHBOURS` nearest known points on either side: equal to the spline through all of them to better
than 1e-8 of the values' spread, and known as soon as the last of these points is.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from sparkhu.steps.estimates import Estimate, Masks, Strategy, inside, share_of_way
from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NEVER, NOWHERE, Bools, Floats, Ints

NEIGHBOURS = 24
"""Known points on each side that a piece is drawn through."""
LEAST_POINTS = 4
CHUNK = 2048
"""Gaps computed at a time, to bound the memory."""


class Spline(Strategy):
    """The cubic spline through the known points; nothing outside of them."""

    need = f"fewer than {LEAST_POINTS} known points"

    def applies(self, points: Points) -> Bools:
        """See `Strategy`."""
        return points.owner.sum_ints(points.known) >= LEAST_POINTS

    def fill(self, points: Points) -> Estimate:
        """See `Strategy`."""
        rows = points.between
        first, gap = np.unique(points.before[rows], return_index=True)
        start, end, latest = _slopes(points, first, points.after[rows[gap]])
        place = np.searchsorted(first, points.before[rows])
        before, after = points.before[rows], points.after[rows]
        share = share_of_way(points, before, after, rows)
        values = _cubic((points.y[before], points.y[after]), (start[place], end[place]), share)
        return inside(points, rows, values, latest[place])

    def refill(self, points: Points, masks: Sequence[Masks]) -> list[Floats]:
        """See `Strategy`."""
        refilled = []
        for mask in masks:
            start, end, _ = _slopes(points, mask.before, mask.after)
            before, after = mask.before[:, None], mask.after[:, None]
            share = share_of_way(points, before, after, mask.rows)
            ends = points.y[before], points.y[after]
            refilled.append(_cubic(ends, (start[:, None], end[:, None]), share))
        return refilled


def _cubic(ends: tuple[Floats, Floats], slopes: tuple[Floats, Floats], share: Floats) -> Floats:
    """Draw the cubic across a gap from its values and slopes at both sides; slopes are in units of the gap."""
    (first, last), (start, end) = ends, slopes
    rise = last - first
    cubic: Floats = first + rise * share + share * (1 - share) * ((1 - share) * (start - rise) - share * (end - rise))
    return cubic


def _slopes(points: Points, before: Ints, after: Ints) -> tuple[Floats, Floats, Ints]:
    """Find the slopes of the spline at both sides of gaps.

    Args:
        points: The shard.
        before: The known row before each gap.
        after: The known row behind it.

    Returns:
        The slopes at both, rise across the gap's width; NaN where there are too few known points; and when the latest
        point used became available.
    """
    parts = [_chunk_slopes(points, before[part], after[part]) for part in _chunks(len(before))]
    start, end, latest = (np.concatenate(column) for column in zip(*parts, strict=True))
    return start, end, latest


def _chunks(size: int) -> Iterator[slice]:
    """Cut into parts; one empty part where there is nothing."""
    for first in range(0, max(size, 1), CHUNK):
        yield slice(first, first + CHUNK)


def _chunk_slopes(points: Points, before: Ints, after: Ints) -> tuple[Floats, Floats, Ints]:
    left, right = points.known_back(before, NEIGHBOURS), points.known_on(after, NEIGHBOURS)
    near = np.hstack([left, right])
    there = near != NOWHERE
    # Times in units of the gap and values from its first side on: no digits are lost to a large offset.
    width = (points.ds[after] - points.ds[before]).astype(np.float64)[:, None]
    x = np.where(there, (points.ds[near] - points.ds[before][:, None]) / width, np.nan)
    y = np.where(there, points.y[near] - points.y[before][:, None], np.nan)
    latest = np.where(there, points.available_at[near], NEVER).max(axis=1, initial=NEVER)
    one, other = x[:, :NEIGHBOURS], x[:, NEIGHBOURS:]
    rest, slope = _eliminate(one, y[:, :NEIGHBOURS], other, y[:, NEIGHBOURS:])
    rest_on, slope_on = _eliminate(other, y[:, NEIGHBOURS:], one, y[:, :NEIGHBOURS])
    enough = there.sum(axis=1) >= LEAST_POINTS
    start = np.where(enough, (rest + slope * rest_on) / np.where(enough, 1 - slope * slope_on, 1.0), np.nan)
    return start, rest_on + slope_on * start, latest


def _eliminate(x: Floats, y: Floats, x_over: Floats, y_over: Floats) -> tuple[Floats, Floats]:
    """Eliminate the slopes on one side of gaps from outside in, up to the point next to the gap.

    The equations are those of the slopes `s` (de Boor's tridiagonal system): with the distances `a` and `b` to the
    next point outwards and inwards, and the differences of values over distance `p` and `q` there,
    `b·s_out + 2(a + b)·s + a·s_in = 3(a·q + b·p)`; at the outermost point, with `c` and `r` one further in,
    `c·s + (b + c)·s_in = ((b + 2(b + c))·c·q + b²·r) / (b + c)`.

    Args:
        x: Times of the points on this side, the nearest first, shape (gaps, neighbours); NaN where there is none.
        y: Their values.
        x_over: Times of the points on the other side.
        y_over: Their values.

    Returns:
        `rest` and `factor`: the slope at the nearest point of this side is `rest + factor ·` that of the other side's.
    """
    gaps, size = x.shape
    x = np.hstack([x_over[:, 1::-1], x])
    distance = np.abs(np.diff(x, axis=1))
    with np.errstate(invalid="ignore"):
        rise = np.diff(np.hstack([y_over[:, 1::-1], y]), axis=1) / np.diff(x, axis=1)
    outermost = (~np.isnan(x[:, 2:])).sum(axis=1) - 1
    rest, factor = np.full(gaps, np.nan), np.full(gaps, np.nan)
    for place in range(size - 1, -1, -1):
        c, b = distance[:, place], distance[:, place + 1]
        r, q = rise[:, place], rise[:, place + 1]
        last = ((b + 2 * (b + c)) * c * q + b**2 * r) / (b + c) / c, -(b + c) / c
        if place < size - 1:
            a, p = distance[:, place + 2], rise[:, place + 2]
            weight = 2 * (a + b) + b * factor
            within = (3 * (a * q + b * p) - b * rest) / weight, -a / weight
            rest, factor = (np.where(place < outermost, w, v) for w, v in zip(within, last, strict=True))
        else:
            rest, factor = last
    return rest, factor
