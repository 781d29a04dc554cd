"""Thin a series for drawing so that what matters to the eye stays: spikes and flagged points."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]

POINTS = 600
MOST_FLAGGED = 4000


def rows_to_draw(curves: list[Floats], flagged: Flags, *, points: int = POINTS) -> Rows:
    """Choose the rows of a series to draw.

    The rows are cut into `points / 2` stretches of equal length; of each, the smallest and the largest value of every
    curve stay (min-max downsampling), so no spike is lost. The first and the last row and all flagged
    rows stay too; of more than 4,000 flagged rows an even choice does.

    Args:
        curves: Values of the rows, NaN where there is none; all of one length n.
        flagged: Which of the n rows must stay.
        points: About how many rows to keep; a series of at most as many keeps all.

    Returns:
        Row numbers, rising.

    Example:
        >>> values = np.zeros(10_000); values[1234] = 9.0
        >>> bool(np.isin(1234, rows_to_draw([values], np.zeros(10_000, bool))))
        True
    """
    n = len(flagged)
    if n <= points:
        return np.arange(n, dtype=np.int64)
    stretch = np.arange(n, dtype=np.int64) * (points // 2) // n
    must = _evenly(np.flatnonzero(flagged).astype(np.int64), MOST_FLAGGED)
    ends = np.array([0, n - 1], np.int64)
    return np.unique(np.concatenate([ends, must, *[_extremes(curve, stretch) for curve in curves]]))


def _extremes(values: Floats, stretch: Rows) -> Rows:
    """Give the row of the smallest and of the largest value in each stretch that has a value."""
    rows = np.flatnonzero(~np.isnan(values)).astype(np.int64)
    if not len(rows):
        return rows
    ordered = rows[np.lexsort((values[rows], stretch[rows]))]
    borders = np.flatnonzero(np.diff(stretch[ordered]))
    return np.concatenate([ordered[np.r_[0, borders + 1]], ordered[np.r_[borders, len(ordered) - 1]]])


def _evenly(rows: Rows, most: int) -> Rows:
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def runs(flags: Flags) -> list[tuple[int, int]]:
    """Give the first and the last row of each unbroken run of set flags.

    Example:
        >>> runs(np.array([False, True, True, False, True]))
        [(1, 2), (4, 4)]
    """
    padded = np.concatenate([[0], flags.astype(np.int8), [0]])
    steps = np.diff(padded)
    return list(zip(np.flatnonzero(steps == 1).tolist(), (np.flatnonzero(steps == -1) - 1).tolist(), strict=True))
