"""What a commit does to a table: add rows, replace those of an interval, or retire files."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from sparkhu.errors import InputError
from sparkhu.lake.pieces import Pieces
from sparkhu.lake.records import Interval
from sparkhu.lake.retiring import Retirement
from sparkhu.lake.tables import Version


@dataclass(frozen=True, eq=False)
class Append:
    """Add rows to a table.

    Args:
        rows: The rows; or a function that is given the version that they will be added to and makes them, or their
            pieces where they are too many to be in memory together, or null for none. It is called again when another
            publisher was first, so that what it compares with is never stale.

    Example:
        >>> lake.commit({"observations": Append(rows)}, run="2024-01-03", based_on=lake.version())
    """

    rows: pl.DataFrame | Callable[[Version], pl.DataFrame | Pieces | None]


@dataclass(frozen=True, eq=False)
class Replace:
    """Replace all rows of a table in `[start, end)`, and record what they were made from.

    Rows that are there already and were made from newer observations stay; so do those that were made from the same
    observations with the same parameters. Partitions that the interval cuts are written anew, whole.

    Args:
        rows: The new rows, all of them in `[start, end)`; or their pieces, cut as the lake cuts them, where they are
            too many to be in memory together.
        start: Start of the interval.
        end: Its end, which does not belong to it.
        read_version: The version of the lake that changed the observations last, of those that were read.
        params: Fingerprint of the parameters.
        read_from: The first instant that was read, up to `end`; null: all before it.
    """

    rows: pl.DataFrame | Pieces
    start: datetime
    end: datetime
    read_version: int
    params: str
    read_from: datetime | None = None

    def __post_init__(self) -> None:
        for name, limit in (("start", self.start), ("end", self.end), ("read_from", self.read_from)):
            if limit is not None and limit.tzinfo is None:
                raise InputError(f"{name} must have a zone, got '{limit.isoformat()}'.")
        if self.end <= self.start:
            raise InputError(f"end must lie after start, got '{self.start.isoformat()}' and '{self.end.isoformat()}'")


Change = Append | Replace | Retirement
Span = tuple[datetime, datetime]


def open_spans(published: tuple[Interval, ...], change: Replace) -> tuple[list[Span], list[Interval]]:
    """Find the parts of an interval that a publisher may replace.

    Returns:
        The spans that nobody published, or that were published from older observations or with other parameters; and
        the intervals from newer observations, which stay.
    """
    spans: list[Span] = [(change.start, change.end)]
    newer = []
    for interval in published:
        if interval.end <= change.start or interval.start >= change.end:
            continue
        is_newer = interval.read_version > change.read_version
        if is_newer or (interval.read_version, interval.params) == (change.read_version, change.params):
            spans = [part for span in spans for part in _without(span, (interval.start, interval.end))]
        if is_newer:
            newer.append(interval)
    return spans, newer


def republished(published: tuple[Interval, ...], change: Replace, spans: list[Span], run: str) -> tuple[Interval, ...]:
    """Cut `spans` out of the published intervals and record them as published by `run`."""
    kept = list(published)
    for span in spans:
        kept = [
            replace(each, start=start, end=end)
            for each in kept
            for start, end in _without((each.start, each.end), span)
        ]
    new = [Interval(start, end, change.read_version, change.params, run, change.read_from) for start, end in spans]
    return tuple(sorted((*kept, *new), key=lambda each: each.start))


def _without(span: Span, other: Span) -> list[Span]:
    """Give what is left of a span before and behind another."""
    parts = [(span[0], min(span[1], other[0])), (max(span[0], other[1]), span[1])]
    return [(start, end) for start, end in parts if start < end]
