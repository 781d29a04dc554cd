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

from sparkhu.kernels.compiling import compiled
from sparkhu.kernels.filters import BLOCK, filtered
from sparkhu.kernels.windows import FLAT, Columns, Floats, Room, Smoother, columns_of, moments, weigh_even, window_of


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


@compiled
def loess(count: int, smoother: Smoother, space: Room) -> Loess:
    """Lay out the smoothing of `count` points, as many as there are columns at least."""
    stride = smoother.stride
    rows, more = count // stride, count % stride
    filtered = smoother.jump == 1 and rows >= smoother.window
    longer = columns_of(more - more, more, rows + 1, smoother, filtered, space)
    shorter = columns_of(more, stride - more, rows, smoother, filtered, space)
    before = stride if stride > 1 else 0
    size = count + 2 * before
    fits = Fits(np.empty(size), np.empty(size), np.empty(size))
    return Loess(smoother, longer, shorter, filtered, before, fits)


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
        taps, distance = window_of(number, columns, window, space)
        begin, at = columns.first + left * stride, columns.first + row * stride + way.before
        if stride == 1:
            fits.share[at], fits.center[at], fits.gain[at] = _three_sums(weights[begin:], taps, distance)
        else:
            moment, square = moments(taps, distance, space)
            filtered(weights[begin:], stride, taps, fits.share[at : at + count])
            filtered(weights[begin:], stride, moment, fits.center[at : at + count])
            filtered(weights[begin:], stride, square, fits.gain[at : at + count])
        _finish(fits, at, count, columns.rows, way.smoother.degree)


@compiled
def _prepare_evens(weights: Floats, way: Loess, space: Room) -> None:
    fits, stride, half = way.fits, way.smoother.stride, (way.smoother.window - 1) // 2
    plain, moment, square = weigh_even(way.smoother.window, space)
    first, end = half * stride + way.before, len(weights) - half * stride + way.before
    inner = weights[stride:]
    filtered(inner, stride, plain, fits.share[first:end])
    filtered(inner, stride, moment, fits.center[first:end])
    filtered(inner, stride, square, fits.gain[first:end])
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
def _smooth_ends(values: Floats, by_weight: Floats, way: Loess, space: Room, out: Floats) -> None:
    """Fit what of a single column is fitted one by one."""
    columns, fits = way.shorter, way.fits
    for number in range(columns.places.shape[1]):
        row, left = columns.places[0, number], columns.places[1, number]
        taps, distance = window_of(number, columns, way.smoother.window, space)
        level, slope = _two_sums(by_weight[left:], taps, distance)
        mean = level * fits.share[row]
        value = mean - fits.gain[row] * (slope * fits.share[row] - fits.center[row] * mean)
        out[row] = value if fits.share[row] > 0.0 else values[row]


@compiled
def _smooth_places(values: Floats, by_weight: Floats, way: Loess, columns: Columns, space: Room, out: Floats) -> None:
    """Fit what is fitted one by one; a fit beyond the ends is the nearest one where no point has a weight."""
    stride, count, rows = way.smoother.stride, columns.number, columns.rows
    level, slope = space.level[:count], space.slope[:count]
    for number in range(columns.places.shape[1]):
        row, left = columns.places[0, number], columns.places[1, number]
        taps, distance = window_of(number, columns, way.smoother.window, space)
        moment, _ = moments(taps, distance, space)
        begin, own = columns.first + left * stride, columns.first + min(max(row, 0), rows - 1) * stride
        filtered(by_weight[begin:], stride, taps, level)
        filtered(by_weight[begin:], stride, moment, slope)
        otherwise = values[own:] if 0 <= row < rows else out[own + way.before :]
        _fit(level, slope, way.fits, columns.first + row * stride + way.before, otherwise, out)


@compiled
def _smooth_evens(values: Floats, by_weight: Floats, way: Loess, weighted: bool, space: Room, out: Floats) -> None:
    """Fit what a filter fits: where all points weigh the same, the line's value in an even window is a plain mean."""
    stride, reach = way.smoother.stride, (way.smoother.window - 1) // 2 * way.smoother.stride
    plain, moment, _ = weigh_even(way.smoother.window, space)
    if not weighted:
        plain /= plain.sum()
        filtered(values[stride:], stride, plain, out[reach + way.before : len(values) - reach + way.before])
        return
    for first in range(reach, len(values) - reach, BLOCK):
        count = min(BLOCK, len(values) - reach - first)
        level, slope = space.level[:count], space.slope[:count]
        inner = by_weight[first - reach + stride :]
        filtered(inner, stride, plain, level)
        filtered(inner, stride, moment, slope)
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
        if columns.number and way.smoother.stride == 1:
            _smooth_ends(values, by_weight, way, space, out)
        elif columns.number:
            _smooth_places(values, by_weight, way, columns, space, out)
        if columns.number and way.smoother.jump > 1:
            _draw_lines(way, columns, out)
