"""The inner loops of a decomposition: arrays in, arrays out.

STL: R. B. Cleveland et al., *STL: A Seasonal-Trend Decomposition Procedure Based on Loess*, Journal of Official
Statistics 6 (1990). MSTL: K. Bandara, R. J. Hyndman and C. Bergmeir, *MSTL* (2021), which runs STL for one season after
the other, shortest first, twice. Trend alone: W. S. Cleveland's LOWESS (1979). Results are those of statsmodels; the
loops are compiled (`sparkhu.kernels`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ITERATIONS = 2
"""How often MSTL goes through its seasons."""
TREND_SHARE = 0.3
"""Share of the points that the local lines of a trend alone look at."""
TREND_POINTS = 7
"""The fewest points they look at."""
_STL_WINDOW = 7
_MSTL_WINDOWS = (11, 4)
EXACT_CYCLES = 5
"""Where fewer cycles of a season fit, fast is exact: robust weights tip over there from the smallest difference."""
EXACT_WORK = 2_000_000
"""Points times points of the widest window up to which that is done; beyond it takes minutes a series."""
PARTS_OF_WINDOW = 50
"""Fits of a smoother to the width of its window where it is fast."""
MANY_PARTS_OF_WINDOW = 100
"""The same where it would be exact but for the work."""


class Parts(NamedTuple):
    """A decomposed series: `trend` + the sum of `seasons` + `resid` is the series.

    Attributes:
        trend: One value a point.
        seasons: One row a season (none where there is a trend alone), one column a point.
        resid: What is left.
    """

    trend: Floats
    seasons: Floats
    resid: Floats

    @property
    def seasonal(self) -> Floats:
        """The sum of all seasons, one value a point."""
        return np.asarray(self.seasons.sum(axis=0), dtype=np.float64)


def stl(values: Floats, period: int, *, robust: bool, fast: bool = False, window: int = _STL_WINDOW) -> Parts:
    """Split a series into trend, one season and remainder, by STL with statsmodels' default windows.

    Args:
        values: The series, without a missing value; two seasons at least.
        period: Points in a season, 2 or more.
        robust: Whether points with a large remainder get less weight, over 15 iterations.
        fast: Whether trend and low pass are fitted every fiftieth part of their windows, and the fits joined by
            straight lines (as R's `stl` does every tenth part), instead of every point. Of fewer than five seasons
            every point is fitted all the same; a hundredth part where points times window are beyond 2,000,000.
        window: Seasons that the smoothing of the season looks at, odd.
    """
    from sparkhu.kernels import stl as compiled

    scaled, exponent = _scaled(values)
    jumps = _jumps(len(values), period, window) if fast else {}
    fit = compiled.stl(scaled, compiled.smoothers(period, seasonal=window, **jumps), robust=robust)
    trend, seasonal = np.ldexp(fit.trend, exponent), np.ldexp(fit.season, exponent)
    return Parts(trend, seasonal[None, :], values - trend - seasonal)


def mstl(values: Floats, periods: Sequence[int], *, robust: bool, fast: bool = False) -> Parts:
    """Split a series into trend, several seasons and remainder, by MSTL with statsmodels' default windows.

    Args:
        values: The series, without a missing value; two seasons at least of each.
        periods: Points in each season, ascending.
        robust: See `stl`.
        fast: See `stl`.
    """
    seasons = np.zeros((len(periods), len(values)))
    rest, trend = values, values
    for _ in range(ITERATIONS if len(periods) > 1 else 1):
        for number, period in enumerate(periods):
            rest = rest + seasons[number]
            window = _MSTL_WINDOWS[0] + _MSTL_WINDOWS[1] * number
            part = stl(rest, period, robust=robust, fast=fast, window=window)
            seasons[number], trend = part.seasons[0], part.trend
            rest = rest - seasons[number]
    return Parts(trend, seasons, values - trend - seasons.sum(axis=0))


def trend_only(values: Floats, *, robust: bool) -> Parts:
    """Split a series into trend and remainder: a line through each point's neighbourhood, near points weighing more.

    The neighbourhood is 0.3 of the points, 7 at least; from 200 points on a line is fitted every hundredth of the
    series, and the fits are joined by straight lines.

    Args:
        values: The series, without a missing value; three points at least.
        robust: Whether points with a large remainder get less weight, over three iterations.
    """
    from sparkhu.kernels.lowess import lowess

    scaled, exponent = _scaled(values)
    count = len(values)
    share = min(1.0, max(TREND_SHARE, TREND_POINTS / count))
    smooth = lowess(scaled, share=share, rounds=3 if robust else 0, step=count // 100)
    trend = np.ldexp(smooth, exponent)
    return Parts(trend, np.zeros((0, count)), values - trend)


def _scaled(values: Floats) -> tuple[Floats, int]:
    """Bring values into [−1, 1] by a power of two, which rounds nothing, so that sums of huge ones do not overflow."""
    exponent = int(np.frexp(np.abs(values).max())[1])
    return np.ldexp(values, -exponent), exponent


def _jumps(count: int, period: int, window: int) -> dict[str, int]:
    """Give the distance between fits of the smoothers of trend and low pass: a part of the window, rounded up."""
    trend = int(np.ceil(1.5 * period / (1 - 1.5 / window))) | 1
    few = count < EXACT_CYCLES * period
    if few and count * trend <= EXACT_WORK:
        return {}
    parts = MANY_PARTS_OF_WINDOW if few else PARTS_OF_WINDOW
    windows = {"trend": trend, "low_pass": (period + 1) | 1}
    return {f"{name}_jump": -(-size // parts) for name, size in windows.items()}
