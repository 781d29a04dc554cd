"""Level shifts of one series: where the median of the points behind an instant leaves that of the points before it.

With `w` points before and behind an instant, `d` is the difference of their medians. What `d` usually is, the series
itself says: its middle is the median of all `d` (a trend moves it, and is no shift), its scale 1.4826 median absolute
deviations of all `d` from it. So a random walk, whose level always wanders, is held against its own wandering, and only
a step far beyond it counts. In a short series few of the `d` are apart from each other, and their scale may come out
too small by chance: it is never below √(π/w) · σ, the standard deviation that the difference of two medians of `w`
independent normal values has, with σ from the median absolute deviation of the first differences.

An instant is a shift where three things hold.

1. `d` lies more than `width` scales from its middle. Of each excursion beyond that the highest instant counts.
2. In a series of 32 windows, windows four times as long still show three quarters of that: what returns after a while
   was an episode.
3. The points of both windows, less the trend, lie closer to two levels than to a line: a steep climb is no shift.
   It is placed where they go over from the one level to the other, by the least sum of absolute distances.

A moving difference of robust levels is the jump detector of R. Fried, *On the robust detection of edges in time series
filtering*, Computational Statistics and Data Analysis 52 (2007).
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.steps.fitted_limits import NORMAL, NORMAL_MEAN, ROUNDING
from sparkhu.steps.segmented import Bools, Floats

WINDOWS = 8
"""Least number of windows in a series: with fewer, a shift is a large part of what is usual."""
LONGER = 4
LASTING = 0.75
"""A shift lasts: of its size so much also shows in windows `LONGER` times as long."""


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
    differences, middle = _differences(values, window)
    scale = _scale(differences[~np.isnan(differences)], middle, values, window)
    if scale is None:
        return []
    beyond = np.abs(differences - middle) > width * scale
    if len(values) >= WINDOWS * LONGER * window:
        longer, usual = _differences(values, LONGER * window)
        beyond &= ~((longer - usual) * np.sign(differences - middle) < LASTING * np.abs(differences - middle))
    score = (differences - middle) / scale
    peaks = _peaks(np.nan_to_num(score), beyond, window)
    found = [_located(values, peak, window, middle, float(np.abs(score[peak]))) for peak in peaks]
    return [shift for shift in found if shift is not None]


def _differences(values: Floats, window: int) -> tuple[Floats, float]:
    """Give the difference of medians at every instant, NaN where a window does not fit, and their middle."""
    medians = pl.Series(values).rolling_median(window).to_numpy()
    first = np.arange(window, len(values) - window + 1)
    differences = np.full(len(values), np.nan)
    differences[first] = medians[first + window - 1] - medians[first - 1]
    return differences, float(np.median(differences[first]))


def _scale(differences: Floats, middle: float, values: Floats, window: int) -> float | None:
    """Say what is usual of differences of medians, in the unit of a standard deviation; None where they do not vary.

    Where more than half of them are equal, it is 1.2533 mean absolute deviations, as for the limits of a remainder.
    """
    distance = np.abs(differences - middle)
    steps = np.diff(values)
    noise = NORMAL * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2)
    scale = max(NORMAL * float(np.median(distance)), noise * np.sqrt(np.pi / window))
    rounding = ROUNDING * float(np.abs(values).max())
    if scale <= rounding:
        scale = NORMAL_MEAN * float(distance.mean())
    return scale if scale > rounding else None


def _peaks(score: Floats, beyond: Bools, window: int) -> list[int]:
    """Find the highest instant of each excursion beyond the limit; of two within a window the higher one."""
    rows = np.flatnonzero(beyond)
    kept: list[int] = []
    if len(rows) == 0:
        return kept
    apart = (np.diff(rows) > 1) | (np.diff(np.sign(score[rows])) != 0)
    excursions = np.split(rows, np.flatnonzero(apart) + 1)
    highest = [int(run[np.argmax(np.abs(score[run]))]) for run in excursions]
    for peak in sorted(highest, key=lambda row: (-abs(score[row]), row)):
        if all(abs(peak - other) >= window for other in kept):
            kept.append(peak)
    return sorted(kept)


def _located(values: Floats, peak: int, window: int, middle: float, score: float) -> Shift | None:
    """Place a shift where the points around the peak go over from one level to the other; None where a line fits."""
    near = values[peak - window : peak + window] - middle / window * np.arange(2 * window)
    before, behind = np.median(near[:window]), np.median(near[window:])
    from_before, from_behind = np.abs(near - before), np.abs(near - behind)
    misfit = np.cumsum(from_before - from_behind)[:-1] + from_behind.sum()
    slope = (behind - before) / window
    sloping = near - slope * np.arange(2 * window)
    if misfit.min() > np.abs(sloping - np.median(sloping)).sum():
        return None
    at = peak - window + 1 + int(np.argmin(misfit))
    levels = np.median(values[max(at - window, 0) : at]), np.median(values[at : at + window])
    return Shift(at, float(levels[1] - levels[0]) - middle, score)
