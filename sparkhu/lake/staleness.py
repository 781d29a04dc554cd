"""Which published intervals are out of date: what was observed in the span that they were made from has changed."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sparkhu.lake.records import DataFile, Interval

ONE_DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)


class Outdated(NamedTuple):
    """A published interval that is out of date.

    Attributes:
        interval: The interval.
        since: The earliest instant in the span that it was made from at which rows came since. What ends at it or
            before it is as it would be now.
    """

    interval: Interval
    since: datetime


class _Touched(NamedTuple):
    """Instants, both included, between which a file has rows, and the version that added it."""

    first: datetime
    last: datetime
    version: int


def outdated(intervals: Sequence[Interval], observations: Iterable[DataFile], zone: str) -> list[Outdated]:
    """Find the intervals for which files were added, after they were read, to the span that was read for them.

    A file touches the days that it has rows of, from its earliest row to its latest. Instants are compared, so rows
    that begin where a span ends do not touch it, whatever days the lake is cut into.

    Args:
        intervals: Published intervals.
        observations: Files of the observations.
        zone: Zone of the files' days.
    """
    oldest = min((each.read_version for each in intervals), default=0)
    touched = [span for file in observations if file.version > oldest for span in _touched(file, ZoneInfo(zone))]
    touched.sort(key=lambda span: span.version)
    later, found = _Later(), {}
    # The intervals that read the newest versions first: what came later than one is what came later than the next, too.
    for number in sorted(range(len(intervals)), key=lambda number: -intervals[number].read_version):
        while touched and touched[-1].version > intervals[number].read_version:
            later.add(touched.pop())
        since = later.earliest(intervals[number].read_from)
        if since is not None and since < intervals[number].end:
            found[number] = since
    return [Outdated(intervals[number], found[number]) for number in sorted(found)]


class _Later:
    """Spans that rows came to, of which those are kept that end behind all that begin as early.

    So both their beginnings and their ends increase, and the first that ends late enough begins first of all that do.
    """

    def __init__(self) -> None:
        self._firsts: list[datetime] = []
        self._lasts: list[datetime] = []

    def add(self, span: _Touched) -> None:
        """Add a span."""
        at = bisect_left(self._lasts, span.last)
        if at < len(self._firsts) and self._firsts[at] <= span.first:
            return
        until = at + (at < len(self._lasts) and self._lasts[at] == span.last)
        begin = bisect_left(self._firsts, span.first, hi=at)
        self._firsts[begin:until], self._lasts[begin:until] = [span.first], [span.last]

    def earliest(self, begin: datetime | None) -> datetime | None:
        """Give the earliest instant of all spans from `begin` on; null: from the first."""
        at = 0 if begin is None else bisect_left(self._lasts, begin)
        if at == len(self._firsts):
            return None
        return self._firsts[at] if begin is None else max(self._firsts[at], begin)


def _touched(file: DataFile, zone: ZoneInfo) -> Iterator[_Touched]:
    if file.first is None or file.last is None:
        return
    for first, last in file.days:
        begin, end = _midnight(first, zone), _midnight(last + ONE_DAY, zone) - INSTANT
        yield _Touched(max(begin, file.first), min(end, file.last), file.version)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
