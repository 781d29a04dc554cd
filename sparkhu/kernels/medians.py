"""Medians over windows and over the places of a season, of series with missing values (NaN)."""

import numpy as np

from sparkhu.kernels.compiling import compiled
from sparkhu.kernels.selection import nth
from sparkhu.kernels.windows import Floats


@compiled
def _middle(values: Floats) -> float:
    """Give the median; changes the order of the values."""
    upper = nth(values, len(values) // 2)
    if len(values) % 2:
        return float(upper)
    lower = values[0]
    for place in range(1, len(values) // 2):
        lower = max(lower, values[place])
    return float(0.5 * lower + 0.5 * upper)


@compiled
def _first_not_below(held: Floats, size: int, value: float) -> int:
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if held[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _fill_running(values: Floats, window: int, least: int, out: Floats) -> None:
    """Keep the window sorted, letting one value in and one out at each step."""
    held, size, half, count = np.empty(window + 1), 0, window // 2, len(values)
    for row in range(-half, count):
        enters, leaves = row + half, row - half - 1
        if enters < count and not np.isnan(values[enters]):
            at = _first_not_below(held, size, values[enters])
            for place in range(size, at, -1):
                held[place] = held[place - 1]
            held[at] = values[enters]
            size += 1
        if leaves >= 0 and not np.isnan(values[leaves]):
            size -= 1
            for place in range(_first_not_below(held, size, values[leaves]), size):
                held[place] = held[place + 1]
        if row >= 0:
            lower, upper = held[max((size - 1) // 2, 0)], held[size // 2]
            out[row] = 0.5 * lower + 0.5 * upper if size >= least else np.nan


@compiled
def _fill_places(values: Floats, season: int, out: Floats) -> None:
    found = np.empty(len(values) // season + 1)
    for first in range(min(season, len(values))):
        size = 0
        for row in range(first, len(values), season):
            if not np.isnan(values[row]):
                found[size] = values[row]
                size += 1
        median = _middle(found[:size]) if size else np.nan
        for row in range(first, len(values), season):
            out[row] = median


def running_medians(values: Floats, window: int, *, least: int) -> Floats:
    """Give the median of the window around every point.

    Args:
        values: The series, shape (points,), NaN where missing.
        window: Points in a window, odd; at the ends as many as there are.
        least: Known points that a window must have, 1 or more.

    Returns:
        Medians, shape (points,); NaN where a window has too few known points.

    Example:
        >>> running_medians(np.array([1.0, 9.0, 2.0, 3.0]), 3, least=3)
        array([nan,  2.,  3., nan])
    """
    out = np.empty(len(values))
    _fill_running(np.ascontiguousarray(values, dtype=np.float64), window, least, out)
    return out


def place_medians(values: Floats, season: int) -> Floats:
    """Give every point the median of all that stand at its place in the season; NaN where none is known.

    Args:
        values: The series, shape (points,), NaN where missing.
        season: Points in a season.

    Example:
        >>> place_medians(np.array([1.0, 5.0, 2.0, 7.0, 9.0]), 2)
        array([2., 6., 2., 6., 2.])
    """
    out = np.empty(len(values))
    _fill_places(np.ascontiguousarray(values, dtype=np.float64), season, out)
    return out
