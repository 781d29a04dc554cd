"""Calendar periods: months, quarters, years and business days, tried in this order.

A gap is measured by walking the calendar from its first point: the whole steps that come nearest to its second
point, and what is left. The rules are those of fixed periods: 20 % of the gaps are the period itself, 90 % lie
within a tenth of it of a multiple. Business days have to show themselves in addition: some gap must leave out a
weekend, or else five points from Monday to Friday would not be daily.
"""

from dataclasses import dataclass

import numpy as np

from sparkhu.calendars import month_days
from sparkhu.periods import Period, PeriodKind
from sparkhu.steps.series_gaps import Bools, Fit, Ints, SeriesGaps
from sparkhu.zones import DAY_US, to_wall

KINDS: tuple[PeriodKind, ...] = ("month", "quarter", "year", "business_day")
NO_KIND = -1
_LEAST_GAP = 0.8
"""Median gap, in periods, below which no calendar period can fit: 28 days less a tenth of a month."""


@dataclass(frozen=True)
class CalendarFit:
    """The calendar period of each series.

    Attributes:
        kind: Index into `KINDS`, `NO_KIND` for none.
        month_day: Day of the month that the series aims at.
        fit: How well the period fits; zeros where there is none.
    """

    kind: Ints
    month_day: Ints
    fit: Fit


def find_calendar(gaps: SeriesGaps, median_gaps: Ints, zone: str) -> CalendarFit:
    """Find the calendar period of each series, if it has one.

    Args:
        gaps: Points of the series, UTC.
        median_gaps: Median gap of each series in microseconds, 0 for none.
        zone: Where days begin and months end.
    """
    kind, days = np.full(len(gaps.lengths), NO_KIND), aimed_month_days(gaps, zone)
    held, explained, error = (np.zeros(len(gaps.lengths)) for _ in range(3))
    for number, name in enumerate(KINDS):
        untold = (kind == NO_KIND) & (median_gaps >= _LEAST_GAP * Period(name).nominal_us)
        for day in np.unique(days[untold]):
            series = np.flatnonzero(untold & (days == day))
            found = _measure(gaps.only(series), Period(name, None, zone, int(day)))
            taken = series[found.passes]
            kind[taken] = number
            for target, values in ((held, found.held), (explained, found.explained), (error, found.error)):
                target[taken] = values[found.passes]
    return CalendarFit(kind, days, Fit(held, explained, error))


def aimed_month_days(gaps: SeriesGaps, zone: str) -> Ints:
    """Find the day of the month that each series aims at.

    That is 31, the month's end, where every point lies on a month's last day, else the latest day that occurs:
    a series of the 30th has points on 28 February, but never on the 31st.
    """
    if not len(gaps.times):
        return np.zeros(0, np.int64)
    days, on_last = month_days(to_wall(gaps.times, zone))
    always_last = np.logical_and.reduceat(on_last, gaps.starts)
    return np.where(always_last, 31, np.maximum.reduceat(days, gaps.starts))


def _measure(gaps: SeriesGaps, period: Period) -> Fit:
    found = gaps.measure(period)
    if period.kind != "business_day":
        return found
    weekend = _leaves_out_weekend(gaps, period)
    return Fit(np.where(weekend, found.held, 0.0), found.explained, found.error)


def _leaves_out_weekend(gaps: SeriesGaps, period: Period) -> Bools:
    starts, ends = gaps.times[gaps.first_rows], gaps.times[gaps.first_rows + 1]
    more_days = Period("fixed", DAY_US, period.zone).fit_us(starts, ends)[0] > period.fit_us(starts, ends)[0]
    return np.bincount(gaps.owners[more_days], minlength=len(gaps.lengths)) > 0
