"""What the path of a file tells of it: its dataset, what it is a version of, the time it covers, its tags."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from sparkhu.errors import InputError
from sparkhu.zones import check_zone

MODIFIED = "modified"
TOP = "."
"""The dataset of files that lie in no folder."""

_FORMS = {
    "date": r"(?P<date>\d{4}-\d{2}-\d{2})",
    "year": r"(?P<year>\d{4})",
    "month": r"(?P<month>\d{2})",
    "day": r"(?P<day>\d{2})",
}
# A number of four digits may be anything, such as a port, and is a year where it fills a part of the path.
_BORDERS = {True: (r"(?<!\d)", r"(?!\d)"), False: (r"(?<![^/])", r"(?![^/.])")}
_UNITS = [{"date"}, {"year", "month", "day"}, {"year", "month"}, {"year"}]
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Told:
    """What a path tells; `span` is null where it has no date."""

    dataset: str
    line: str
    span: Span | None
    tags: list[str]


@dataclass(frozen=True)
class PathRule:
    """How paths are read.

    Args:
        dates: `modified`: a file covers the instant when it was written last; or a pattern of the path, such as
            `day={date}`, `{year}/{month}/{day}` or `{year}-{month}`: it covers that day, month or year. What fits it
            begins where a part of the path does and ends with one, before its ending at the latest; `{date}`, which
            nothing else looks like, may stand anywhere. A file whose path has no such part covers no time, and no
            period expires it.
        zone: IANA zone of the days.

    Raises:
        InputError: The pattern or the zone is none.

    Example:
        >>> PathRule("day={date}").told("sales/day=2024-01-03/shop=7/part.csv").tags
        ['day=2024-01-03', 'shop=7']
    """

    dates: str = MODIFIED
    zone: str = "UTC"
    _spans: dict[str, Span | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_zone(self.zone)
        if self.dates == MODIFIED:
            return
        names = set(re.findall(r"{(\w*)}", self.dates))
        if names not in _UNITS:
            raise InputError(
                f"dates must be '{MODIFIED}' or a pattern with {{date}}, with {{year}}, with {{year}} and {{month}}, "
                f"or with these and {{day}}, got '{self.dates}'"
            )

    @property
    def is_by_writing(self) -> bool:
        """Whether files are dated by when they were written last."""
        return self.dates == MODIFIED

    def told(self, path: str) -> Told:
        """Tell what a path says.

        Returns:
            The dataset is the folder, without the parts that hold the date; the line is the path without the date, so
            that the days of one file are versions of each other, and where files are dated by their writing the folder;
            tags are the parts of the form `name=value`.
        """
        folders = path.rpartition("/")[0]
        tags = [part for part in folders.split("/") if "=" in part]
        if self._pattern is None:
            dataset = folders or TOP
            return Told(dataset, dataset, None, tags)
        for found in self._pattern.finditer(path):
            span = self._span(found.group(), found.groupdict())
            if span is not None:
                line = f"{path[: found.start()]}*{path[found.end() :]}"
                return Told(_without(folders, found.start(), found.end()) or TOP, line, span, tags)
        return Told(folders or TOP, "", None, tags)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if self.dates == MODIFIED:
            return None
        parts = re.split(r"{(\w+)}", self.dates)
        forms = (_FORMS[part] if k % 2 else re.escape(part) for k, part in enumerate(parts))
        begins, ends = _BORDERS["{date}" in self.dates]
        return re.compile(f"{begins}{''.join(forms)}{ends}")

    def _span(self, text: str, parts: Mapping[str, str | None]) -> Span | None:
        if text not in self._spans:
            self._spans[text] = _covered(parts, ZoneInfo(self.zone))
        return self._spans[text]


def instant(moment: datetime) -> Span:
    """Give the shortest interval that begins at a moment."""
    return moment, moment + timedelta(microseconds=1)


def _covered(parts: Mapping[str, str | None], zone: ZoneInfo) -> Span | None:
    """Give the day, month or year; null where the calendar has none of the kind."""
    try:
        if text := parts.get("date"):
            first = date.fromisoformat(text)
            last = first
        else:
            year, month, day = (int(text) if (text := parts.get(name)) else None for name in ("year", "month", "day"))
            first = date(year or 0, 1 if month is None else month, 1 if day is None else day)
            last = first if day else date(first.year, month or 12, 28)
        later = last + timedelta(days=1)
        if not parts.get("date") and not parts.get("day"):
            later = (last + timedelta(days=4)).replace(day=1)
        return _midnight(first, zone), _midnight(later, zone)
    except (ValueError, OverflowError):
        return None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _without(folders: str, start: int, end: int) -> str:
    """Leave out the folders that overlap `[start, end)` of their path."""
    kept, at = [], 0
    for part in folders.split("/"):
        if at + len(part) <= start or at >= end:
            kept.append(part)
        at += len(part) + 1
    return "/".join(kept)
