"""Local lines (loess) through evenly spaced points, many columns at a time.

W. S. Cleveland (1979), in the form that STL uses (R. B. Cleveland et al., 1990, and its Fortran program `stl`): tricube
weights over the nearest `window` points, a line or a constant, fitted at every point, or at every `jump`-th one with
straight lines between.

Values lie row by row, `stride` apart: row `r` of column `c` is `values[first + r * stride + c]`. One long series is one
column with stride 1; the series of all Mondays, of all Tuesdays and so on are seven columns of a series as it lies.

Where a window reaches equally far to both sides its weights are the same numbers at every point, so the sums that fits
there need are filters with fixed taps (`sparkhu.kernels.filters`); only at the ends is each point on its own. Sums of
weights alone (`Fits`) change with the weights, not with the values, and are taken once for many rounds.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparkhu.kernels.compiling import compiled
from sparkhu.kernels.filters import BLOCK, add_filtered, filtered

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FLAT = 0.001
"""Nearer than this part of the width a point weighs 1; a line is fitted where points spread by this part of the row."""
NEAR = 0.999
"""Farther than this part of the width a point weighs nothing."""


class Smoother(NamedTuple):
    """What is fitted: points in the window (odd), degree 0 or 1, points from one fit to the next."""

    window: int
    degree: int
    jump: int


class Columns(NamedTuple):
    """Where points lie (see above): `count` columns of `rows` points each."""

    first: int
    count: int
    stride: int
    rows: int


class Fits(NamedTuple):
    """What the fits at points have of the weights alone, one number a point that is fitted.

    Attributes:
        share: 1 over the sum of weights; 0 where there is none.
        center: How far the weighted mean of places is from the point's own.
        gain: By how much the point's value falls for a slope of the values at that mean.
    """

    share: Floats
    center: Floats
    gain: Floats


class Room(NamedTuple):
    """Room to work in: the weights of a window (see `weigh`), and two sums a point of a block or column."""

    plain: Floats
    moment: Floats
    square: Floats
    level: Floats
    slope: Floats


@compiled
def left_end(row: int, rows: int, window: int) -> int:
    """Say where the window of a row begins: around it, and at the ends as far as there are points."""
    return min(max(row - (window - 1) // 2, 0), max(rows - window, 0))


@compiled
def fits_in(rows: int, smoother: Smoother) -> bool:
    """Say whether a fit at every row whose window is even is left to a filter."""
    return smoother.jump == 1 and rows >= smoother.window


@compiled
def places(rows: int, smoother: Smoother, extended: bool, filtered: bool) -> Ints:
    """List the fits one by one: the row of each, and below it the first row of its window.

    Every `jump`-th row and the last one, whose window, where it is no such row, stays that of the fit before it; then,
    if `extended`, one before the first and one behind the last. Rows with an even window are left out if `filtered`.
    """
    jump, half = max(min(smoother.jump, rows - 1), 1), (smoother.window - 1) // 2
    found, count = np.empty((2, rows + 3), np.int64), 0
    for row in range(0, rows, jump):
        if not (filtered and half <= row < rows - half):
            found[0, count], found[1, count] = row, left_end(row, rows, smoother.window)
            count += 1
    behind = (rows - 1) // jump * jump
    if behind < rows - 1:
        found[0, count], found[1, count] = rows - 1, left_end(behind, rows, smoother.window)
        count += 1
    if extended:
        found[0, count], found[1, count] = -1, left_end(-1, rows, smoother.window)
        found[0, count + 1], found[1, count + 1] = rows, left_end(rows, rows, smoother.window)
        count += 2
    return found[:, :count]


@compiled
def weigh(row: int, left: int, rows: int, window: int, room: Room) -> tuple[Floats, Floats, Floats]:
    """Give the weights of a window for a fit at a row: as they are, times distance, and times its square.

    Args:
        row: Where the fit is.
        left: First row of the window.
        rows: All rows.
        window: Points in the window; where it has more than there are rows, weights reach that much farther out.
        room: Where they are put.
    """
    width = min(window, rows)
    farthest = max(row - left, left + width - 1 - row)
    far = float(farthest + (window - rows) // 2 if window > rows else farthest)
    flat, near, scale, shift = FLAT * far, NEAR * far, 1.0 / far, float(left - row)
    plain, moment, square = room.plain[:width], room.moment[:width], room.square[:width]
    for place in range(width):
        distance = place + shift
        size = abs(distance)
        share = size * scale
        rest = 1.0 - share * share * share
        weight = rest * rest * rest
        weight = 1.0 if size <= flat else weight
        weight = weight if size <= near else 0.0
        plain[place] = weight
        moment[place] = weight * distance
        square[place] = weight * distance * distance
    return plain, moment, square


@compiled
def prepare(fits: Fits, at: int, count: int, rows: int, degree: int) -> None:
    """Turn sums of weight, of weight times distance and times its square, kept in `fits`, into what they are for."""
    share, center, gain = fits.share[at : at + count], fits.center[at : at + count], fits.gain[at : at + count]
    least = (FLAT * (rows - 1)) ** 2 if degree > 0 and rows > 1 else np.inf
    for i in range(count):
        one = 1.0 / share[i] if share[i] > 0.0 else 0.0
        middle = center[i] * one
        spread = gain[i] * one - middle * middle
        share[i], center[i] = one, middle
        gain[i] = middle / spread if spread > least else 0.0


@compiled
def _fit(level: Floats, slope: Floats, fits: Fits, otherwise: Floats, at: int, out: Floats) -> None:
    """Turn sums of weighted values, and of these times distance, into fits; `otherwise` where nothing has weight."""
    count = len(out)
    share, center, gain = fits.share[at : at + count], fits.center[at : at + count], fits.gain[at : at + count]
    for i in range(count):
        mean = level[i] * share[i]
        value = mean - gain[i] * (slope[i] * share[i] - center[i] * mean)
        out[i] = value if share[i] > 0.0 else otherwise[i]


@compiled
def _sum_window(values: Floats, begin: int, stride: int, taps: Floats, sums: Floats) -> None:
    """Sum a window times taps, every column into one number of `sums`."""
    if stride == 1:
        near, total = values[begin : begin + len(taps)], 0.0
        for place in range(len(taps)):
            total += taps[place] * near[place]
        sums[0] = total
    else:
        sums[:] = 0.0
        add_filtered(values, begin, stride, taps, sums)


@compiled
def prepare_places(
    weights: Floats, columns: Columns, smoother: Smoother, listed: Ints, fits: Fits, shift: int, room: Room
) -> None:
    """Sum the weights for listed fits; `shift` is how much later than the values their fits stand."""
    first, count, stride, rows = columns
    for number in range(listed.shape[1]):
        row, left = listed[0, number], listed[1, number]
        plain, moment, square = weigh(row, left, rows, smoother.window, room)
        begin, at = first + left * stride, first + row * stride + shift
        _sum_window(weights, begin, stride, plain, fits.share[at : at + count])
        _sum_window(weights, begin, stride, moment, fits.center[at : at + count])
        _sum_window(weights, begin, stride, square, fits.gain[at : at + count])
        prepare(fits, at, count, rows, smoother.degree)


@compiled
def smooth_places(
    weighted: Floats, values: Floats, columns: Columns, smoother: Smoother, listed: Ints, fits: Fits, shift: int,
    room: Room, out: Floats,
) -> None:
    """Fit at listed places.

    Args:
        weighted: The values times their weights.
        values: The values: where no point of a window has a weight, a point keeps its own.
        columns: Where they lie.
        smoother: What is fitted.
        listed: See `places`.
        fits: Prepared for the weights.
        shift: How much later than the values their fits stand.
        room: Room to work in.
        out: Where fits go. Those beyond the ends are the nearest ones where no point of a window has a weight.
    """
    first, count, stride, rows = columns
    level, slope = room.level[:count], room.slope[:count]
    for number in range(listed.shape[1]):
        row, left = listed[0, number], listed[1, number]
        plain, moment, _ = weigh(row, left, rows, smoother.window, room)
        begin, at = first + left * stride, first + row * stride
        _sum_window(weighted, begin, stride, plain, level)
        _sum_window(weighted, begin, stride, moment, slope)
        otherwise = values[at : at + count] if 0 <= row < rows else out[at + shift + (stride if row < 0 else -stride) :]
        _fit(level, slope, fits, otherwise, at + shift, out[at + shift : at + shift + count])


@compiled
def weigh_even(window: int, room: Room) -> tuple[Floats, Floats, Floats]:
    return weigh(0, -(window // 2), window, window, room)


@compiled
def prepare_even(
    weights: Floats, stride: int, smoother: Smoother, fits: Fits, shift: int, room: Room
) -> None:
    """Sum the weights for all fits whose window is even; `prepare` has to follow."""
    begin = (smoother.window - 1) // 2 * stride
    end = len(weights) - begin + shift
    plain, moment, square = weigh_even(smoother.window, room)
    filtered(weights, stride, plain, fits.share[begin + shift : end])
    filtered(weights, stride, moment, fits.center[begin + shift : end])
    filtered(weights, stride, square, fits.gain[begin + shift : end])


@compiled
def smooth_even(
    weighted: Floats, values: Floats, stride: int, smoother: Smoother, fits: Fits, shift: int, room: Room, out: Floats
) -> None:
    """Fit at all points whose window is even; see `smooth_places`."""
    begin = (smoother.window - 1) // 2 * stride
    end = len(values) - begin
    plain, moment, _ = weigh_even(smoother.window, room)
    for first in range(begin, end, BLOCK):
        last = min(first + BLOCK, end)
        level, slope = room.level[: last - first], room.slope[: last - first]
        level[:] = 0.0
        slope[:] = 0.0
        add_filtered(weighted, first - begin, stride, plain, level)
        add_filtered(weighted, first - begin, stride, moment, slope)
        _fit(level, slope, fits, values[first:last], first + shift, out[first + shift : last + shift])


@compiled
def average_even(values: Floats, stride: int, smoother: Smoother, shift: int, room: Room, out: Floats) -> None:
    """Fit at all points whose window is even where all weigh the same: the line's value there is a weighted mean."""
    begin = (smoother.window - 1) // 2 * stride
    taps, _, _ = weigh_even(smoother.window, room)
    taps /= taps.sum()
    filtered(values, stride, taps, out[begin + shift : len(values) - begin + shift])


@compiled
def draw_lines(columns: Columns, smoother: Smoother, shift: int, out: Floats) -> None:
    """Draw straight lines between the fits of each column, where not every row is fitted."""
    first, count, stride, rows = columns
    jump = max(min(smoother.jump, rows - 1), 1)
    if jump == 1:
        return
    for row in range(0, rows - 1, jump):
        following = min(row + jump, rows - 1)
        start = first + row * stride + shift
        near, far = out[start : start + count], out[start + (following - row) * stride :]
        for between in range(row + 1, following):
            share = (between - row) / (following - row)
            at = start + (between - row) * stride
            into = out[at : at + count]
            for i in range(count):
                into[i] = near[i] + (far[i] - near[i]) * share
