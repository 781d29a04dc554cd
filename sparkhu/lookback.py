"""How far back a run over an interval reads: steps look at rows before the interval that they publish."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from sparkhu.errors import InputError
from sparkhu.periods import Period
from sparkhu.steps.own_periods import by_period, with_periods
from sparkhu.steps.seasons import calendar_seasons

CYCLES = 10
"""Cycles of the longest season that a run looks back on: decomposition and training both want several."""
LEAST_POINTS = 500
"""Points that it looks back on at the least, of series without a season."""
ALL = "all"
_LENGTH = re.compile(r"(?P<count>[1-9]\d*)(?P<unit>h|d|w|mo|y)")


def check_lookback(lookback: str) -> None:
    """Check a look-back that is given.

    Raises:
        InputError: It is neither empty, nor `all`, nor a length of time such as 36h, 60d, 8w, 6mo or 2y.
    """
    if lookback not in ("", ALL) and not _LENGTH.fullmatch(lookback):
        raise InputError(
            f"lookback must be a length of time such as 36h, 60d, 8w, 6mo or 2y, or {ALL}, or nothing for what the "
            f"seasons of the series want, got '{lookback}'"
        )


def looked_back(start: datetime, lookback: str, *, zone: str = "UTC") -> datetime:
    """Give the instant that lies a length of time before another, by the calendar of a zone.

    Args:
        start: The instant, with a zone.
        lookback: How far back, such as 60d.
        zone: Where days, months and years are counted.

    Raises:
        InputError: `lookback` is no length of time.

    Example:
        >>> looked_back(datetime(2024, 3, 31, tzinfo=UTC), "1mo").isoformat()
        '2024-02-29T00:00:00+00:00'
    """
    check_lookback(lookback)
    local = pl.Series([start.astimezone(ZoneInfo("UTC"))]).dt.convert_time_zone(zone)
    return local.dt.offset_by(f"-{lookback}").dt.convert_time_zone("UTC")[0]  # type: ignore[no-any-return]


def wanted_lookback(profile: pl.DataFrame, *, zone: str = "UTC") -> str:
    """Find how far back the seasons of some series want a run to look: ten cycles of the longest.

    Args:
        profile: One row a series: `decision`, `period_kind`, `period_us`, `period_label`, `season_length`, and
            `median_gap_us` of irregular ones.
        zone: Zone of the calendar.

    Returns:
        A number of whole days such as 70d, at least 500 points of every series; empty where there is no series.

    Example:
        Hourly series have the day and the week: ten weeks are 70 days, which are more than 500 hours.
    """
    longest = 0.0
    regular = profile.filter(pl.col("decision") == "regular")
    for period, part in by_period(with_periods(regular, zone)):
        seasons = {
            season
            for length in part["season_length"].unique()
            for season in calendar_seasons(period.label, length, zone)
        }
        longest = max(longest, period.nominal_us * max(CYCLES * max(seasons, default=0), LEAST_POINTS))
    gaps = profile.filter(pl.col("decision") == "irregular")["median_gap_us"].drop_nulls()
    longest = max(longest, LEAST_POINTS * float(gaps.max() or 0.0))  # type: ignore[arg-type]
    days = -(-longest // Period.parse("1d", zone).nominal_us)
    return f"{days:.0f}d" if days else ""


def kept_interval(lake: str, start: str, end: str) -> tuple[str, str]:
    """Give the interval that the steps behind reading keep to: as given for a source, of a lake what is read.

    Args:
        lake: The lake that was read; empty where a source was.
        start: First instant of the run's interval.
        end: End of it.

    Example:
        >>> kept_interval("s3://lake", "2024-01-05", "2024-01-06")
        ('', '2024-01-06')
    """
    return ("" if lake else start), end
