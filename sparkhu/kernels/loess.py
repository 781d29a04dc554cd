"""Local lines (loess) through evenly spaced points, many columns at a time.

W. S. Cleveland (1979), in the form that STL uses (R. B. Cleveland et al., 1990, and its Fortran program `stl`): tricube
weights over the nearest `window` points, a line or a constant, fitted at every point, or at every `jump`-th one with
straight lines between.

Columns: the points of one place in a cycle, all Mondays say, are a series of their own. They are smoothed as they lie:
with `stride` places in the cycle, row `r` of column `c` is `values[r * stride + c]`. A whole series is one column.

Where a window reaches equally far to both sides its weights are the same numbers at every point, so the sums that fits
there need are filters with fixed taps (`sparkhu.kernels.filters`); only at the ends is each point on its own. Sums of
weights alone (`Fits`) change with the weights, not with the values, and are taken once for many rounds.

No constant is passed to a compiled function below: the compiler would compile it once more for that constant alone.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparkhu.kernels.compiling import compiled
from sparkhu.kernels.filters import BLOCK, filtered

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FLAT = 0.001
"""Nearer than this part of the width a point weighs 1; a line is fitted where points spread by this part of the row."""
NEAR = 0.999
"""Farther than this part of the width a point weighs nothing."""
KEPT = 1 << 18
"""Weights of windows that are kept for the next round; where there are more, computing them is as fast as reading."""


class Smoother(NamedTuple):
    """What is fitted.

    Attributes:
        window: Points that a fit looks at, odd.
        degree: 1, a line; 0, a constant.
        jump: Points from one fit to the next.
        stride: Columns: 1 for a series as a whole, more for the places of a cycle. Each place of a cycle gets a fit
            before its first point and one behind its last as well.
    """

    window: int
    degree: int
    jump: int
    stride: int


class Columns(NamedTuple):
    """Neighbouring columns of one length.

    Attributes:
        first: The first of them.
        number: How many there are.
        rows: Points in each.
        places: Fits that are made one by one: the row of each, and below it the first row of its window.
        kept: The weights of their windows, one after another; empty where they are too many.
    """

    first: int
    number: int
    rows: int
    places: Ints
    kept: Floats


class Fits(NamedTuple):
    """What the fits at points have of the weights alone, one number a fit.

    Attributes:
        share: 1 over the sum of weights; 0 where there is none.
        center: How far the weighted mean of places is from the point's own.
        gain: By how much the point's value falls for a slope of the values at that mean.
    """

    share: Floats
    center: Floats
    gain: Floats


class Loess(NamedTuple):
    """The smoothing of series of one length.

    Attributes:
        smoother: What is fitted.
        longer: Columns that have a point more, if there are any.
        shorter: The others.
        filtered: Whether fits in an even window are left to a filter.
        before: Fits before the first point.
        fits: What the fits have of the weights.
    """

    smoother: Smoother
    longer: Columns
    shorter: Columns
    filtered: bool
    before: int
    fits: Fits


class Room(NamedTuple):
    """Tables and room to work in.

    Attributes:
        distance: −n, …, −1, 0, 1, …, n, with n not below the width of any window.
        cube: The third power of its size.
        plain: For the weights of a window.
        moment: For these times distance.
        square: For these times its square.
        level: For a sum a column, or a point of a block.
        slope: For another one.
    """

    distance: Floats
    cube: Floats
    plain: Floats
    moment: Floats
    square: Floats
    level: Floats
    slope: Floats


@compiled
def room(widest: int, columns: int) -> Room:
    """Make room for windows up to a width and so many columns."""
    distance, cube = np.empty(2 * widest + 1), np.empty(2 * widest + 1)
    for place in range(2 * widest + 1):
        size = float(place - widest)
        distance[place], cube[place] = size, abs(size * size * size)
    block = max(BLOCK, columns)
    return Room(distance, cube, np.empty(widest), np.empty(widest), np.empty(widest), np.empty(block), np.empty(block))


@compiled
def _left_end(row: int, rows: int, window: int) -> int:
    """Say where the window of a row begins: around it, and at the ends as far as there are points."""
    return min(max(row - (window - 1) // 2, 0), max(rows - window, 0))


@compiled
def _places(rows: int, smoother: Smoother, filtered: bool) -> Ints:
    """List the fits that are made one by one (see `Columns`), those beyond the ends last.

    Every `jump`-th row and the last one, whose window, where it is no such row, stays that of the fit before it.
    """
    window, half = smoother.window, (smoother.window - 1) // 2
    jump = max(min(smoother.jump, rows - 1), 1)
    found, count = np.empty((2, rows + 3), np.int64), 0
    for row in range(0, rows, jump):
        if not (filtered and half <= row < rows - half):
            found[0, count], found[1, count] = row, _left_end(row, rows, window)
            count += 1
    behind = (rows - 1) // jump * jump
    if behind < rows - 1:
        found[0, count], found[1, count] = rows - 1, _left_end(behind, rows, window)
        count += 1
    if smoother.stride > 1:
        found[0, count], found[1, count] = -1, 0
        found[0, count + 1], found[1, count + 1] = rows, max(rows - window, 0)
        count += 2
    return found[:, :count]


@compiled
def _weigh(row: int, left: int, rows: int, window: int, space: Room) -> tuple[Floats, Floats]:
    """Give the weights of a window for a fit at a row, and the distances.

    Args:
        row: Where the fit is.
        left: First row of the window.
        rows: All rows.
        window: Points in the window; where it has more than there are rows, weights reach that much farther out.
        space: Room to work in.
    """
    width = min(window, rows)
    farthest = max(row - left, left + width - 1 - row)
    far = float(farthest + (window - rows) // 2 if window > rows else farthest)
    begin = len(space.distance) // 2 + left - row
    distance, cube, weights = space.distance[begin : begin + width], space.cube[begin:], space.plain[:width]
    scale = 1.0 / (far * far * far)
    for place in range(width):
        rest = 1.0 - cube[place] * scale
        weights[place] = rest * rest * rest
    for place in range(max(int(row - FLAT * far), left), min(int(row + FLAT * far) + 1, left + width)):
        if abs(place - row) <= FLAT * far:
            weights[place - left] = 1.0
    for place in range(width):
        if abs(distance[place]) <= NEAR * far:
            break
        weights[place] = 0.0
    for place in range(width - 1, -1, -1):
        if abs(distance[place]) <= NEAR * far:
            break
        weights[place] = 0.0
    return weights, distance


@compiled
def _columns(first: int, count: int, rows: int, smoother: Smoother, filtered: bool, space: Room) -> Columns:
    places, width = _places(rows, smoother, filtered), min(rows, smoother.window)
    fits = places.shape[1] if count and places.shape[1] * width <= KEPT else 0
    kept = np.empty(fits * width)
    for number in range(fits):
        weights, _ = _weigh(places[0, number], places[1, number], rows, smoother.window, space)
        for place in range(width):
            kept[number * width + place] = weights[place]
    return Columns(first, count, rows, places, kept)


@compiled
def loess(count: int, smoother: Smoother, space: Room) -> Loess:
    """Lay out the smoothing of `count` points, as many as there are columns at least."""
    stride = smoother.stride
    rows, more = count // stride, count % stride
    filtered = smoother.jump == 1 and rows >= smoother.window
    longer = _columns(more - more, more, rows + 1, smoother, filtered, space)
    shorter = _columns(more, stride - more, rows, smoother, filtered, space)
    before = stride if stride > 1 else 0
    size = count + 2 * before
    fits = Fits(np.empty(size), np.empty(size), np.empty(size))
    return Loess(smoother, longer, shorter, filtered, before, fits)


@compiled
def _window(number: int, columns: Columns, window: int, space: Room) -> tuple[Floats, Floats]:
    """Give the weights of the window of a listed fit, and the distances."""
    row, left, width = columns.places[0, number], columns.places[1, number], min(window, columns.rows)
    if not len(columns.kept):
        return _weigh(row, left, columns.rows, window, space)
    begin = len(space.distance) // 2 + left - row
    return columns.kept[number * width : (number + 1) * width], space.distance[begin : begin + width]


@compiled
def _moments(weights: Floats, distance: Floats, space: Room) -> tuple[Floats, Floats]:
    """Give weights times distance and times its square."""
    moment, square = space.moment[: len(weights)], space.square[: len(weights)]
    for place in range(len(weights)):
        moment[place] = weights[place] * distance[place]
        square[place] = moment[place] * distance[place]
    return moment, square


@compiled
def _weigh_even(window: int, space: Room) -> tuple[Floats, Floats, Floats]:
    """Give the weights of a window that reaches equally far to both sides, and their moments."""
    weights, distance = _weigh(window // 2, window - window, window, window, space)
    moment, square = _moments(weights, distance, space)
    return weights, moment, square


@compiled
def _two_sums(values: Floats, weights: Floats, distance: Floats) -> tuple[float, float]:
    """Sum values times weights, and these times distance."""
    level = slope = 0.0
    for place in range(len(weights)):
        part = weights[place] * values[place]
        level += part
        slope += part * distance[place]
    return level, slope


@compiled
def _three_sums(values: Floats, weights: Floats, distance: Floats) -> tuple[float, float, float]:
    """Sum values times weights, these times distance, and times its square."""
    total = moment = square = 0.0
    for place in range(len(weights)):
        part = weights[place] * values[place]
        first = part * distance[place]
        total += part
        moment += first
        square += first * distance[place]
    return total, moment, square


@compiled
def _finish(fits: Fits, at: int, count: int, rows: int, degree: int) -> None:
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
def _prepare_places(weights: Floats, way: Loess, columns: Columns, space: Room) -> None:
    stride, window, fits, count = way.smoother.stride, way.smoother.window, way.fits, columns.number
    for number in range(columns.places.shape[1]):
        row, left = columns.places[0, number], columns.places[1, number]
        taps, distance = _window(number, columns, window, space)
        begin, at = columns.first + left * stride, columns.first + row * stride + way.before
        if stride == 1:
            fits.share[at], fits.center[at], fits.gain[at] = _three_sums(weights[begin:], taps, distance)
        else:
            moment, square = _moments(taps, distance, space)
            filtered(weights[begin:], stride, taps, fits.share[at : at + count])
            filtered(weights[begin:], stride, moment, fits.center[at : at + count])
            filtered(weights[begin:], stride, square, fits.gain[at : at + count])
        _finish(fits, at, count, columns.rows, way.smoother.degree)


@compiled
def _prepare_evens(weights: Floats, way: Loess, space: Room) -> None:
    fits, stride, half = way.fits, way.smoother.stride, (way.smoother.window - 1) // 2
    plain, moment, square = _weigh_even(way.smoother.window, space)
    first, end = half * stride + way.before, len(weights) - half * stride + way.before
    filtered(weights, stride, plain, fits.share[first:end])
    filtered(weights, stride, moment, fits.center[first:end])
    filtered(weights, stride, square, fits.gain[first:end])
    if stride == 1:
        _finish(fits, first, end - first, len(weights), way.smoother.degree)
        return
    for row in range(half, way.longer.rows - half):
        for columns in (way.longer, way.shorter):
            if row < columns.rows - half:
                at = row * stride + columns.first + way.before
                _finish(fits, at, columns.number, columns.rows, way.smoother.degree)


@compiled
def prepare(weights: Floats, way: Loess, weighted: bool, space: Room) -> None:
    """Take the sums of the weights that fits need.

    Args:
        weights: One a point.
        way: What is smoothed how; its `fits` are set.
        weighted: Whether weights are not all 1.
        space: Room to work in.
    """
    if way.filtered and weighted:
        _prepare_evens(weights, way, space)
    for columns in (way.longer, way.shorter):
        if columns.number:
            _prepare_places(weights, way, columns, space)


@compiled
def _fit(level: Floats, slope: Floats, fits: Fits, at: int, otherwise: Floats, out: Floats) -> None:
    """Turn sums of weighted values, and of these times distance, into fits; `otherwise` where nothing has weight."""
    count = len(level)
    share, center, gain = fits.share[at : at + count], fits.center[at : at + count], fits.gain[at : at + count]
    into = out[at : at + count]
    for i in range(count):
        mean = level[i] * share[i]
        value = mean - gain[i] * (slope[i] * share[i] - center[i] * mean)
        into[i] = value if share[i] > 0.0 else otherwise[i]


@compiled
def _smooth_places(values: Floats, by_weight: Floats, way: Loess, columns: Columns, space: Room, out: Floats) -> None:
    """Fit what is fitted one by one; a fit beyond the ends is the nearest one where no point has a weight."""
    stride, count, rows = way.smoother.stride, columns.number, columns.rows
    level, slope = space.level[:count], space.slope[:count]
    for number in range(columns.places.shape[1]):
        row, left = columns.places[0, number], columns.places[1, number]
        taps, distance = _window(number, columns, way.smoother.window, space)
        begin, own = columns.first + left * stride, columns.first + min(max(row, 0), rows - 1) * stride
        if stride == 1:
            level[0], slope[0] = _two_sums(by_weight[begin:], taps, distance)
        else:
            moment, _ = _moments(taps, distance, space)
            filtered(by_weight[begin:], stride, taps, level)
            filtered(by_weight[begin:], stride, moment, slope)
        otherwise = values[own:] if 0 <= row < rows else out[own + way.before :]
        _fit(level, slope, way.fits, columns.first + row * stride + way.before, otherwise, out)


@compiled
def _smooth_evens(values: Floats, by_weight: Floats, way: Loess, weighted: bool, space: Room, out: Floats) -> None:
    """Fit what a filter fits: where all points weigh the same, the line's value in an even window is a plain mean."""
    stride, reach = way.smoother.stride, (way.smoother.window - 1) // 2 * way.smoother.stride
    plain, moment, _ = _weigh_even(way.smoother.window, space)
    if not weighted:
        plain /= plain.sum()
        filtered(values, stride, plain, out[reach + way.before : len(values) - reach + way.before])
        return
    for first in range(reach, len(values) - reach, BLOCK):
        count = min(BLOCK, len(values) - reach - first)
        level, slope = space.level[:count], space.slope[:count]
        filtered(by_weight[first - reach :], stride, plain, level)
        filtered(by_weight[first - reach :], stride, moment, slope)
        _fit(level, slope, way.fits, first + way.before, values[first:], out)


@compiled
def _draw_lines(way: Loess, columns: Columns, out: Floats) -> None:
    """Draw straight lines between the fits of each column, where not every row is fitted."""
    stride, count, rows = way.smoother.stride, columns.number, columns.rows
    jump = max(min(way.smoother.jump, rows - 1), 1)
    for row in range(0, rows - 1, jump):
        following = min(row + jump, rows - 1)
        start = columns.first + row * stride + way.before
        end = start + (following - row) * stride
        for between in range(row + 1, following):
            share = (between - row) / (following - row)
            near, far, into = out[start : start + count], out[end:], out[start + (between - row) * stride :]
            for i in range(count):
                into[i] = near[i] + (far[i] - near[i]) * share


@compiled
def smooth(values: Floats, by_weight: Floats, way: Loess, weighted: bool, space: Room, out: Floats) -> None:
    """Smooth a series, or every place of a cycle.

    Args:
        values: The series. Where no point near one has a weight, that one keeps its value.
        by_weight: The values times their weights.
        way: What is smoothed how, prepared for the weights.
        weighted: Whether weights are not all 1.
        space: Room to work in.
        out: For the result: as long as the values, or a cycle longer at both ends.
    """
    if way.filtered:
        _smooth_evens(values, by_weight, way, weighted, space, out)
    for columns in (way.longer, way.shorter):
        if columns.number:
            _smooth_places(values, by_weight, way, columns, space, out)
            if way.smoother.jump > 1:
                _draw_lines(way, columns, out)
