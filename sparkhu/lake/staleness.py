"""Which published intervals are out of date: what was observed in the span that they were made from has changed."""

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
    later = [span for file in observations if file.version > oldest for span in _touched(file, ZoneInfo(zone))]
    found = ((interval, _since(interval, later)) for interval in intervals)
    return [Outdated(interval, since) for interval, since in found if since is not None]


def _since(interval: Interval, later: Sequence[_Touched]) -> datetime | None:
    begin = interval.read_from
    return min(
        (
            span.first if begin is None else max(span.first, begin)
            for span in later
            if span.version > interval.read_version
            and span.first < interval.end
            and (begin is None or span.last >= begin)
        ),
        default=None,
    )


def _touched(file: DataFile, zone: ZoneInfo) -> Iterator[_Touched]:
    if file.first is None or file.last is None:
        return
    for first, last in file.days:
        begin, end = _midnight(first, zone), _midnight(last + ONE_DAY, zone) - INSTANT
        yield _Touched(max(begin, file.first), min(end, file.last), file.version)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
