"""The drift of one series: an interval in which its level moves faster or slower than it did before.

1. The points are cut into 20 blocks of equal number; each block's median stands for it, so that spikes do not count.
2. A drift is an interval of blocks over which the mean of their differences is another than outside, as in circular
   binary segmentation (A. Olshen et al., *Circular binary segmentation for the analysis of array-based DNA copy number
   data*, Biostatistics 5, 2004), which compares every interval with the rest by a t-statistic. Differences, since a
   random walk looks like a drift in its level but not in its differences; a steady trend is their mean, and no drift.
   A series without a random walk in it is judged more strictly than need be: its differences undo each other.
3. Where it begins and ends is fitted to the levels themselves: the line with two kinks of least squares (J. Bai and
   P. Perron, *Estimating and testing linear models with multiple structural changes*, Econometrica 66, 1998).

At least four differences lie before the drift, which it is held against, and four in it.
"""

from typing import NamedTuple

import numpy as np

from sparkhu.steps.fitted_limits import ROUNDING
from sparkhu.steps.segmented import Floats, Ints

BLOCKS = 20
LEAST_IN_BLOCK = 4
LEAST_DIFFERENCES = 4
"""Differences of blocks before a drift, and in it, at least."""
FITTED = 4
"""Numbers that are fitted to the differences: two means, start and end."""


class Drift(NamedTuple):
    """A drift.

    Attributes:
        start: The point it begins at.
        end: The point it ends at: the last of the series where it goes on.
        size: Change of the level over it, in the unit of the values, beyond what the slope before would have brought.
        score: The t-statistic of its slope, always positive.
    """

    start: int
    end: int
    size: float
    score: float


def find_drift(values: Floats, width: float) -> Drift | None:
    """Find the strongest drift of a series.

    Args:
        values: The points without season and level shifts, in order, none missing.
        width: The t-statistic beyond which a change of the slope is a drift.

    Returns:
        The drift; None where there is none, or fewer than 80 points.

    Example:
        >>> find_drift(np.maximum(np.arange(200.0) - 100, 0), 5.0)
        Drift(start=..., end=199, size=..., score=...)
    """
    points = len(values) // BLOCKS
    if points < LEAST_IN_BLOCK:
        return None
    rest = len(values) - BLOCKS * points
    levels = np.median(values[rest:].reshape(BLOCKS, points), axis=1)
    starts, lengths = _intervals()
    score = _largest_score(levels, starts, lengths)
    if score <= width:
        return None
    start, end, size = _fitted_ramp(levels, starts, lengths)
    middle = rest + points // 2
    last = len(values) - 1 if end == BLOCKS - 1 else middle + end * points
    return Drift(middle + start * points, last, size, score)


def _intervals() -> tuple[Ints, Ints]:
    """List the intervals of differences that can be a drift: their starts and lengths."""
    start, end = np.triu_indices(BLOCKS)
    fits = (start >= LEAST_DIFFERENCES) & (end - start >= LEAST_DIFFERENCES)
    return start[fits], (end - start)[fits]


def _largest_score(levels: Floats, starts: Ints, lengths: Ints) -> float:
    """Give the largest t-statistic of the mean difference within an interval against that outside."""
    steps = np.diff(levels)
    centred = steps - steps.mean()
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    inside = sums[starts + lengths] - sums[starts]
    explained = inside**2 * (1 / lengths + 1 / (len(steps) - lengths))
    best = float(explained.max())
    left = (float(centred @ centred) - best) / (len(steps) - FITTED)
    rounding = ROUNDING * float(np.abs(levels).max())
    return float(np.sqrt(best / max(left, rounding**2))) if best > rounding**2 else 0.0


def _fitted_ramp(levels: Floats, starts: Ints, lengths: Ints) -> tuple[int, int, float]:
    """Fit a line that has one more slope over an interval, by least squares: its first and last block, and its size."""
    blocks = np.arange(BLOCKS, dtype=np.float64)
    ramps = np.clip(blocks - starts[:, None], 0.0, lengths[:, None])
    line, _ = np.linalg.qr(np.stack([np.ones(BLOCKS), blocks], axis=1))
    ramps -= ramps @ line @ line.T
    left = levels - line @ (line.T @ levels)
    power, shared = (ramps**2).sum(axis=1), ramps @ left
    best = int(np.argmax(shared**2 / power))
    start, length = int(starts[best]), int(lengths[best])
    return start, start + length, float(shared[best] / power[best]) * length
