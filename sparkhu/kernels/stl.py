"""STL: a series as trend, one season and remainder, by loess.

R. B. Cleveland, W. S. Cleveland, J. E. McRae and I. Terpenning, *STL: A Seasonal-Trend Decomposition Procedure Based on
Loess*, Journal of Official Statistics 6 (1990), with the meaning that statsmodels' `STL` gives to each parameter.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparkhu.kernels import loess
from sparkhu.kernels.compiling import compiled
from sparkhu.kernels.filters import BLOCK, moving_sums
from sparkhu.kernels.loess import Columns, Fits, Floats, Ints, Room, Smoother
from sparkhu.kernels.selection import doubled_median


class Smoothers(NamedTuple):
    """What is smoothed how: the same season of all cycles, the trend, and the season's own level (low pass)."""

    period: int
    seasonal: Smoother
    trend: Smoother
    low_pass: Smoother


class _Work(NamedTuple):
    """Arrays that the rounds of one series share: as long as it is, or, the last three, two periods longer."""

    rest: Floats
    weighted: Floats
    level: Floats
    cycle: Floats
    sums: Floats
    spare: Floats


@compiled
def _fits(size: int) -> Fits:
    return Fits(np.empty(size), np.empty(size), np.empty(size))


@compiled
def _room(count: int, smoothers: Smoothers) -> Room:
    widest = max(smoothers.seasonal.window, smoothers.trend.window, smoothers.low_pass.window)
    block = max(BLOCK, smoothers.period)
    widest = min(widest, count)
    return Room(np.empty(widest), np.empty(widest), np.empty(widest), np.empty(block), np.empty(block))


@compiled
def _work(count: int, period: int) -> _Work:
    longer = count + 2 * period
    return _Work(
        np.empty(count), np.empty(count), np.empty(count), np.empty(longer), np.empty(longer), np.empty(longer)
    )


@compiled
def _groups(count: int, period: int) -> tuple[Columns, Columns]:
    """Give the columns of places in the cycle that have a point more, and the others."""
    rows = count // period
    more = count - rows * period
    return Columns(0, more, period, rows + 1), Columns(more, period - more, period, rows)


class _Seasonal(NamedTuple):
    """The smoothing of each place in the cycle over all cycles."""

    smoother: Smoother
    longer: Columns
    shorter: Columns
    longer_listed: Ints
    shorter_listed: Ints
    filtered: bool
    fits: Fits


@compiled
def _seasonal(count: int, period: int, smoother: Smoother) -> _Seasonal:
    longer, shorter = _groups(count, period)
    filtered = loess.fits_in(shorter.rows, smoother)
    listed = loess.places(longer.rows, smoother, True, filtered)
    other = loess.places(shorter.rows, smoother, True, filtered)
    return _Seasonal(smoother, longer, shorter, listed, other, filtered, _fits(count + 2 * period))


@compiled
def _prepare_seasonal(weights: Floats, way: _Seasonal, weighted: bool, room: Room) -> None:
    period, half = way.shorter.stride, (way.smoother.window - 1) // 2
    if way.filtered and weighted:
        loess.prepare_even(weights, period, way.smoother, way.fits, period, room)
        for row in range(half, way.longer.rows - half):
            for group in (way.longer, way.shorter):
                if row < group.rows - half:
                    at = (row + 1) * period + group.first
                    loess.prepare(way.fits, at, group.count, group.rows, way.smoother.degree)
    for group, listed in ((way.longer, way.longer_listed), (way.shorter, way.shorter_listed)):
        if group.count:
            loess.prepare_places(weights, group, way.smoother, listed, way.fits, period, room)


@compiled
def _smooth_seasonal(values: Floats, by_weight: Floats, way: _Seasonal, weighted: bool, room: Room, out: Floats) -> None:
    """Smooth all places in the cycle: `out` begins a period before the values and ends one behind them."""
    period = way.shorter.stride
    if way.filtered and weighted:
        loess.smooth_even(by_weight, values, period, way.smoother, way.fits, period, room, out)
    elif way.filtered:
        loess.average_even(values, period, way.smoother, period, room, out)
    for group, listed in ((way.longer, way.longer_listed), (way.shorter, way.shorter_listed)):
        if group.count:
            loess.smooth_places(by_weight, values, group, way.smoother, listed, way.fits, period, room, out)
            loess.draw_lines(group, way.smoother, period, out)


class _Whole(NamedTuple):
    """The smoothing of a whole series."""

    smoother: Smoother
    column: Columns
    listed: Ints
    filtered: bool
    fits: Fits


@compiled
def _whole(count: int, smoother: Smoother) -> _Whole:
    filtered = loess.fits_in(count, smoother)
    listed = loess.places(count, smoother, False, filtered)
    return _Whole(smoother, Columns(0, 1, 1, count), listed, filtered, _fits(count))


@compiled
def _prepare_whole(weights: Floats, way: _Whole, weighted: bool, room: Room) -> None:
    if way.filtered and weighted:
        half = (way.smoother.window - 1) // 2
        loess.prepare_even(weights, 1, way.smoother, way.fits, 0, room)
        loess.prepare(way.fits, half, len(weights) - 2 * half, len(weights), way.smoother.degree)
    loess.prepare_places(weights, way.column, way.smoother, way.listed, way.fits, 0, room)


@compiled
def _smooth_whole(values: Floats, by_weight: Floats, way: _Whole, weighted: bool, room: Room, out: Floats) -> None:
    if way.filtered and weighted:
        loess.smooth_even(by_weight, values, 1, way.smoother, way.fits, 0, room, out)
    elif way.filtered:
        loess.average_even(values, 1, way.smoother, 0, room, out)
    loess.smooth_places(by_weight, values, way.column, way.smoother, way.listed, way.fits, 0, room, out)
    loess.draw_lines(way.column, way.smoother, 0, out)


@compiled
def _level_of(work: _Work, period: int) -> Floats:
    """Average the cycle over a period, over a period again, and over three points; two periods fewer are left."""
    sums = moving_sums(work.cycle, period, work.sums, work.spare)
    sums = moving_sums(sums, period, work.cycle, work.spare)
    sums = moving_sums(sums, 3, work.sums, work.spare)
    scale = 1.0 / (3.0 * period * period)
    for i in range(len(sums)):
        sums[i] *= scale
    return sums


@compiled
def _by_weight(values: Floats, weights: Floats, weighted: bool, out: Floats) -> Floats:
    """Multiply values by their weights where they have some."""
    if not weighted:
        return values
    for i in range(len(values)):
        out[i] = values[i] * weights[i]
    return out


@compiled
def set_weights(values: Floats, trend: Floats, season: Floats, weights: Floats, spare: Floats) -> None:
    """Weigh points by their remainder: biweights, which are 0 from six times the median on."""
    for i in range(len(values)):
        weights[i] = spare[i] = abs(values[i] - (trend[i] + season[i]))
    far = 3.0 * doubled_median(spare[: len(values)])
    if far == 0.0:
        weights[:] = 1.0
        return
    flat, near = loess.FLAT * far, loess.NEAR * far
    for i in range(len(values)):
        share = weights[i] / far
        rest = 1.0 - share * share
        weight = 1.0 if weights[i] <= flat else rest * rest
        weights[i] = weight if weights[i] <= near else 0.0


@compiled
def decompose(
    values: Floats, smoothers: Smoothers, inner: int, outer: int, trend: Floats, season: Floats, weights: Floats
) -> None:
    """Decompose one series.

    Args:
        values: The series, one period at least, without NaN.
        smoothers: What is smoothed how.
        inner: Rounds of season and trend between two settings of the weights.
        outer: How often weights are set.
        trend: For the result, as long as the values.
        season: For the result.
        weights: For the weights that were set last; 1 everywhere where none were.
    """
    count, period = len(values), smoothers.period
    work, room = _work(count, period), _room(count, smoothers)
    cycles = _seasonal(count, period, smoothers.seasonal)
    slow, low = _whole(count, smoothers.trend), _whole(count, smoothers.low_pass)
    trend[:], season[:], weights[:] = 0.0, 0.0, 1.0
    _prepare_whole(weights, low, False, room)
    for setting in range(outer + 1):
        weighted = setting > 0
        _prepare_seasonal(weights, cycles, weighted, room)
        _prepare_whole(weights, slow, weighted, room)
        for _ in range(inner):
            for i in range(count):
                work.rest[i] = values[i] - trend[i]
            by_weight = _by_weight(work.rest, weights, weighted, work.weighted)
            _smooth_seasonal(work.rest, by_weight, cycles, weighted, room, work.cycle)
            season[:] = work.cycle[period : period + count]
            level = _level_of(work, period)
            _smooth_whole(level, level, low, False, room, work.level)
            for i in range(count):
                season[i] -= work.level[i]
                work.rest[i] = values[i] - season[i]
            by_weight = _by_weight(work.rest, weights, weighted, work.weighted)
            _smooth_whole(work.rest, by_weight, slow, weighted, room, trend)
        if setting < outer:
            set_weights(values, trend, season, weights, work.spare)
