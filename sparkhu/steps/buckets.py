"""Buckets of time: which of a calendar's hours, days, weeks or months an instant lies in, and where they begin.

Buckets of whole days, weeks, months, quarters, years and business days begin at midnight on the clock of the zone,
weeks on Monday; a weekend belongs to the Friday before it. Shorter ones, and others that are no whole days (36h), are
of equal physical length, as such periods are (`sparkhu.periods`), counted from a Monday's midnight in the zone's
standard time. Nothing depends on where the data begin, so two runs over neighbouring intervals have the same buckets.
"""

from dataclasses import dataclass

import numpy as np

from sparkhu.periods import Period
from sparkhu.steps.segmented import Ints
from sparkhu.steps.stretches import clock
from sparkhu.zones import DAY_US, from_wall, to_wall

MONDAY = np.datetime64("1970-01-05", "D")
MONDAY_US = 4 * DAY_US
MONTHS = {"month": 1, "quarter": 3, "year": 12}
JANUARY_JULY = np.array(["2024-01-01", "2024-07-01"], "datetime64[us]").view(np.int64)


@dataclass(frozen=True)
class Buckets:
    """All buckets of a period, numbered in order of time.

    Example:
        >>> days = Buckets(Period.parse("1d", "Europe/Berlin"))
        >>> days.starts(days.numbers(instants) + 1)  # where the bucket of each instant ends
    """

    period: Period

    def numbers(self, instants: Ints) -> Ints:
        """Give the number of the bucket that each instant, in UTC microseconds, lies in."""
        length, kind = self.period.microseconds, self.period.kind
        if length is not None and length % DAY_US:
            return (instants - self._origin) // length
        wall = to_wall(instants, self.period.zone)
        if length is not None:
            return (wall - MONDAY_US) // length
        if kind in MONTHS:
            months = wall.view("datetime64[us]").astype("datetime64[M]").view(np.int64)
            return np.asarray(months // MONTHS[kind], np.int64)
        days = np.busday_offset(wall.view("datetime64[us]").astype("datetime64[D]"), 0, roll="backward")
        return np.asarray(np.busday_count(MONDAY, days), np.int64)

    def starts(self, numbers: Ints) -> Ints:
        """Give the instant at which each bucket begins, in UTC microseconds."""
        length, kind = self.period.microseconds, self.period.kind
        if length is not None and length % DAY_US:
            return self._origin + numbers * length
        if length is not None:
            return from_wall(MONDAY_US + numbers * length, self.period.zone)
        months = kind in MONTHS
        begin = (numbers * MONTHS[kind]).view("datetime64[M]") if months else np.busday_offset(MONDAY, numbers)
        return from_wall(begin.astype("datetime64[us]").view(np.int64), self.period.zone)

    @property
    def _origin(self) -> int:
        """A Monday's midnight in standard time: the smaller of the zone's offsets, in January and in July."""
        offset = int((to_wall(JANUARY_JULY, self.period.zone) - JANUARY_JULY).min())
        return MONDAY_US - offset


def steps_before(period: Period, origins: Ints, limits: Ints) -> Ints:
    """Count the steps of a period that lead forwards from each origin to instants before its limit."""
    if period.microseconds is not None:
        room = to_wall(limits, clock(period)) - to_wall(origins, clock(period))
        return np.asarray(np.maximum((room - 1) // period.microseconds, 0), np.int64)
    guess = period.fit_us(origins, limits)[0]
    fits = [(k > 0) & (period.shift_us(origins, k) < limits) for k in (guess + 1, guess, guess - 1)]
    return np.select(fits, [guess + 1, guess, guess - 1], 0)


def steps_since(period: Period, limits: Ints, origins: Ints) -> Ints:
    """Count the steps of a period that lead backwards from each origin to instants at its limit or behind it."""
    if period.microseconds is not None:
        room = to_wall(origins, clock(period)) - to_wall(limits, clock(period))
        return np.asarray(np.maximum(room // period.microseconds, 0), np.int64)
    guess = period.fit_us(limits, origins)[0]
    fits = [(k > 0) & (period.shift_us(origins, -k) >= limits) for k in (guess + 1, guess, guess - 1)]
    return np.select(fits, [guess + 1, guess, guess - 1], 0)
