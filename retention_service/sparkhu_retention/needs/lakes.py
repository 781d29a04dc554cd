"""What a lake still needs of itself: for intervals that are not made yet or made anew, for who announced to read."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from sparkhu.backfilling import CLEAN
from sparkhu.errors import SparkhuError
from sparkhu.lake import Interval, Version, open_lake
from sparkhu.lake.readers import announced
from sparkhu.lake.staleness import outdated
from sparkhu.lake.tables import OBSERVATIONS
from sparkhu.lookback import looked_back, wanted_lookback
from sparkhu_retention.needs.need import Need

Limits = tuple[datetime | None, datetime | None]

PROFILES: Final = "profiles"
ESTIMATES: Final = 4
"""Intervals before its own whose estimates of the periods a run reads."""
SLACK: Final = timedelta(days=1)
"""Look-backs are days of the calendar, which may have an hour more, and begin in the zone of the run."""
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
ALWAYS: Final = {
    "summaries": "the statistics of later snapshots add up the days before them",
    "sources": "an ingest compares with it what it is given",
}


def lake_needs(uri: str) -> list[Need]:
    """List what the runs over a lake will read of it.

    - Intervals that are out of date will be made anew, from the span that they were made from.
    - The next interval will look back as far as the newest published one did.
    - Spans with observations that no interval was published of are still to be processed.
    - Runs that announced what they read are at it.

    A run reads the estimates of the intervals before its own as well.

    Args:
        uri: The lake.

    Returns:
        The needs; where the lake cannot be read, one for all of it.

    Example:
        A lake whose newest day looked back 70 days needs the observations of the last 70 days.
    """
    try:
        version = open_lake(uri).version()
        finders = (_announced, _outdated, _next, _unpublished, _always)
        return [need for find in finders for need in find(uri, version)]
    except SparkhuError as error:
        return [Need(f"the lake cannot be asked what it still needs: {error}", uri)]


def _announced(uri: str, version: Version) -> list[Need]:
    readers = announced(version.storage)
    return [Need(f"{each.by} is reading it", uri, each.table, each.start, each.end) for each in readers]


def _outdated(uri: str, version: Version) -> list[Need]:
    observations, zone = version.manifest(OBSERVATIONS).files, version.layout.zone
    begins: dict[tuple[datetime, datetime], list[datetime | None]] = {}
    for table in version.tables:
        if table != OBSERVATIONS:
            for each, _ in outdated(version.manifest(table).intervals, observations, zone):
                begins.setdefault((each.start, each.end), []).append(each.read_from)
    found = []
    for (start, end), froms in sorted(begins.items()):
        by = f"the interval from {start.isoformat()} to {end.isoformat()} is out of date and will be made anew from it"
        begin = None if None in froms else min(each for each in froms if each is not None)
        found += [Need(by, uri, OBSERVATIONS, begin, end, read_at=end), *_estimates(uri, version, start, by)]
    return found


def _next(uri: str, version: Version) -> list[Need]:
    """Give what the next interval will look back on, as the newest published one did."""
    published = version.manifest(PROFILES).intervals
    if not published:
        return []
    last = published[-1]
    words = f"the interval behind {last.end.isoformat()} will look back on it"
    read_at = last.end + (last.end - last.start)
    estimates = published[-ESTIMATES:][0].start
    return [
        Need(words, uri, OBSERVATIONS, _reads_from(version, last, last.end), read_at=read_at),
        Need(words, uri, PROFILES, estimates, read_at=read_at),
    ]


def _unpublished(uri: str, version: Version) -> list[Need]:
    """Give what runs over the spans will read that no interval was published of, as far as there are rows.

    When that is depends on whoever runs them, so no policy is refused for it.
    """
    found = []
    for start, end in _with_rows(version, _between(version.manifest(CLEAN).intervals)):
        if start is None:
            what = "nothing of it" if end is None else f"nothing up to {_shown(end)}"
            found.append(Need(f"{what} was processed yet; sparkhu backfill does that", uri, OBSERVATIONS, None, end))
            continue
        what = f"the span from {_shown(start)} to {_shown(end)}"
        by = f"{what} was not processed yet; sparkhu backfill, which does that, reads it"
        before = _before(version, start)
        begin = _reads_from(version, before[-1], start) if before else None
        found += [Need(by, uri, OBSERVATIONS, begin, end), *_estimates(uri, version, start, by)]
    return found


def _between(published: Sequence[Interval]) -> list[Limits]:
    """Give the spans before published intervals and between them; all there is where none was published."""
    if not published:
        return [(None, None)]
    gaps: list[Limits] = [(one.end, other.start) for one, other in pairwise(published) if one.end < other.start]
    return [(None, published[0].start), *gaps]


def _with_rows(version: Version, spans: Sequence[Limits]) -> list[Limits]:
    """Leave out the spans, in order of time, that no file of the observations reaches into."""
    starts, ends = [start or FIRST for start, _ in spans], [end or LAST for _, end in spans]
    met: set[int] = set()
    for file in version.manifest(OBSERVATIONS).files:
        if file.first is not None and file.last is not None:
            met.update(range(bisect_right(ends, file.first), bisect_right(starts, file.last)))
    return [spans[number] for number in sorted(met)]


def _reads_from(version: Version, before: Interval, start: datetime) -> datetime | None:
    """Tell from where on a run over an interval reads whose like was published before; null: from the first row."""
    if before.read_from is not None:
        return start - (before.start - before.read_from) - SLACK
    zone = version.layout.zone
    wanted = wanted_lookback(version.table(PROFILES).read(before.start, before.end), zone=zone)
    return looked_back(start, wanted, zone=zone) - SLACK if wanted else None


def _estimates(uri: str, version: Version, start: datetime, by: str) -> list[Need]:
    """Give the profiles of the intervals before one: they say how far it looks back, and what the periods were."""
    before = _before(version, start)
    return [Need(by, uri, PROFILES, before[-ESTIMATES:][0].start, before[-1].end)] if before else []


def _before(version: Version, start: datetime) -> Sequence[Interval]:
    published = version.manifest(PROFILES).intervals
    return published[: bisect_right(published, start, key=lambda each: each.end)]


def _always(uri: str, version: Version) -> list[Need]:
    return [Need(why, uri, table) for table, why in ALWAYS.items() if table in version.tables]


def _shown(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else "now"
