"""How a single series moves in time: tests of stationarity, peaks of the autocorrelation, strength of trend and season.

All take the observed values in order, without their times. What cannot be computed (too few points, a constant
series, a test without a finite statistic) is None, never an error and never a warning.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparkhu.steps.unit_root import adf_p, adf_statistic, kpss_p

Floats = npt.NDArray[np.float64]

LEAST_POINTS = 12
"""Fewer observed points than this are not tested for stationarity."""
MOST_PEAKS = 5
_NOISE = 1.96
_VANISHING = 1e-24
"""Share of the variance that is rounding: the square of 1e-12."""


class Strengths(NamedTuple):
    """Strength of trend and season, 0 (none) to 1."""

    trend: float | None
    seasonal: float | None


def adf_p_value(values: Floats) -> float | None:
    """Test for a unit root: the p-value of the augmented Dickey-Fuller test, lags chosen by AIC, with a constant.

    A small p-value speaks against a unit root (the series is stationary). MacKinnon's (1994) approximation for the
    statistic of `sparkhu.steps.unit_root`; None where a straight line leaves no residual.
    """
    if _untestable(values):
        return None
    statistic = adf_statistic(_scaled(values))
    return None if statistic is None else adf_p(statistic)


def kpss_p_value(values: Floats) -> float | None:
    """Test for stationarity around a level: the p-value of the KPSS test, between 0.01 and 0.1, where its table ends.

    A small p-value speaks against stationarity. Kwiatkowski et al. (1992), lags chosen after Hobijn et al. (1998).
    """
    return None if _untestable(values) else kpss_p(_scaled(values))


def acf_peaks(values: Floats) -> list[int] | None:
    """Find the lags at which the autocorrelation peaks, the highest first, five at most.

    A peak is higher than both its neighbours and above 1.96/√n, the bound of white noise; lags run from 2 to n/2.
    None for fewer than 4 points or a constant series.

    Example:
        >>> acf_peaks(np.tile([0.0, 1.0, 0.0, -1.0], 25))[:2]
        [4, 8]
    """
    count = len(values)
    if count < 4 or _is_constant(values):
        return None
    acf = autocorrelation(values)[: count // 2 + 2]
    inner = acf[1:-1]
    peaks = np.flatnonzero((inner > acf[:-2]) & (inner > acf[2:]) & (inner > _NOISE / np.sqrt(count))) + 1
    order = np.argsort(-acf[peaks], kind="stable")
    return [int(lag) for lag in peaks[order][:MOST_PEAKS]]


def autocorrelation(values: Floats) -> Floats:
    """Compute the autocorrelation at lags 0 to n − 1, divided by n at each (as statsmodels' `acf`)."""
    centred = _scaled(values)
    centred = centred - centred.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    covariance = np.fft.irfft(spectrum * spectrum.conjugate())[: len(centred)]
    return np.asarray(covariance / covariance[0], dtype=np.float64)


def strengths(values: Floats, season_length: int) -> Strengths:
    """Measure how strong trend and season are, from an STL decomposition.

    Trend: max(0, 1 − Var(R)/Var(T + R)); season: max(0, 1 − Var(R)/Var(S + R)), with trend T, season S and
    remainder R. Wang, Smith and Hyndman (2006), as in Hyndman and Athanasopoulos, *Forecasting: Principles and
    Practice*, 3rd edition, section 4.3. Where both parts vanish (a straight line has no season) it is 0.

    Args:
        values: Observed values.
        season_length: Points in a season; below 2, or with fewer than two seasons of values, there is no answer.
    """
    from sparkhu.kernels.stl import smoothers, stl

    if season_length < 2 or len(values) < 2 * season_length or _is_constant(values):
        return Strengths(None, None)
    scaled = _scaled(values)
    parts = stl(scaled, smoothers(season_length))
    varies, remainder = variance(scaled), scaled - parts.trend - parts.season
    return Strengths(strength(parts.trend, remainder, varies), strength(parts.season, remainder, varies))


def strength(part: Floats, remainder: Floats, varies: float) -> float:
    """Measure how much of what is left beside the other parts is `part`: max(0, 1 − Var(R)/Var(part + R)), 0 to 1.

    Args:
        part: Trend or season.
        remainder: The remainder R, as many values.
        varies: Variance of the whole series; a part that vanishes against it has strength 0.
    """
    whole = variance(part + remainder)
    if whole <= _VANISHING * varies:
        return 0.0
    return max(0.0, 1.0 - variance(remainder) / whole)


def variance(values: Floats) -> float:
    """Give the variance with divisor n, as `np.var`, which takes longer for a short series than its sums do."""
    off = values - values.sum() / len(values)
    return float((off * off).sum() / len(values))


def _scaled(values: Floats) -> Floats:
    """Bring values into [−1, 1], which no result here depends on, so that squares of huge ones do not overflow."""
    return np.asarray(values / np.abs(values).max(), dtype=np.float64)


def _is_constant(values: Floats) -> bool:
    return bool((values == values[0]).all())


def _untestable(values: Floats) -> bool:
    return len(values) < LEAST_POINTS or _is_constant(values)
