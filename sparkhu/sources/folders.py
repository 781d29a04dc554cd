"""Names of folders that tell what lies in them: `region=north`, `date=2024-05-01`, `year=2024/month=05/day=01`."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from sparkhu.steps.validation import Interval

PAIR = re.compile(r"([A-Za-z_]\w*)=(.+)")
# What other programs write for a missing value.
NO_VALUE = ("__HIVE_DEFAULT_PARTITION__", "")
# A folder's date may be local anywhere on earth.
SLACK = timedelta(days=1)


class Days(NamedTuple):
    """The days `[first, behind)` that a folder holds."""

    first: date
    behind: date


def folder_values(path: str) -> dict[str, str | None]:
    """Read the `name=value` folders of a path, outermost first.

    Example:
        >>> folder_values("lake/region=north/date=2024-05-01/part.csv")
        {'region': 'north', 'date': '2024-05-01'}
    """
    found = (PAIR.fullmatch(part) for part in PurePosixPath(path).parts[:-1])
    values = {match[1]: unquote(match[2]) for match in found if match}
    return {name: None if value in NO_VALUE else value for name, value in values.items()}


def folder_days(path: str) -> Days | None:
    """Tell which days a file's folders promise; null where their names hold no date."""
    values = {name.lower(): value or "" for name, value in folder_values(path).items()}
    for value in values.values():
        try:
            day = date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) else None
        except ValueError:
            day = None
        if day:
            return Days(day, day + timedelta(days=1))
    return _by_parts(values)


def _by_parts(values: dict[str, str]) -> Days | None:
    """Read year, month and day from folders of their own; a year alone, or a year and a month, hold all their days."""
    try:
        year = int(values["year"])
        month = int(values["month"]) if "month" in values else 0
        day = int(values["day"]) if month and "day" in values else 0
        first = date(year, month or 1, day or 1)
        if day:
            return Days(first, first + timedelta(days=1))
        if month:
            return Days(first, date(year + month // 12, month % 12 + 1, 1))
        return Days(first, date(year + 1, 1, 1))
    except (KeyError, ValueError):
        return None


def inside(paths: Sequence[str], interval: Interval) -> list[str]:
    """Leave out files whose folders lie more than a day outside the interval; without a date a file stays."""
    return [path for path in paths if _may_hold(folder_days(path), interval)]


def _may_hold(days: Days | None, interval: Interval) -> bool:
    if days is None:
        return True
    first, behind = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days)
    too_early = interval.start is not None and behind + SLACK <= interval.start
    too_late = interval.end is not None and first - SLACK >= interval.end
    return not (too_early or too_late)
