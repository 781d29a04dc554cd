"""Which rows of a source that does not date them come late: what was known in their time was taken without them.

A row without `available_at` counts as known at its own time, which holds of a feed that brings each day as it ends and
of the archive of a new series. A row of a series that the lake holds already, at or before its newest instant or before
the end of what was published, was not there when snapshots and models were made of that time.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property

import polars as pl

from sparkhu.backfilling import CLEAN
from sparkhu.frame import TIME
from sparkhu.lake import Version
from sparkhu.sources.parts import PartSize

SUMMARIES = "summaries"
LONGEST_DAYS = timedelta(days=2)
"""Reaches back to the midnight before, in any zone."""


class SeriesDays:
    """What the summaries of a lake tell of the days of its series, read once for all rows that are added to a version.

    Of each series one row is held.

    Args:
        version: The version of the lake.
        first: The first instant of the rows, or one before it.
        size: How much is held in memory at a time.

    Attributes:
        zone: Zone of the days.
        published: The end of what is published; null where nothing is.

    Raises:
        SparkhuError: A file of the lake is missing or damaged.
    """

    def __init__(self, version: Version, first: datetime, size: PartSize | None = None) -> None:
        intervals = version.manifest(CLEAN).intervals if SUMMARIES in version.tables else ()
        self.zone = version.layout.zone
        self.published = intervals[-1].end if intervals else None
        self._version, self._first, self._rows = version, first, (size or PartSize()).rows

    @cached_property
    def newest(self) -> pl.DataFrame:
        """The newest day of the series that have one since shortly before the first instant.

        `unique_id, newest_day`.
        """
        found = pl.DataFrame(schema={"unique_id": pl.String, "newest_day": pl.Date})
        for days in self._read(self._first - LONGEST_DAYS, None, "unique_id", "day"):
            joined = pl.concat([found, days.rename({"day": "newest_day"})])
            found = joined.group_by("unique_id").agg(pl.col("newest_day").max())
        return found

    @cached_property
    def older(self) -> pl.Series:
        """The series that have days before the first instant."""
        found = pl.Series("unique_id", [], dtype=pl.String)
        for days in self._read(None, self._first, "unique_id"):
            found = pl.concat([found, days["unique_id"]]).unique()
        return found

    def _read(self, start: datetime | None, end: datetime | None, *columns: str) -> Iterator[pl.DataFrame]:
        for part in self._version.table(SUMMARIES).parts(start, end, self._rows):
            yield part.read(start, end, columns=columns)


def late_rows(rows: pl.DataFrame, known: pl.DataFrame, series: SeriesDays) -> pl.Series:
    """Say of rows without arrival times of their own whether they come late.

    Before anything is published, no row does: nothing was taken from the lake yet, so an archive may be loaded in
    several files, in any order. After that, a row is late where its series is in the lake and the row lies at or before
    the newest instant of the series, or before the end of the newest published interval. A series that the lake does
    not hold is never late: all of it counts as known in its time.

    Args:
        rows: `unique_id, ds` of the rows.
        known: The rows of the lake on their days, or more of them.
        series: What the lake tells of the days of series, at least from the first of the rows on.

    Returns:
        A boolean a row.

    Raises:
        SparkhuError: A file of the lake is missing or damaged.

    Example:
        The lake holds series a up to noon, and the day before is published. Of a, a row of 11:00 is late and one of
        13:00 is not; of b, which is new, neither is.
    """
    if series.published is None:
        return pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True)
    day, before = pl.col("ds").dt.convert_time_zone(series.zone).dt.date(), pl.lit(series.published).cast(TIME)
    # Days behind that of a row are told by the summaries; of its own day, all rows are known.
    last = known.group_by("unique_id").agg(last=pl.col("ds").max())
    dated = rows.select("unique_id", "ds", day=day)
    for one in (series.newest, last):
        dated = dated.join(one, on="unique_id", how="left", maintain_order="left")
    behind = (pl.col("ds") <= pl.col("last")) | (pl.col("day") < pl.col("newest_day"))
    dated = dated.with_columns(behind=behind.fill_null(value=False), taken=pl.col("ds") < before)
    there = _there(dated, series)
    return dated.select(pl.col("behind") | (pl.col("taken") & pl.col("unique_id").is_in(there.implode()))).to_series()


def _there(dated: pl.DataFrame, series: SeriesDays) -> pl.Series:
    """List the series of rows of what is published that the lake holds; older days are read where these tell."""
    asked = dated.filter("taken", ~pl.col("behind"))
    found = asked.filter(pl.any_horizontal(pl.col("newest_day", "last").is_not_null()))["unique_id"].unique()
    sought = asked.filter(~pl.col("unique_id").is_in(found.implode()))["unique_id"].unique()
    if sought.is_empty():
        return found
    return pl.concat([found, sought.filter(sought.is_in(series.older.implode()))])
