"""The period of a series: a fixed length or a step of the calendar, and how to count and walk in it.

Fixed periods are whole microseconds. Calendar periods (month, quarter, year, business day) and fixed periods of
whole days (1d, 2d, 1w) walk on the wall clock of their zone, so that a daily series stamped at local midnight
stays at local midnight across summer time: its step is then 23, 24 or 25 hours long. All other fixed periods
(1h, 36h) are physical durations, whatever the zone.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, overload

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.calendars import business_days_between, months_between, shift_business_days, shift_months
from sparkhu.errors import InputError
from sparkhu.zones import DAY_US, Microseconds, check_zone, from_wall, to_wall

PeriodKind = Literal["fixed", "month", "quarter", "year", "business_day"]
Instants = npt.NDArray[np.datetime64] | pl.Series
Steps = int | pl.Series | Microseconds

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
WEEK_US = 7 * DAY_US
YEAR_US = 31_556_952 * SECOND_US  # the mean year of the Gregorian calendar, 365.2425 days

_MONTHS: dict[PeriodKind, int] = {"month": 1, "quarter": 3, "year": 12}
_CALENDAR_LABELS: dict[PeriodKind, str] = {"month": "1mo", "quarter": "1q", "year": "1y", "business_day": "1bd"}
_CALENDAR_SEASONS: dict[PeriodKind, int] = {"month": 12, "quarter": 4, "year": 1, "business_day": 5}
_UNITS = {"w": WEEK_US, "d": DAY_US, "h": HOUR_US, "min": 60 * SECOND_US, "s": SECOND_US, "ms": 1_000, "us": 1}
_MONTH_UNITS = {"mo": 1, "q": 3, "y": 12}
_LARGEST = 2**63 - 1
_SEASON_TOLERANCE = 0.05


@dataclass(frozen=True)
class Period:
    """The step of a series.

    Attributes:
        kind: `fixed`, `month`, `quarter`, `year` or `business_day` (Monday to Friday).
        microseconds: The length of a fixed period; None for a calendar period.
        zone: Where days begin and months end.
        month_day: For month, quarter and year: the day of the month that an instant on its month's last day stands
            for, 30 for a series of the 30th, None (as 31) for the month's end. Any other instant keeps its own day.

    Raises:
        InputError: An attribute does not fit; the message names it.

    Example:
        >>> Period.parse("1mo").shift(datetime(2024, 1, 31, tzinfo=UTC), 1)
        datetime.datetime(2024, 2, 29, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC'))
    """

    kind: PeriodKind
    microseconds: int | None = None
    zone: str = "UTC"
    month_day: int | None = None

    def __post_init__(self) -> None:
        if self.kind != "fixed" and self.kind not in _CALENDAR_LABELS:
            raise InputError(f"kind must be fixed, month, quarter, year or business_day, got '{self.kind}'")
        if self.kind != "fixed" and self.microseconds is not None:
            raise InputError(f"microseconds must be None for a {self.kind} period, got {self.microseconds}")
        if self.kind == "fixed" and (self.microseconds is None or not 1 <= self.microseconds <= _LARGEST):
            raise InputError(f"microseconds must be at least 1 for a fixed period, got {self.microseconds}")
        if self.month_day is not None and not 1 <= self.month_day <= 31:
            raise InputError(f"month_day must lie in 1..31, got {self.month_day}")
        check_zone(self.zone)

    @classmethod
    def parse(cls, label: str, zone: str = "UTC", month_day: int | None = None) -> "Period":
        """Read a label: a number with us, ms, s, min, h, d or w, or one of 1mo, 1q (3mo), 1y (12mo, 4q), 1bd.

        Raises:
            InputError: The label is none of these.
        """
        match = re.fullmatch(r"(\d{1,19})(us|ms|s|min|h|d|w|mo|q|y|bd)", label.strip(), re.ASCII)
        number, unit = (int(match[1]), match[2]) if match else (0, "")
        if unit in _UNITS and 1 <= number * _UNITS[unit] <= _LARGEST:
            return cls("fixed", number * _UNITS[unit], zone)
        for kind, months in _MONTHS.items():
            if number * _MONTH_UNITS.get(unit, 0) == months:
                return cls(kind, None, zone, month_day)
        if unit == "bd" and number == 1:
            return cls("business_day", None, zone)
        known = "a number and a unit (250ms, 10s, 5min, 1h, 1d, 1w), or one of 1mo, 1q, 1y, 1bd"
        raise InputError(f"period must be {known}, got '{label}'")

    @property
    def label(self) -> str:
        """The shortest exact label: 1h, 250ms, 1w, 1mo, 1q, 1y, 1bd."""
        if self.microseconds is None:
            return _CALENDAR_LABELS[self.kind]
        unit = next(name for name, size in _UNITS.items() if self.microseconds % size == 0)
        return f"{self.microseconds // _UNITS[unit]}{unit}"

    @property
    def nominal_us(self) -> int:
        """Length in microseconds.

        Exact for fixed periods; the calendar's mean for months, quarters and years; one day, the step between
        neighbours, for business days.
        """
        if self.microseconds is not None:
            return self.microseconds
        return YEAR_US * _MONTHS[self.kind] // 12 if self.kind in _MONTHS else DAY_US

    def season_length(self) -> int:
        """Count the steps in the season that the calendar suggests; 1 where it suggests none.

        Hour 24, day 7, week 52, month 12, quarter 4, year 1, business day 5. Periods from one second to below a day
        count by the day (5min 288, 30min 48, 6h 4), from one day to below a week by the week, longer ones by the
        year. Below one second they count by the second (250ms 4), the next unit of the clock; by the day a
        season would be hundreds of thousands of steps, longer than such recordings usually are. A season must be
        within 5 % of a whole number of steps: 7min has 206, 2d and 13h have none.
        """
        if self.microseconds is None:
            return _CALENDAR_SEASONS[self.kind]
        cycles = (SECOND_US, DAY_US, WEEK_US)
        steps = next((cycle for cycle in cycles if self.microseconds < cycle), YEAR_US) / self.microseconds
        whole = round(steps)
        return whole if whole > 1 and abs(steps - whole) <= _SEASON_TOLERANCE * whole else 1

    @overload
    def shift(self, instants: datetime, steps: int) -> datetime: ...
    @overload
    def shift(self, instants: pl.Series, steps: Steps) -> pl.Series: ...
    @overload
    def shift(self, instants: npt.NDArray[np.datetime64], steps: Steps) -> npt.NDArray[np.datetime64]: ...

    def shift(self, instants: datetime | Instants, steps: Steps) -> datetime | Instants:
        """Move instants by whole periods.

        Args:
            instants: One datetime with a zone, a Polars series of UTC microseconds, or a numpy array of
                datetime64[us] in UTC; nulls stay null.
            steps: How many periods, negative backwards: one number, or one per instant.

        Returns:
            Instants in the form given. A business-day step from a weekend leads to Monday forwards, to Friday
            backwards (as pandas' BDay); zero steps change nothing. A wall-clock time that summer time skips is
            moved behind the jump.

        Raises:
            InputError: A result lies outside 64-bit microseconds, or a datetime has no zone.
        """
        moves = steps.to_numpy() if isinstance(steps, pl.Series) else np.asarray(steps, dtype=np.int64)
        if isinstance(instants, pl.Series):
            moved = pl.Series(instants.name, self.shift_us(_physical(instants), moves)).cast(pl.Datetime("us", "UTC"))
            return moved.set(instants.is_null(), None) if instants.null_count() else moved
        if isinstance(instants, datetime):
            return pl.Series(self.shift_us(_physical(_series_of(instants)), moves)).cast(pl.Datetime("us", "UTC"))[0]  # type: ignore[no-any-return]
        known = np.where(np.isnat(instants), np.datetime64(0, "us"), instants.astype("datetime64[us]"))
        shifted = self.shift_us(known.view(np.int64), moves).view("datetime64[us]")
        return np.where(np.isnat(instants), np.datetime64("NaT", "us"), shifted)

    def count(self, start: datetime, end: datetime) -> int:
        """Count the whole steps between two datetimes with zones, as `counts` does."""
        return int(self.counts(_series_of(start), _series_of(end))[0])

    def counts(self, starts: Instants, ends: Instants) -> pl.Series:
        """Count the whole steps from each start to its end.

        Args:
            starts: Polars series of UTC microseconds or numpy array of datetime64[us] in UTC.
            ends: The same, of equal length.

        Returns:
            Int64: the number of steps from the start that comes nearest the end, a tie to the later one; negative
            backwards; null where either instant is. In hours, 00:00 to 02:58 counts 3.
        """
        first, last = (s if isinstance(s, pl.Series) else pl.Series(s.astype("datetime64[us]")) for s in (starts, ends))
        steps = pl.Series(first.name, self.fit_us(_physical(first), _physical(last))[0])
        return steps.set(first.is_null() | last.is_null(), None)

    def shift_us(self, instants: Microseconds, steps: Microseconds) -> Microseconds:
        """Move UTC microseconds, plain integers, by whole periods, as `shift` does."""
        moves = np.broadcast_to(np.asarray(steps, dtype=np.int64), instants.shape)
        self._check_range(instants, moves)
        if not self._walks_on_wall:
            return self._shift_wall(instants, moves)
        wall = to_wall(instants, self.zone)
        return np.where(moves == 0, instants, from_wall(self._shift_wall(wall, moves), self.zone))

    def fit_us(self, starts: Microseconds, ends: Microseconds) -> tuple[Microseconds, Microseconds]:
        """Find the nearest whole number of steps from each start to its end, and what is left.

        Args:
            starts: UTC microseconds.
            ends: The same, of equal length.

        Returns:
            Steps, and the microseconds by which the end lies behind the last step, measured on the clock that the
            period walks on.
        """
        if self._walks_on_wall:
            starts, ends = to_wall(starts, self.zone), to_wall(ends, self.zone)
        if self.microseconds is not None:
            whole, rest = np.divmod(ends - starts, np.int64(self.microseconds))
            later = rest >= self.microseconds - rest
            return whole + later, rest - later * np.int64(self.microseconds)
        best = self._guess_steps(starts, ends) + 1
        left = ends - self._shift_wall(starts, best)
        for steps in (best - 1, best - 2):
            behind = ends - self._shift_wall(starts, steps)
            nearer = np.abs(behind) < np.abs(left)
            best, left = np.where(nearer, steps, best), np.where(nearer, behind, left)
        return best, left

    @property
    def _walks_on_wall(self) -> bool:
        return self.microseconds is None or (self.microseconds % DAY_US == 0 and self.zone != "UTC")

    def _check_range(self, instants: Microseconds, moves: Microseconds) -> None:
        farthest = float(np.abs(instants.astype(np.float64)).max(initial=0))
        most = float(np.abs(moves.astype(np.float64)).max(initial=0))
        if farthest + most * self.nominal_us * 2 >= _LARGEST:
            raise InputError(f"steps must stay within 64-bit microseconds, got {most:.0f} steps of {self.label}")

    def _guess_steps(self, starts: Microseconds, ends: Microseconds) -> Microseconds:
        if self.kind == "business_day":
            return business_days_between(starts, ends)
        return np.asarray(months_between(starts, ends) // _MONTHS[self.kind], dtype=np.int64)

    def _shift_wall(self, wall: Microseconds, steps: Microseconds) -> Microseconds:
        if self.microseconds is not None:
            return wall + steps * np.int64(self.microseconds)
        if self.kind == "business_day":
            return shift_business_days(wall, steps)
        return shift_months(wall, steps * _MONTHS[self.kind], self.month_day or 31)


def _physical(instants: pl.Series) -> Microseconds:
    return instants.cast(pl.Datetime("us", "UTC")).to_physical().fill_null(0).to_numpy()


def _series_of(instant: datetime) -> pl.Series:
    if instant.tzinfo is None:
        raise InputError(f"instant must carry a zone, got {instant.isoformat()}; add tzinfo=UTC")
    return pl.Series([instant.astimezone(UTC)]).cast(pl.Datetime("us", "UTC"))
