"""Errors of forecasts, scored only where something was observed.

Every function takes `actual` and `forecast` of one shape and an optional mask `where`; a point counts where the mask is
true and the actual value is not NaN. With no such point the result is NaN.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import InputError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_] | None
Number = TypeVar("Number", float, pl.Expr)


def absolute_percentage(actual: Floats, forecast: Floats) -> Floats:
    """Give the M4 competition's symmetric percentage error of each point: 200·|y − ŷ| / (|y| + |ŷ|), 0 at 0 / 0.

    Source: S. Makridakis, E. Spiliotis, V. Assimakopoulos, "The M4 Competition", Int. J. Forecasting 36 (2020).
    """
    size = np.abs(actual) + np.abs(forecast)
    return 200.0 * np.abs(actual - forecast) / np.where(size == 0, 1.0, size)


def mae(actual: Floats, forecast: Floats, where: Mask = None) -> float:
    """Mean absolute error.

    Example:
        >>> mae(np.array([1.0, np.nan]), np.array([3.0, 0.0]))
        2.0
    """
    return _mean(actual, forecast, where, lambda y, f: np.abs(y - f))


def mse(actual: Floats, forecast: Floats, where: Mask = None) -> float:
    """Mean squared error."""
    return _mean(actual, forecast, where, lambda y, f: (y - f) ** 2)


def rmse(actual: Floats, forecast: Floats, where: Mask = None) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(mse(actual, forecast, where)))


def smape(actual: Floats, forecast: Floats, where: Mask = None) -> float:
    """Symmetric mean absolute percentage error as the M4 competition defines it, 0 to 200."""
    return _mean(actual, forecast, where, absolute_percentage)


def wape(actual: Floats, forecast: Floats, where: Mask = None) -> float:
    """Sum of absolute errors over the sum of absolute actual values; NaN where the latter is 0."""
    total = _mean(actual, forecast, where, lambda y, _: np.abs(y))
    return mae(actual, forecast, where) / total if total > 0 else float("nan")


def mase(actual: Floats, forecast: Floats, scale: float, where: Mask = None) -> float:
    """Mean absolute scaled error: over `scale` = `seasonal_scale` of the training interval.

    Source: R. J. Hyndman and A. B. Koehler, "Another look at measures of forecast accuracy", Int. J. Forecasting 22
    (2006).
    """
    return mae(actual, forecast, where) / scale if scale > 0 else float("nan")


def seasonal_scale(history: Floats, season_length: int) -> float:
    """Give the mean absolute error of the seasonal naive forecast inside `history` (n,), over its observed pairs.

    Raises:
        InputError: `season_length` is not positive.
    """
    if season_length < 1:
        raise InputError(f"season_length must be at least 1, got {season_length}")
    changes = np.abs(history[season_length:] - history[:-season_length])
    known = changes[~np.isnan(changes)]
    return float(known.mean()) if len(known) else float("nan")


def owa(*, smape: Number, mase: Number, naive2_smape: Number, naive2_mase: Number) -> Number:
    """Overall weighted average of the M4 competition: the mean of sMAPE and MASE, each over that of Naive2.

    Every argument is a number, or an expression of a table's column.

    Example:
        >>> owa(smape=10.0, mase=1.0, naive2_smape=20.0, naive2_mase=1.0)
        0.75
    """
    return (smape / naive2_smape + mase / naive2_mase) / 2


def pinball(actual: Floats, forecast: Floats, quantile: float, where: Mask = None) -> float:
    """Mean pinball loss of a forecast of one quantile.

    Raises:
        InputError: `quantile` does not lie inside (0, 1).
    """
    if not 0 < quantile < 1:
        raise InputError(f"quantile must lie inside (0, 1), got {quantile}")
    return _mean(actual, forecast, where, lambda y, f: np.maximum(quantile * (y - f), (quantile - 1) * (y - f)))


def coverage(actual: Floats, low: Floats, high: Floats, where: Mask = None) -> float:
    """Share of actual values inside [low, high]."""
    low_side = _mean(actual, low, where, lambda y, f: (y < f).astype(np.float64))
    return 1.0 - low_side - _mean(actual, high, where, lambda y, f: (y > f).astype(np.float64))


def _mean(actual: Floats, forecast: Floats, where: Mask, error: Callable[[Floats, Floats], Floats]) -> float:
    if actual.shape != forecast.shape:
        raise InputError(f"actual and forecast must have one shape, got {actual.shape} and {forecast.shape}")
    known = ~np.isnan(actual) if where is None else where & ~np.isnan(actual)
    return float(error(actual[known], forecast[known]).mean()) if known.any() else float("nan")
