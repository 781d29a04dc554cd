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
from sparkhu.zones import DAY_US

KINDS: tuple[PeriodKind, ...] = ("month", "quarter", "year", "business_day")
NO_KIND = -1
MONTH_END = 31
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


def find_calendar(gaps: SeriesGaps, median_gaps: Ints) -> CalendarFit:
    """Find the calendar period of each series, if it has one.

    Args:
        gaps: Points of the series, on the wall clock.
        median_gaps: Median gap of each series in microseconds, 0 for none.
    """
    found = Fit.nothing(len(gaps.lengths))
    kind, days = np.full(len(gaps.lengths), NO_KIND), _aimed_month_days(gaps, median_gaps)
    for number, name in enumerate(KINDS):
        untold = (kind == NO_KIND) & (median_gaps >= _LEAST_GAP * Period(name).nominal_us)
        for day in np.unique(days[untold]):
            series = np.flatnonzero(untold & (days == day))
            trial = _measure(gaps.only(series), Period(name, month_day=int(day)))
            taken = series[trial.passes]
            kind[taken] = number
            found = found.replaced(taken, trial.only(trial.passes))
    return CalendarFit(kind, days, found)


def _aimed_month_days(gaps: SeriesGaps, median_gaps: Ints) -> Ints:
    """Find the day of the month that each series aims at.

    That is 31, the month's end, where every point lies on a month's last day, else the latest day that occurs:
    a series of the 30th has points on 28 February, but never on the 31st. Series of many points a month have no aim.
    """
    aims = np.full(len(gaps.lengths), MONTH_END)
    series = np.flatnonzero(median_gaps >= _LEAST_GAP * Period("month").nominal_us)
    if len(series):
        part = gaps.only(series)
        days, on_last = month_days(part.times)
        always_last = np.logical_and.reduceat(on_last, part.starts)
        aims[series] = np.where(always_last, MONTH_END, np.maximum.reduceat(days, part.starts))
    return aims


def _measure(gaps: SeriesGaps, period: Period) -> Fit:
    found = gaps.measure(period)
    if period.kind != "business_day" or not found.passes.any():
        return found
    weekend = _leaves_out_weekend(gaps, period)
    return Fit(np.where(weekend, found.held, 0.0), found.explained, found.error)


def _leaves_out_weekend(gaps: SeriesGaps, period: Period) -> Bools:
    starts, ends = gaps.times[gaps.first_rows], gaps.times[gaps.first_rows + 1]
    more_days = Period("fixed", DAY_US).fit_us(starts, ends)[0] > period.fit_us(starts, ends)[0]
    return np.bincount(gaps.owners[more_days], minlength=len(gaps.lengths)) > 0
