"""One series decomposed: its way, missing values, and the parts beside its points."""

from typing import NamedTuple

import numpy as np

from sparkhu.steps.segmented import Floats
from sparkhu.steps.stl import Parts, mstl, stl, trend_only

LEAST_POINTS = 3
"""Fewer points than this are not decomposed."""


class Way(NamedTuple):
    """How a series is decomposed.

    Attributes:
        method: `stl`, `mstl`, `trend` (a trend alone) or `none`.
        seasons: Points in each season, ascending; none for a trend alone.
        reason: Why it is no more than a trend; None where it is.
    """

    method: str
    seasons: tuple[int, ...] = ()
    reason: str | None = None


class Decomposed(NamedTuple):
    """A decomposed series with its missing values: NaN in all parts where it is not decomposed.

    Attributes:
        trend: One value a point.
        seasons: One row a season.
        resid: NaN at missing values as well.
    """

    trend: Floats
    seasons: Floats
    resid: Floats

    @property
    def seasonal(self) -> Floats:
        """The sum of the seasons; NaN where there is none."""
        return self.seasons.sum(axis=0) if len(self.seasons) else np.full(len(self.trend), np.nan)


def decomposed(values: Floats, way: Way, *, robust: bool, fast: bool) -> Decomposed:
    """Decompose one series with missing values (NaN): nothing where it has fewer than three values."""
    missing = np.isnan(values)
    if len(values) >= LEAST_POINTS and way.method != "none" and not missing.any():
        return Decomposed(*_parts(values, way, robust=robust, fast=fast))
    parts = Decomposed(
        *(np.full(shape, np.nan) for shape in (len(values), (len(way.seasons), len(values)), len(values)))
    )
    known = np.flatnonzero(~missing)
    if len(known) >= LEAST_POINTS and way.method != "none":
        stretch = slice(int(known[0]), int(known[-1]) + 1)
        found = _parts(interpolated(values), way, robust=robust, fast=fast)
        parts.trend[stretch] = found.trend
        parts.seasons[:, stretch] = found.seasons
        parts.resid[known] = found.resid[known - known[0]]
    return parts


def _parts(whole: Floats, way: Way, *, robust: bool, fast: bool) -> Parts:
    if way.method == "trend":
        return trend_only(whole, robust=robust)
    if way.method == "stl":
        return stl(whole, way.seasons[0], robust=robust, fast=fast)
    return mstl(whole, way.seasons, robust=robust, fast=fast)


def interpolated(values: Floats) -> Floats:
    """Give the points from the first to the last value, missing ones (NaN) on the line between their neighbours."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    known = np.flatnonzero(~missing)
    if not len(known):
        return values[:0]
    return np.interp(np.arange(known[0], known[-1] + 1), known, values[known])
