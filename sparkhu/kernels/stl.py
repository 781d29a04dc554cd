"""STL: a series as trend, one season and remainder, by loess.

R. B. Cleveland, W. S. Cleveland, J. E. McRae and I. Terpenning, *STL: A Seasonal-Trend Decomposition Procedure Based on
Loess*, Journal of Official Statistics 6 (1990), with the meaning that statsmodels' `STL` gives to each parameter.
"""

from typing import NamedTuple

import numpy as np

from sparkhu.kernels.compiling import compiled
from sparkhu.kernels.filters import moving_sums
from sparkhu.kernels.loess import loess, prepare, smooth
from sparkhu.kernels.selection import doubled_median
from sparkhu.kernels.windows import FLAT, NEAR, Floats, Smoother, room

NOISE = 1e-12
"""Where the median remainder is a smaller part of the largest value, it is rounding, from which STL's own weights would
be a matter of chance: of two cycles, say, whose season leaves nothing over."""


class Smoothers(NamedTuple):
    """What is smoothed how: the same season of all cycles, the trend, and the season's own level (low pass)."""

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
def _work(count: int, period: int) -> _Work:
    longer = count + 2 * period
    return _Work(
        np.empty(count), np.empty(count), np.empty(count), np.empty(longer), np.empty(longer), np.empty(longer)
    )


@compiled
def _level_of(work: _Work, period: int) -> Floats:
    """Average the cycle over a period, over a period again, and over three points; two periods fewer are left."""
    sums, other = work.cycle, work.sums
    for length in (period, period, period // period + 2):
        sums, other = moving_sums(sums, length, other, work.spare), sums
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
def _set_weights(values: Floats, trend: Floats, season: Floats, weights: Floats, spare: Floats) -> None:
    """Weigh points by their remainder: biweights, which are 0 from six times the median on.

    A remainder that is nothing but rounding (`NOISE`) makes no outlier.
    """
    largest = 0.0
    for i in range(len(values)):
        largest = max(largest, abs(values[i]))
        weights[i] = spare[i] = abs(values[i] - (trend[i] + season[i]))
    far = 3.0 * doubled_median(spare[: len(values)])
    if far == 0.0:
        weights[:] = 1.0
        return
    far = max(far, NOISE * largest)
    flat, near = FLAT * far, NEAR * far
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
    count, period = len(values), smoothers.seasonal.stride
    widest = 0
    for smoother in smoothers:
        widest = max(widest, smoother.window + smoother.jump)
    work, space = _work(count, period), room(min(widest, count) + 1, period)
    cycles, slow = loess(count, smoothers.seasonal, space), loess(count, smoothers.trend, space)
    low, never = loess(count, smoothers.low_pass, space), outer < 0
    trend[:], season[:], weights[:] = 0.0, 0.0, 1.0
    prepare(weights, low, never, space)
    for setting in range(outer + 1):
        weighted = setting > 0
        prepare(weights, cycles, weighted, space)
        prepare(weights, slow, weighted, space)
        for _ in range(inner):
            for i in range(count):
                work.rest[i] = values[i] - trend[i]
            by_weight = _by_weight(work.rest, weights, weighted, work.weighted)
            smooth(work.rest, by_weight, cycles, weighted, space, work.cycle)
            for i in range(count):
                season[i] = work.cycle[period + i]
            level = _level_of(work, period)
            smooth(level, level, low, never, space, work.level)
            for i in range(count):
                season[i] -= work.level[i]
                work.rest[i] = values[i] - season[i]
            by_weight = _by_weight(work.rest, weights, weighted, work.weighted)
            smooth(work.rest, by_weight, slow, weighted, space, trend)
        if setting < outer:
            _set_weights(values, trend, season, weights, work.spare)


def smoothers(
    period: int,
    *,
    seasonal: int = 7,
    trend: int | None = None,
    low_pass: int | None = None,
    seasonal_degree: int = 1,
    trend_degree: int = 1,
    low_pass_degree: int = 1,
    seasonal_jump: int = 1,
    trend_jump: int = 1,
    low_pass_jump: int = 1,
) -> Smoothers:
    """Say what STL smooths how.

    Args:
        period: Points in a season, 2 or more.
        seasonal: Seasons that the smoothing of a place in the season looks at, odd, 3 or more.
        trend: Points that the smoothing of the trend looks at, odd, more than a period; by default the first such
            number from 1.5·period / (1 − 1.5/seasonal) on.
        low_pass: Points that the smoothing of the season's own level looks at, odd, more than a period; by default the
            first such number.
        seasonal_degree: 1 fits lines, 0 constants.
        trend_degree: See `seasonal_degree`.
        low_pass_degree: See `seasonal_degree`.
        seasonal_jump: Seasons from one fit to the next, with straight lines between.
        trend_jump: Points from one fit to the next.
        low_pass_jump: See `trend_jump`.

    Raises:
        ValueError: A number cannot be used.
    """
    if period < 2:
        raise ValueError(f"period must be 2 or more, got {period}")
    if trend is None and seasonal >= 3:
        trend = int(np.ceil(1.5 * period / (1 - 1.5 / seasonal))) | 1
    low_pass = (period + 1) | 1 if low_pass is None else low_pass
    for name, window, least in (
        ("seasonal", seasonal, 3),
        ("trend", trend, period + 1),
        ("low_pass", low_pass, period + 1),
    ):
        if window is not None and (window < max(least, 3) or window % 2 == 0):
            raise ValueError(f"{name} must be odd and {max(least, 3)} or more, got {window}")
    found = Smoothers(
        Smoother(seasonal, seasonal_degree, seasonal_jump, period),
        Smoother(int(trend or 0), trend_degree, trend_jump, 1),
        Smoother(low_pass, low_pass_degree, low_pass_jump, 1),
    )
    for name, smoother in zip(Smoothers._fields, found, strict=True):
        if smoother.degree not in {0, 1}:
            raise ValueError(f"{name}_degree must be 0 or 1, got {smoother.degree}")
        if smoother.jump < 1:
            raise ValueError(f"{name}_jump must be 1 or more, got {smoother.jump}")
    return found


class Decomposition(NamedTuple):
    """A series as trend, season and, beside them, the weights of its points that were set last."""

    trend: Floats
    season: Floats
    weights: Floats


def stl(
    values: Floats, chosen: Smoothers, *, robust: bool = False, inner: int | None = None, outer: int | None = None
) -> Decomposition:
    """Decompose a series by STL.

    Args:
        values: The series, shape (points,), without NaN; one period at least.
        chosen: See `smoothers`.
        robust: Whether points with a large remainder get less weight.
        inner: Rounds of season and trend between two settings of the weights; by default 2 if robust, else 5.
        outer: How often weights are set; by default 15 if robust, else never.

    Returns:
        Trend, season and weights, each of shape (points,); the remainder is what the first two leave.

    Raises:
        ValueError: The series is shorter than a period, or holds NaN or infinity.

    Example:
        >>> stl(values, smoothers(24), robust=True).trend
    """
    series = np.ascontiguousarray(values, dtype=np.float64)
    if series.ndim != 1 or len(series) < chosen.seasonal.stride or not np.isfinite(series).all():
        raise ValueError(
            f"STL needs a single series of finite values, {chosen.seasonal.stride} of a period or more, "
            f"got an array of shape {series.shape}, {int(np.isfinite(series).sum())} of it finite"
        )
    inner = (2 if robust else 5) if inner is None else inner
    outer = (15 if robust else 0) if outer is None else outer
    trend, season, weights = np.empty(len(series)), np.empty(len(series)), np.empty(len(series))
    decompose(series, chosen, inner, outer, trend, season, weights)
    return Decomposition(trend, season, weights)
