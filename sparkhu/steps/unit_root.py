"""Tests of stationarity: of a unit root (augmented Dickey-Fuller), and of a level (KPSS).

Results are those of statsmodels' `adfuller` and `kpss`, many times as fast. Huge and tiny values are brought near 1, by
a power of two that no statistic depends on, before they are squared.
"""

from math import erfc, sqrt

import numpy as np
import numpy.typing as npt

from sparkhu.steps.moments import units_of

Floats = npt.NDArray[np.float64]

_SMALL, _LARGE = (2.1659, 1.4412, 0.038269), (1.7339, 0.93202, -0.12745, -0.010368)
"""Coefficients, constant first, that turn a Dickey-Fuller statistic into a normal deviate, up to `_TURN` and beyond."""
_TURN, _LEAST, _MOST = -1.61, -18.83, 2.74
"""Where one takes over from the other; the statistics from which on the p-value is 0 and 1."""
_KPSS_STATISTICS, _KPSS_P = (0.347, 0.463, 0.574, 0.739), (0.1, 0.05, 0.025, 0.01)
"""The table of Kwiatkowski et al."""
_HUGE_BITS = 400


def adf_statistic(values: Floats) -> float | None:
    """Compute the t-statistic of the lagged level in the regression of a series' steps on it, a constant and lags.

    Said and Dickey (1984); up to 12·(n/100)^¼ lags (Schwert, 1989), but n/2 − 2, chosen by AIC on the rows that all
    lengths share.

    Args:
        values: At least 6 values that are not all equal.

    Returns:
        The statistic, None where the regression fits perfectly (a straight line).
    """
    from sparkhu.kernels.unit_root import dickey_fuller

    count = len(values)
    most_lags = min(count // 2 - 2, int(np.ceil(12.0 * (count / 100.0) ** 0.25)))
    statistic = dickey_fuller(np.ascontiguousarray(_near_one(values), dtype=np.float64), most_lags)
    return None if np.isnan(statistic) else float(statistic)


def adf_p(statistic: float) -> float:
    """Turn a Dickey-Fuller statistic, of a regression with a constant, into a p-value.

    J. G. MacKinnon, *Approximate Asymptotic Distribution Functions for Unit-Root and Cointegration Tests*, Journal of
    Business & Economic Statistics 12 (1994), tables 3 and 4.

    Example:
        >>> round(adf_p(-2.86), 2)
        0.05
    """
    if statistic > _MOST:
        return 1.0
    if statistic < _LEAST:
        return 0.0
    deviate = float(np.polynomial.polynomial.polyval(statistic, _SMALL if statistic <= _TURN else _LARGE))
    return erfc(-deviate / sqrt(2.0)) / 2.0


def kpss_p(values: Floats) -> float:
    """Compute the p-value of the KPSS test around a level, between 0.01 and 0.1, where its table ends.

    Kwiatkowski, Phillips, Schmidt and Shin (1992), with the lags of Hobijn, Franses and Ooms (1998).

    Args:
        values: At least 2 values that are not all equal.
    """
    near = _near_one(values)
    rest = near - near.mean()
    spread = _long_run_variance(rest, _lags(rest))
    return float(np.interp(float(np.sum(rest.cumsum() ** 2)) / len(rest) / spread, _KPSS_STATISTICS, _KPSS_P))


def _long_run_variance(rest: Floats, lags: int) -> float:
    """Sum the autocovariances, times n, up to a lag, with weights that fall linearly (Newey and West, 1987)."""
    total = float(rest @ rest)
    for lag in range(1, lags + 1):
        total += 2.0 * float(rest[lag:] @ rest[:-lag]) * (1.0 - lag / (lags + 1.0))
    return total


def _lags(rest: Floats) -> int:
    """Choose how many lags count, from the autocovariances of the first n^(2/9)."""
    count = len(rest)
    whole, slope = float(rest @ rest), 0.0
    for lag in range(1, int(count ** (2.0 / 9.0)) + 1):
        both = 2.0 * float(rest[lag:] @ rest[:-lag])
        whole, slope = whole + both, slope + lag * both
    if whole == 0.0:
        return count - 1
    return int(min(1.1447 * ((slope / whole) ** 2 * count) ** (1.0 / 3.0), count - 1))


def _near_one(values: Floats) -> Floats:
    return np.asarray(values / units_of(np.abs(values).max(), bits=_HUGE_BITS), dtype=np.float64)
