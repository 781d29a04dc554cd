"""LOWESS of evenly spaced points: a robust local line through the nearest of them.

W. S. Cleveland, *Robust Locally Weighted Regression and Smoothing Scatterplots*, JASA 74 (1979), with the meaning that
statsmodels' `lowess` gives to each parameter.
"""

import numpy as np

from sparkhu.kernels.compiling import compiled
from sparkhu.kernels.selection import doubled_median
from sparkhu.kernels.windows import Floats

LEAST_WEIGHT = 1e-12
"""A point that weighs less is none; of fewer than two no line is drawn. Places spread by this much at least."""


@compiled
def _fit(values: Floats, weights: Floats, row: int, left: int, right: int) -> float:
    """Give the value at a row of the line through the points from `left` up to, not with, `right`."""
    scale = 1.0 / float(max(row - left, right - 1 - row))
    total = moment = square = level = slope = 0.0
    there = 0
    for place in range(left, right):
        distance = float(place - row)
        share = abs(distance) * scale
        rest = 1.0 - share * share * share
        weight = rest * rest * rest * weights[place]
        there += 1 if weight > LEAST_WEIGHT else 0
        total += weight
        moment += weight * distance
        square += weight * distance * distance
        level += weight * values[place]
        slope += weight * distance * values[place]
    if there < 2:
        return float(values[row])
    center, mean = moment / total, level / total
    spread = max(square / total - center * center, LEAST_WEIGHT)
    return float(mean - center / spread * (slope / total - center * mean))


@compiled
def _draw(values: Floats, weights: Floats, nearest: int, step: int, out: Floats) -> None:
    """Fit the first point, every `step`-th after it and the last two, and draw straight lines between."""
    count, before, row, left = len(values), 0, 0, 0
    while True:
        while left + nearest < count and 2 * row > left + left + nearest:
            left += 1
        out[row] = _fit(values, weights, row, left, left + nearest)
        for between in range(before + 1, row):
            share = (between - before) / (row - before)
            out[between] = share * out[row] + (1.0 - share) * out[before]
        if row == count - 1:
            return
        before = row
        row = max(row + step if row + step < count - 1 else count - 2, row + 1)


@compiled
def _set_weights(values: Floats, smooth: Floats, weights: Floats, spare: Floats) -> None:
    """Weigh points by their remainder: biweights, which are 0 from six times the median on."""
    for i in range(len(values)):
        weights[i] = spare[i] = abs(values[i] - smooth[i])
    far = 3.0 * doubled_median(spare)
    for i in range(len(values)):
        share = 1.0
        if weights[i] < far or weights[i] == 0.0:
            share = weights[i] / far if far > 0.0 else 0.0
        rest = 1.0 - share * share
        weights[i] = rest * rest


@compiled
def smooth_series(values: Floats, nearest: int, rounds: int, step: int, out: Floats) -> None:
    """Smooth a series; see `lowess`."""
    weights, spare = np.ones(len(values)), np.empty(len(values))
    for turn in range(rounds + 1):
        _draw(values, weights, nearest, step, out)
        if turn < rounds:
            _set_weights(values, out, weights, spare)


def lowess(values: Floats, *, share: float, rounds: int, step: int = 0) -> Floats:
    """Smooth a series of evenly spaced points.

    Args:
        values: The series, shape (points,), two at least, without NaN.
        share: Part of the points that a line is drawn through, 0 to 1; two of them at least.
        rounds: How often points with a large remainder get less weight, and all is smoothed anew.
        step: Points from one fit to the next, with straight lines between; 0 or 1 fits them all.

    Returns:
        The smooth values, shape (points,).

    Raises:
        ValueError: The series is too short, or holds NaN or infinity.

    Example:
        >>> lowess(values, share=0.3, rounds=3)
    """
    series = np.ascontiguousarray(values, dtype=np.float64)
    if series.ndim != 1 or len(series) < 2 or not np.isfinite(series).all():
        raise ValueError(f"LOWESS needs a single series of two finite values or more, got shape {series.shape}")
    nearest = min(max(int(share * len(series) + 1e-10), 2), len(series))
    out = np.empty(len(series))
    smooth_series(series, nearest, rounds, step, out)
    return out
