"""Lengths of time as people write them, "30 days" or "1 year", counted by the calendar of a zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, get_args

import numpy as np
import polars as pl
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from sparkhu.calendars import shift_months
from sparkhu.errors import InputError
from sparkhu.zones import DAY_US, from_wall, to_wall
from sparkhu_retention.items import INSTANT

Unit = Literal["day", "week", "month", "year"]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
MOST_YEARS: Final = 1_000
LAST: Final = datetime.max.replace(tzinfo=UTC)
"""What lies later is told as this."""

_MEAN_DAYS: Final[dict[Unit, float]] = {"day": 1, "week": 7, "month": 365.2425 / 12, "year": 365.2425}
_MONTHS: Final[dict[Unit, int]] = {"month": 1, "year": 12}
_TEXT: Final = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([^\W\d_]+)")
_WRITTEN: Final = "such as 30 days, 2 weeks, 18 months or 1 year"


@dataclass(frozen=True)
class CalendarPeriod:
    """A whole number of days, weeks, months or years.

    Attributes:
        count: How many, at least 1.
        unit: Of what.

    Raises:
        InputError: It is not longer than nothing, or longer than 1,000 years.

    Example:
        >>> str(CalendarPeriod.parse("1 year"))
        '1 year'
    """

    count: int
    unit: Unit

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InputError(f"its unit must be one of {', '.join(UNITS)}, got '{self.unit}'")
        if self.count < 1:
            raise InputError(f"it must be longer than nothing, {_WRITTEN}, got '{self.count} {self.unit}s'")
        if self.days > MOST_YEARS * _MEAN_DAYS["year"]:
            raise InputError(f"it must be {MOST_YEARS:,} years at most, got '{self}'")

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @classmethod
    def parse(cls, text: object) -> "CalendarPeriod":
        """Read what `str` writes; capitals, spaces and a missing or idle plural s are no matter.

        Raises:
            InputError: It is none, has another unit, no whole number, or is not longer than nothing.
        """
        if isinstance(text, CalendarPeriod):
            return text
        found = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None:
            raise InputError(f"it must be a number and a unit, {_WRITTEN}")
        number, word = found[1], found[2].lower()
        unit = next((unit for unit in UNITS if word in (unit, f"{unit}s")), None)
        if unit is None:
            raise InputError(f"the unit '{found[2]}' is unknown; there is {', '.join(f'{unit}s' for unit in UNITS)}")
        if "." in number:
            raise InputError(f"its number must be whole, {_WRITTEN}; take a smaller unit")
        return cls(int(number), unit)

    @property
    def days(self) -> float:
        """Its days: exactly for days and weeks, by the calendar's mean for months and years."""
        return self.count * _MEAN_DAYS[self.unit]

    def after(self, instants: pl.Series, zone: str) -> pl.Series:
        """Give the moments that lie this long after others.

        Days and weeks keep the time of the wall clock, months and years also the day of the month, or take the month's
        last day where it is shorter. A time that the clock skips is moved behind the jump, of one that it shows twice
        the first counts (`sparkhu.zones.from_wall`). What lies behind the year 9999 is told as its last day but one.

        Args:
            instants: Of the type `INSTANT`; nulls stay null.
            zone: IANA zone whose calendar counts.

        Returns:
            As many instants, of the same type.

        Example:
            A month after 31 January is 29 February in 2024; a year after that is 28 February.
        """
        known = instants.cast(INSTANT).to_physical().fill_null(0).to_numpy()
        wall = to_wall(known, zone)
        if self.unit in _MONTHS:
            moved = shift_months(wall, np.full_like(wall, self.count * _MONTHS[self.unit]), 1)
        else:
            moved = wall + self.count * int(_MEAN_DAYS[self.unit]) * DAY_US
        latest = pl.Series([LAST], dtype=INSTANT).to_physical()[0]
        moved = np.minimum(moved, latest - DAY_US)  # a zone may lie a day off
        later = pl.Series(instants.name, from_wall(moved, zone)).cast(INSTANT)
        return later.set(instants.is_null(), None) if instants.null_count() else later


def _read(value: Any) -> CalendarPeriod:
    return CalendarPeriod.parse(value)


PeriodField = Annotated[
    CalendarPeriod,
    BeforeValidator(_read),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[1-9]\d* (day|week|month|year)s?$", "examples": ["30 days", "1 year"]}
    ),
]
"""A field of a document that holds one, as text."""
