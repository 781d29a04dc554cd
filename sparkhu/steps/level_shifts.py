"""Level shifts of one series: where the median of the points behind an instant leaves that of the points before it.

With `w` points before and behind an instant, `d` is the difference of their medians. What `d` usually is, the series
itself says: its middle is the median of all `d` (a trend moves it, and is no shift), its scale 1.4826 median absolute
deviations of all `d` from it. So a random walk, whose level always wanders, is held against its own wandering, and only
a step far beyond it counts. In a short series few of the `d` are apart from each other, and their scale may come out
too small by chance: it is never below √(π/w) · σ, the standard deviation that the difference of two medians of `w`
independent normal values has, with σ from the median absolute deviation of the first differences.

An instant is a shift where `d` lies more than `width` scales from the middle, and, where the series is 32 windows long,
also with windows four times as long: what returns after a while was an episode. Each excursion beyond the limit is one
shift, its instant the split that has the least sum of absolute distances from the level before and the level behind.

A moving difference of robust levels is the jump detector of R. Fried, *On the robust detection of edges in time series
filtering*, Computational Statistics and Data Analysis 52 (2007).
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.steps.anomalies import NORMAL, NORMAL_MEAN, ROUNDING
from sparkhu.steps.segmented import Bools, Floats, Ints

WINDOWS = 8
"""Least number of windows in a series: with fewer, a shift is a large part of what is usual."""
LONGER = 4
"""A shift lasts: it also shows in windows this many times as long."""


class Shift(NamedTuple):
    """A level shift.

    Attributes:
        at: The first point behind it.
        size: Change of the level, in the unit of the values, beside what the trend brings.
        score: Distance of the difference of medians from the middle, in scales.
    """

    at: int
    size: float
    score: float


def find_shifts(values: Floats, window: int, width: float) -> list[Shift]:
    """Find the level shifts of a series.

    Args:
        values: The points without their season, in order, none missing.
        window: Points before and behind an instant, 1 or more.
        width: Distance from what is usual beyond which a difference of medians is a shift, in scales.

    Returns:
        Shifts in order; none where the series is shorter than eight windows, or where no difference varies.

    Example:
        >>> find_shifts(np.concatenate([np.zeros(50), np.full(50, 3.0)]), 5, 6.0)[0][:2]
        (50, 3.0)
    """
    if len(values) < WINDOWS * window:
        return []
    score, middle = _scores(values, window)
    if len(values) >= WINDOWS * LONGER * window:
        longer, _ = _scores(values, LONGER * window)
        there = ~np.isnan(longer)
        lasting = np.where(np.sign(longer) == np.sign(score), np.minimum(np.abs(score), np.abs(longer)), 0.0)
        score = np.where(there, np.sign(score) * lasting, score)
    size = np.nan_to_num(np.abs(score))
    peaks = _peaks(size, np.sign(score), size > width, window)
    return [_located(values, int(peak), window, middle, float(size[peak])) for peak in peaks]


def _scores(values: Floats, window: int) -> tuple[Floats, float]:
    """Score every instant, NaN where a window does not fit; with them the middle of the differences."""
    medians = pl.Series(values).rolling_median(window).to_numpy()
    first = np.arange(window, len(values) - window + 1)
    differences = medians[first + window - 1] - medians[first - 1]
    middle = float(np.median(differences))
    distance = np.abs(differences - middle)
    steps = np.diff(values)
    noise = NORMAL * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2)
    scale = max(NORMAL * float(np.median(distance)), noise * np.sqrt(np.pi / window))
    rounding = ROUNDING * float(np.abs(values).max())
    if scale <= rounding:
        scale = NORMAL_MEAN * float(distance.mean())
    scores = np.full(len(values), np.nan)
    if scale > rounding:
        scores[first] = (differences - middle) / scale
    return scores, middle


def _peaks(size: Floats, sign: Floats, beyond: Bools, window: int) -> Ints:
    """Find the highest instant of each excursion beyond the limit; of two within a window the higher one."""
    starts = beyond.copy()
    starts[1:] &= ~beyond[:-1] | (sign[1:] != sign[:-1])
    run = np.cumsum(starts)[beyond]
    rows = np.flatnonzero(beyond)
    highest = rows[np.lexsort((rows, -size[rows]))]
    _, first = np.unique(run[np.searchsorted(rows, highest)], return_index=True)
    kept: list[int] = []
    for peak in highest[np.sort(first)].tolist():
        if all(abs(peak - other) >= window for other in kept):
            kept.append(peak)
    return np.sort(np.array(kept, np.int64))


def _located(values: Floats, peak: int, window: int, middle: float, score: float) -> Shift:
    """Place a shift: between the levels before and behind the peak, where the points go over from one to the other."""
    near = values[peak - window : peak + window]
    before, behind = float(np.median(near[:window])), float(np.median(near[window:]))
    closer = np.cumsum(np.abs(near - before) - np.abs(near - behind))
    at = peak - window + 1 + int(np.argmin(closer[:-1]))
    levels = np.median(values[max(at - window, 0) : at]), np.median(values[at : at + window])
    return Shift(at, float(levels[1] - levels[0]) - middle, score)
