"""Which seasons a series is decomposed by: stated, from the calendar, or detected.

1. Seasons that are stated hold for every series.
2. Else the season of the series' profile is the first one: the user's, or the calendar's (hour 24, day 7, week 52,
   month 12, quarter 4, business day 5; from a second to below an hour by the day). Where it is the calendar's, the
   next cycle of the calendar follows: the week for periods from a second to below a day (hour 24 and 168, five minutes
   288 and 2016), the year for whole days up to below a week (day 7 and 365).
3. Of these a season stays that has at least two points, and of which at least two fit into the points decomposed; of
   one that the calendar adds at least three, and only where each of its cycles is foretold by the others: one that is
   not there follows, with few cycles, whatever stands out.
4. Where none stays, and none was stated, a season is detected: the lag at which the autocorrelation of the points
   around their straight line peaks highest, up to half of the points, if it is at least 0.3 there.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sparkhu.errors import InputError
from sparkhu.periods import SECOND_US, WEEK_US, YEAR_US, Period
from sparkhu.steps.dynamics import acf_peaks, autocorrelation
from sparkhu.zones import DAY_US

Floats = npt.NDArray[np.float64]

LEAST_ADDED = 3
"""Cycles that must fit of a season that the calendar adds to that of the profile."""
OUTSTANDING = 3.0
"""Times the median size of what is left, beyond which a value is cut off before cycles are compared."""
LEAST_CORRELATION = 0.3
"""A season that is detected correlates at least so much with the one before it."""


def check_seasons(seasons: Sequence[int]) -> None:
    """Check seasons that are stated.

    Raises:
        InputError: One has fewer than two points, or one stands twice.
    """
    short = [season for season in seasons if season < 2]
    if short:
        raise InputError(f"seasons must have 2 points or more, got {short[0]}. Leave it out, or give none at all.")
    if len(set(seasons)) < len(seasons):
        raise InputError(f"seasons must differ from each other, got {', '.join(map(str, seasons))}.")


def calendar_seasons(label: str | None, season_length: int | None, zone: str = "UTC") -> tuple[int, ...]:
    """List the seasons that the profile of a series suggests, ascending.

    Args:
        label: Label of the period, such as 1h; None where the series has none.
        season_length: Points in the season of the profile; None or below 2: it has none.
        zone: Where days begin.

    Returns:
        Points in each season: none, one or two.

    Example:
        >>> calendar_seasons("1h", 24), calendar_seasons("1h", 12), calendar_seasons("1mo", 12)
        ((24, 168), (12,), (12,))
    """
    if season_length is None or season_length < 2:
        return ()
    period = Period.parse(label, zone) if label is not None else None
    if period is None or period.microseconds is None or period.season_length() != season_length:
        return (season_length,)
    length = period.microseconds
    if SECOND_US <= length < DAY_US:
        longer = round(WEEK_US / length)
    elif DAY_US <= length < WEEK_US and length % DAY_US == 0:
        longer = round(YEAR_US / length)
    else:
        return (season_length,)
    return season_length, longer


def fitting(seasons: Sequence[int], count: int, *, least_added: int = 2) -> tuple[int, ...]:
    """Keep the seasons of which at least two fit into `count` points, ascending.

    Args:
        seasons: Points in each season, the first one first.
        count: Points to be decomposed.
        least_added: Cycles that must fit of each season behind the first.
    """
    least = [2, *[least_added] * (len(seasons) - 1)]
    return tuple(sorted(season for season, n in zip(seasons, least, strict=False) if 2 <= season <= count // n))


def is_foretold(values: Floats, season: int, shorter: Sequence[int] = ()) -> bool:
    """Say whether a season's cycles foretell one another: leave-one-out cross-validation against no season at all.

    The level (a running median over the season) and the shorter seasons (the median of each phase) are taken out first;
    what then stands out beyond three times the median size is cut off. Each whole cycle is compared with the mean of
    the others. Of pure noise with c cycles that misses by 1/(c − 1) more than nothing at all does, in squares; so a
    season must carry at least about a c-th part of what is left.

    Args:
        values: One value a point, none missing.
        season: Points in the season; at least two cycles must fit.
        shorter: Points in the seasons that are taken out before.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=700)
        >>> week = np.tile([0, 0, 0, 0, 0, 5, 5], 100)
        >>> is_foretold(noise, 7), is_foretold(noise + week, 7)
        (False, True)
    """
    from sparkhu.kernels.medians import place_medians, running_medians

    half = season // 2
    level = running_medians(values, 2 * half + 1, least=2 * half + 1)
    level[:half], level[len(level) - half :] = level[half], level[len(level) - half - 1]
    rest = values - level
    for points in shorter:
        rest = rest - place_medians(rest, points)
    cycles = len(rest) // season
    limit = OUTSTANDING * float(np.median(np.abs(rest))) or np.inf
    whole = np.clip(rest[len(rest) - cycles * season :], -limit, limit).reshape(cycles, season)
    others = (whole.sum(axis=0) - whole) / (cycles - 1)
    return float(((whole - others) ** 2).sum()) < float((whole**2).sum())


def detect_season(values: Floats) -> int | None:
    """Detect the season of a series without a missing value: see the rules above; None where it shows none.

    Example:
        >>> detect_season(np.tile([0.0, 1.0, 5.0, 1.0], 8))
        4
    """
    count = len(values)
    if count < 4:
        return None
    rows = np.arange(count) - (count - 1) / 2
    centred = values - values.mean()
    rest = centred - rows * (float(rows @ centred) / float(rows @ rows))
    if np.abs(rest).max() <= 1e-9 * np.abs(values).max():
        return None
    peaks = acf_peaks(rest)
    return peaks[0] if peaks and autocorrelation(rest)[peaks[0]] >= LEAST_CORRELATION else None
