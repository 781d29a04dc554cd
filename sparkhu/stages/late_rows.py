"""Which rows of a source that does not date them come late: what was known in their time was taken without them.

A row without `available_at` counts as known at its own time, which holds of a feed that brings each day as it ends and
of the archive of a new series. A row of a series that the lake holds already, at or before its newest instant or before
the end of what was published, was not there when snapshots and models were made of that time.
"""

from datetime import datetime, timedelta

import polars as pl

from sparkhu.frame import TIME
from sparkhu.lake import Version

SUMMARIES, CLEAN = "summaries", "clean"
LONGEST_DAYS = timedelta(days=2)
"""Reaches back to the midnight before, in any zone."""


def late_rows(rows: pl.DataFrame, known: pl.DataFrame, version: Version) -> pl.Series:
    """Say of rows without arrival times of their own whether they come late.

    Before anything is published, no row does: nothing was taken from the lake yet, so an archive may be loaded in
    several files, in any order. After that, a row is late where its series is in the lake and the row lies at or before
    the newest instant of the series, or before the end of the newest published interval. A series that the lake does
    not hold is never late: all of it counts as known in its time.

    Args:
        rows: `unique_id, ds` of the rows.
        known: The rows of the lake on their days, or more of them.
        version: The version of the lake that they are added to.

    Returns:
        A boolean a row.

    Raises:
        SparkhuError: A file of the lake is missing or damaged.

    Example:
        The lake holds series a up to noon, and the day before is published. Of a, a row of 11:00 is late and one of
        13:00 is not; of b, which is new, neither is.
    """
    published = version.manifest(CLEAN).intervals
    first = rows["ds"].min()
    if not published or SUMMARIES not in version.tables or not isinstance(first, datetime):
        return pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True)
    day, before = pl.col("ds").dt.convert_time_zone(version.layout.zone).dt.date(), pl.lit(published[-1].end).cast(TIME)
    # Days behind that of a row are told by the summaries; of its own day, all rows are known.
    days = version.table(SUMMARIES).read(first - LONGEST_DAYS, ids=_ids(rows), columns=["unique_id", "day"])
    newest = days.group_by("unique_id").agg(newest_day=pl.col("day").max())
    last = known.group_by("unique_id").agg(last=pl.col("ds").max())
    dated = rows.select("unique_id", "ds", day=day)
    for one in (newest, last):
        dated = dated.join(one, on="unique_id", how="left", maintain_order="left")
    behind = (pl.col("ds") <= pl.col("last")) | (pl.col("day") < pl.col("newest_day"))
    dated = dated.with_columns(behind=behind.fill_null(value=False), taken=pl.col("ds") < before)
    there = _there(dated, version, first)
    return dated.select(pl.col("behind") | (pl.col("taken") & pl.col("unique_id").is_in(there.implode()))).to_series()


def _there(dated: pl.DataFrame, version: Version, first: datetime) -> pl.Series:
    """List the series of rows of what is published that the lake holds; older days are read for those alone."""
    asked = dated.filter("taken", ~pl.col("behind"))
    found = asked.filter(pl.any_horizontal(pl.col("newest_day", "last").is_not_null()))["unique_id"]
    sought = asked.filter(~pl.col("unique_id").is_in(found.implode()))
    if sought.is_empty():
        return found.unique()
    older = version.table(SUMMARIES).read(None, first, ids=_ids(sought), columns=["unique_id"])
    return pl.concat([found, older["unique_id"]]).unique()


def _ids(rows: pl.DataFrame) -> list[str]:
    return rows["unique_id"].unique().to_list()
