"""Naive2, the yardstick of the M4 competition: the last value, seasonally adjusted where a test finds a season.

Source: the competition's published code (github.com/Mcompetitions/M4-methods, `Benchmarks and Evaluation.R`); R's
`decompose(type = "multiplicative")` and `acf`.
"""

import numpy as np

from sparkhu.training.parts import Floats

CRITICAL = 1.645
"""The normal quantile of a two-sided test at 90 %."""


def naive2(history: Floats, season_length: int, horizon: int) -> Floats:
    """Forecast H points by Naive2.

    Args:
        history: The series, (n,) in its own units, without gaps.
        season_length: Points in a season, 1 without one.
        horizon: H.

    Returns:
        (H,) in own units. A series that is not positive throughout has no multiplicative season: its last value.

    Example:
        >>> naive2(np.array([1.0, 2.0, 3.0]), season_length=1, horizon=2).tolist()
        [3.0, 3.0]
    """
    if not is_seasonal(history, season_length) or history.min() <= 0:
        return np.full(horizon, history[-1])
    indices = seasonal_indices(history, season_length)
    cycle = np.arange(len(history) - season_length, len(history)) % season_length
    ahead = indices[cycle][np.arange(horizon) % season_length]
    return np.asarray(history[-1] / indices[cycle[-1]] * ahead)


def is_seasonal(history: Floats, season_length: int) -> bool:
    """Test for a season at 90 %: is the autocorrelation at its lag beyond Bartlett's limit of those below it?

    Args:
        history: (n,).
        season_length: The lag; no season is found in fewer than three of it, nor beyond R's 10·log₁₀(n) lags.
    """
    n = len(history)
    if season_length < 2 or n < 3 * season_length or season_length > int(10 * np.log10(n)):
        return False
    off = history - history.mean()
    total = float(off @ off)
    if total == 0:
        return False
    correlations = np.array([off[lag:] @ off[: n - lag] for lag in range(1, season_length + 1)]) / total
    limit = CRITICAL / np.sqrt(n) * np.sqrt(1 + 2 * float((correlations[:-1] ** 2).sum()))
    return bool(abs(correlations[-1]) > limit)


def seasonal_indices(history: Floats, season_length: int) -> Floats:
    """Give the indices of the classical multiplicative decomposition, (season,), from the first point on.

    Args:
        history: (n,), positive, two seasons at least.
        season_length: Points in a season; the trend is their centred moving average.
    """
    weights = np.full(season_length + (season_length % 2 == 0), 1.0 / season_length)
    if season_length % 2 == 0:
        weights[[0, -1]] /= 2
    half = len(weights) // 2
    ratios = np.full(len(history), np.nan)
    ratios[half : len(history) - half] = history[half : len(history) - half] / np.convolve(history, weights, "valid")
    figure = np.array([np.nanmean(ratios[place::season_length]) for place in range(season_length)])
    return np.asarray(figure / figure.mean())
