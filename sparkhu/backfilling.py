"""Which intervals of a lake are still to be processed: those that nobody published, and those that are out of date.

Of both those are left out that retention has taken observations of: published anew from the rest, they would lose rows.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import polars as pl

from sparkhu.errors import InputError
from sparkhu.lake import Interval, Lake, Version
from sparkhu.lake.removals import removed_files
from sparkhu.lake.tables import OBSERVATIONS
from sparkhu.steps.validation import requested_interval

CLEAN = "clean"
MOST_INTERVALS = 100_000
_EVERY = re.compile(r"[1-9]\d*(h|d|w|mo|y)")
TO_DO = ("new", "out of date")
Due = Literal["new", "out of date", "done", "empty", "removed"]


@dataclass(frozen=True)
class Slot:
    """One interval `[start, end)` of a backfill, and whether it is to be processed."""

    start: datetime
    end: datetime
    due: Due

    @property
    def name(self) -> str:
        """Name of its folder of results, such as `20240110T000000Z`."""
        return f"{self.start:%Y%m%dT%H%M%SZ}"


def slots(start: str, end: str, every: str, *, zone: str = "UTC") -> list[tuple[datetime, datetime]]:
    """Cut `[start, end)` into intervals by the calendar of a zone; the last may be shorter.

    Args:
        start: ISO time of the first instant.
        end: ISO time of the end, which does not belong to it.
        every: Length of an interval: hours, days, weeks, months or years, such as 1d.
        zone: Zone of the calendar, and of both times where they name none.

    Returns:
        Start and end of each, in UTC.

    Raises:
        InputError: A parameter cannot be used, or there would be too many intervals.

    Example:
        A month of days of Berlin in March has 31 intervals; that of the 31st is 23 hours long.
    """
    if not _EVERY.fullmatch(every):
        raise InputError(f"every must be a length of time such as 6h, 1d, 1w or 1mo, got '{every}'")
    limits = requested_interval(start, end, zone)
    if limits.start is None or limits.end is None:
        raise InputError(f"a backfill needs both limits, got from '{start}' and to '{end}'")
    first, last = (pl.Series([each]).dt.convert_time_zone(zone).dt.cast_time_unit("us") for each in limits)
    starts: list[datetime] = []
    moment = first
    while moment[0] < last[0]:
        if len(starts) == MOST_INTERVALS:
            raise InputError(f"'{start}' to '{end}' every {every} are more than {MOST_INTERVALS:,} intervals")
        starts.append(moment.dt.convert_time_zone("UTC")[0])
        moment = _offset(first, every, len(starts))
    ends = [*starts[1:], last.dt.convert_time_zone("UTC")[0]]
    return list(zip(starts, ends, strict=True))


def due_slots(lake: Lake, intervals: Sequence[tuple[datetime, datetime]], table: str = CLEAN) -> list[Slot]:
    """Say of each interval whether it is new, out of date, done, empty or removed.

    An interval is done where published intervals cover it and what these were made from, as far as it lies before the
    interval's end, is what is observed now. It is empty where it ends before the first observation, or begins behind
    the last. It is removed where it would be new or out of date, and retention has taken observations of it out.

    Args:
        lake: The lake.
        intervals: Starts and ends.
        table: The published table that is looked at.
    """
    version = lake.version()
    published = version.manifest(table).intervals
    observed = [(file.first, file.last) for file in version.manifest(OBSERVATIONS).files if file.first and file.last]
    changed = lake.outdated(table) if published else []
    first, last = (min(each[0] for each in observed), max(each[1] for each in observed)) if observed else (None, None)
    there, stale = _Ordered(published), _Ordered([each.interval for each in changed])

    def due(start: datetime, end: datetime) -> Due:
        if first is None or last is None or end <= first or start > last:
            return "empty"
        if not _covered(start, end, published[there.meeting(start, end)]):
            return "new"
        since = (each.since for each in changed[stale.meeting(start, end)])
        return "out of date" if any(moment < end for moment in since) else "done"

    return _without_removed(version, [Slot(start, end, due(start, end)) for start, end in intervals])


def _without_removed(version: Version, found: Sequence[Slot]) -> list[Slot]:
    """Leave out of what is to be processed what retention has taken observations of."""
    todo = [slot for slot in found if slot.due in TO_DO]
    gone = removed_files(version, OBSERVATIONS, todo[0].start, todo[-1].end) if todo else []
    spans = _joined([(file.first, file.last) for file in gone if file.first and file.last])
    firsts, lasts = [first for first, _ in spans], [last for _, last in spans]

    def is_removed(slot: Slot) -> bool:
        at = bisect_left(lasts, slot.start)
        return slot.due in TO_DO and at < len(spans) and firsts[at] < slot.end

    return [replace(slot, due="removed") if is_removed(slot) else slot for slot in found]


def _joined(spans: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Join spans that overlap; their ends belong to them."""
    joined: list[tuple[datetime, datetime]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


class _Ordered:
    """Published intervals, which are in order of time and do not overlap: so those that meet a span stand together."""

    def __init__(self, intervals: Sequence[Interval]) -> None:
        self._starts = [each.start for each in intervals]
        self._ends = [each.end for each in intervals]

    def meeting(self, start: datetime, end: datetime) -> slice:
        """Say where those stand that overlap `[start, end)`."""
        return slice(bisect_right(self._ends, start), bisect_left(self._starts, end))


def _covered(start: datetime, end: datetime, inside: Sequence[Interval]) -> bool:
    """Tell whether intervals that follow one another leave nothing of `[start, end)` out."""
    for each in inside:
        if each.start > start:
            return False
        start = each.end
    return start >= end


def _offset(first: pl.Series, every: str, times: int) -> pl.Series:
    """Go a number of steps forward from the first instant: months stay at its day, days at its hour."""
    count, unit = re.split(r"(?<=\d)(?=\D)", every)
    return first.dt.offset_by(f"{int(count) * times}{unit}")
