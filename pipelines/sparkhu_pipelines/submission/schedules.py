"""Schedules in the five fields of cron, as everybody writes them, and in the six that Kubeflow Pipelines takes.

Kubeflow Pipelines puts seconds first, and of five fields it takes the first for seconds: `0 3 * * *` would run at the
third minute of every hour. It knows 0 to 6 for the days of a week, no 7, and no range that goes over its end.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sparkhu.errors import InputError

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, DAYS),
)
WORDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FREE: Final = ("*", "?")
LOOKED_AHEAD: Final = 366 * 8
"""Days among which every day of the calendar comes once: eight years may lie between two 29 February."""


class Schedule(NamedTuple):
    """When something runs.

    Attributes:
        text: The five fields, as they were given.
        minutes: Minutes of the hour; so on for the other fields.
        any_day: Whether the day of the month is free (`*`).
        any_weekday: Whether the day of the week is free. Where neither is, one of both must fit.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @property
    def six_fields(self) -> str:
        """The schedule as Kubeflow Pipelines takes it: seconds first, every value written out.

        Example:
            >>> parse_schedule("*/30 3 * * 5-7").six_fields
            '0 0,30 3 * * 0,5,6'
        """
        minutes, hours = _written(self.minutes, range(60)), _written(self.hours, range(24))
        months = _written(self.months, range(1, 13))
        days, weekdays = _written(self.days, self.any_day), _written(self.weekdays, self.any_weekday)
        return " ".join(("0", minutes, hours, days, months, weekdays))

    def after(self, moment: datetime) -> datetime | None:
        """Give the first run behind a moment, in its zone; None where there is none in eight years."""
        first = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for ahead in range(LOOKED_AHEAD + 1):
            day = first + timedelta(days=ahead)
            if not self._is_on(day):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    found = day.replace(hour=hour, minute=minute)
                    if found >= first:
                        return found
        return None

    def _is_on(self, day: datetime) -> bool:
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return day.month in self.months and in_month and in_week
        return day.month in self.months and (in_month or in_week)


def parse_schedule(text: str) -> Schedule:
    """Read a schedule: minute, hour, day of the month, month, day of the week; or a word such as @daily.

    Raises:
        InputError: It is no schedule, or never comes; the message names the field and what it may be.

    Example:
        >>> parse_schedule("0 3 * * *").after(datetime(2024, 1, 5, 12, tzinfo=UTC))
        datetime.datetime(2024, 1, 6, 3, 0, tzinfo=datetime.timezone.utc)
    """
    fields = WORDS.get(text.strip().lower(), text).split()
    if len(fields) != len(FIELDS):
        way = "minute, hour, day of the month, month, day of the week, such as '0 3 * * *' for every day at three"
        raise InputError(f"cron '{text}' has {len(fields)} fields, not five; give {way}.")
    minutes, hours, days, months, weekdays = (
        frozenset(_values(field, text, *about)) for field, about in zip(fields, FIELDS, strict=True)
    )
    free = (fields[2] in FREE, fields[4] in FREE)
    _check_days(text, {FIELDS[at][0]: fields[at] for at in (2, 4)})
    found = Schedule(text, minutes, hours, days, months, frozenset(day % 7 for day in weekdays), *free)
    if found.after(datetime.now(UTC)) is None:
        raise InputError(f"cron '{text}' never comes: no month of it has such a day. Change the day of the month.")
    return found


def _check_days(text: str, days: dict[str, str]) -> None:
    """Refuse two restricted days of which one begins with `*`, such as `*/2`.

    Cron takes such a field for free, so that both days must fit; Kubeflow Pipelines takes it for any other.
    """
    if any(field in FREE for field in days.values()):
        return
    for name, field in days.items():
        if field.startswith(FREE):
            way = "write its days out (1-31/2 or 0-6/2) where one of both is enough, or leave the other to *"
            raise InputError(f"cron '{text}': the {name} '{field}' beside another day is read in two ways; {way}.")


def _values(field: str, text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> Iterator[int]:
    """Give the values that a field stands for: `*`, `*/15`, `5`, `1-5`, `mon-fri`, `1-30/2`, or several of them."""

    def refuse(part: str) -> InputError:
        also = f", or {names[0]} to {names[-1]}" if names else ""
        way = f"give {low} to {high}{also}, *, {low}-{low + 4} for a range, */2 for steps, or several with commas"
        return InputError(f"cron '{text}': the {name} cannot be '{part}'; {way}.")

    def number(word: str) -> int:
        found = names.index(word.lower()) + low if word.lower() in names else int(word) if _is_number(word) else -1
        if not low <= found <= high:
            raise refuse(part)
        return found

    for part in field.split(","):
        span, slash, step = part.partition("/")
        if slash and not (_is_number(step) and int(step)):
            raise refuse(part)
        first, dash, last = span.partition("-")
        if span in FREE:
            start, stop = low, high
        else:
            start = number(first)
            stop = number(last) if dash else high if slash else start
        if high == 7 and stop < start and dash:
            stop += 7  # from Friday to Monday
        if stop < start:
            raise refuse(part)
        yield from range(start, stop + 1, int(step or 1))


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _written(values: frozenset[int], free: range | bool) -> str:
    """Write the values of a field; `*` where it is free, which for days says more than all of them would."""
    if free is True or (isinstance(free, range) and values == frozenset(free)):
        return "*"
    return ",".join(map(str, sorted(values)))
