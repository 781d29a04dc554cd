"""The regressions of the augmented Dickey-Fuller test, by Householder's reflections (1958).

The lag length is the one with the smallest AIC among nested regressions. With the regressors in order of nesting, one
triangular factor holds the residual sums of squares of all of them, so that nothing is fitted twice.
"""

import numpy as np
import numpy.typing as npt

from sparkhu.kernels.compiling import compiled
from sparkhu.kernels.windows import Floats

Table = npt.NDArray[np.float64]

PERFECT = 1e-20
"""Residual share of the variation below which a regression fits perfectly and the statistic means nothing."""


@compiled
def _reflect(table: Table) -> None:
    """Make all columns but the last triangular, and turn that one along; columns are the rows of the array."""
    columns, rows = table.shape
    for pivot in range(min(columns - 1, rows)):
        axis, total = table[pivot, pivot:], 0.0
        for i in range(len(axis)):
            total += axis[i] * axis[i]
        if total == 0.0:
            continue
        length = -np.sqrt(total) if axis[0] > 0.0 else np.sqrt(total)
        head = axis[0] - length
        scale = -1.0 / (length * head)
        axis[0] = head
        for column in range(pivot + 1, columns):
            other, along = table[column, pivot:], 0.0
            for i in range(len(axis)):
                along += axis[i] * other[i]
            along *= scale
            for i in range(len(axis)):
                other[i] -= along * axis[i]
        axis[0] = length


@compiled
def _regression(values: Floats, lags: int, level_first: bool) -> Table:
    """List a constant, the level before each step, the `lags` steps before it and, last, the steps; see `_reflect`."""
    rows = len(values) - 1 - lags
    table = np.empty((lags + 3, rows))
    table[0, :] = 1.0
    level, first = (1, 2) if level_first else (lags + 1, 1)
    for row in range(rows):
        table[level, row] = values[row + lags]
        table[lags + 2, row] = values[row + lags + 1] - values[row + lags]
    for lag in range(lags):
        into, at = table[first + lag], lags - lag - 1
        for row in range(rows):
            into[row] = values[row + at + 1] - values[row + at]
    return table


@compiled
def _best_lags(values: Floats, most: int, level_first: bool) -> int:
    """Choose the lag length with the smallest AIC, on the rows that all lengths share."""
    table = _regression(values, most, level_first)
    rows = table.shape[1]
    _reflect(table)
    steps, best, lags, left = table[most + 2], np.inf, 0, 0.0
    for row in range(most + 2, rows):
        left += steps[row] * steps[row]
    for regressors in range(most + 2, 1, -1):
        criterion = rows * np.log(max(left, np.finfo(np.float64).tiny)) + 2.0 * regressors
        if criterion <= best:
            best, lags = criterion, regressors - 2
        left += steps[regressors - 1] * steps[regressors - 1]
    return lags


@compiled
def dickey_fuller(values: Floats, most: int) -> float:
    """Give the t-statistic of the level in the regression with the best lag length; NaN where it fits perfectly.

    Args:
        values: 6 values at least that are not all equal.
        most: The largest lag length, below half of the values by 2 at least.
    """
    level_first = most >= 0
    lags = _best_lags(values, most, level_first)
    table = _regression(values, lags, not level_first)
    rows, regressors, varies = table.shape[1], lags + 2, 0.0
    for row in range(rows):
        varies += table[regressors, row] * table[regressors, row]
    _reflect(table)
    rest = 0.0
    for row in range(regressors, rows):
        rest += table[regressors, row] * table[regressors, row]
    if rest <= PERFECT * varies:
        return np.nan
    own = table[regressors, regressors - 1] * np.sign(table[regressors - 1, regressors - 1])
    return float(own / np.sqrt(rest / (rows - regressors)))
