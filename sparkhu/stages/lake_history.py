"""What a lake knew of its series by the end of an interval, those days among it that a run does not read.

Days before the border are told by their stored summaries, days from it on by their rows. The border is the midnight,
in the zone of the lake, at or before the first instant that is read: so each row counts once, and none is missing.
"""

from datetime import date, datetime, timedelta

import polars as pl

from sparkhu.arrivals import newest
from sparkhu.frame import TIME
from sparkhu.lake import Table, Version
from sparkhu.lake.layout import as_instants
from sparkhu.lake.tables import OBSERVATIONS
from sparkhu.stages.late_rows import SUMMARIES
from sparkhu.summaries import summarise_days, tell_history

DAY = ("unique_id", "day")


def border_of(version: Version, start: datetime | None) -> datetime | None:
    """Give the midnight of the lake's zone at or before an instant; null: there is no row before it."""
    return None if start is None else _midnight(_day(start, version), version)


def summaries_before(version: Version, start: datetime | None) -> tuple[Table, datetime] | None:
    """Give the table of summaries and the end up to which it tells of days before the border; null: of none."""
    if start is None or SUMMARIES not in version.tables:
        return None
    return version.table(SUMMARIES), _midnight(_day(start, version) + timedelta(days=1), version)


def known_history(
    version: Version, rows: pl.DataFrame, summaries: pl.DataFrame, *, start: datetime | None, end: datetime | None
) -> pl.DataFrame:
    """Tell what was known of each series at the end of what is read.

    Args:
        version: The version of the lake.
        rows: What its observations hold of these series from `border_of(version, start)` to `end`, all versions of each
            point.
        summaries: What its summaries hold of them, as far as `summaries_before` says, sorted as `Table.read` sorts.
        start: The first instant that a run looks at; null: the first of all.
        end: The end; null: everything is known.

    Returns:
        `sparkhu.summaries.HISTORY_SCHEMA`, a row a series of which something from `start` on was known, and
        `known_until`: when the last of its rows from `start` on, behind the end or not, became known.

    Raises:
        SparkhuError: A file of the lake is missing or damaged.
    """
    known = newest(rows, known_at=end)
    days = summarise_days(known, zone=version.layout.zone)
    if start is not None:
        days = pl.concat([_days_before(version, summaries, _day(start, version), end), days])
        known, rows = (each.filter(pl.col("ds") >= pl.lit(start).cast(TIME)) for each in (known, rows))
    latest = rows.group_by("unique_id").agg(known_until=pl.col("available_at").max())
    return tell_history(days, known).join(latest, on="unique_id", how="left", maintain_order="left")


def _days_before(version: Version, summaries: pl.DataFrame, border: date, end: datetime | None) -> pl.DataFrame:
    """Give the summaries of the days before a border as they were at the end.

    A day's newest summary tells of all its rows. Where one of these came behind the end, its rows are read.
    """
    before = summaries.filter(pl.col("day") < border).unique(DAY, keep="last", maintain_order=True)
    if end is None:
        return before
    late = before.filter(pl.col("available_at") > pl.lit(end).cast(TIME)).select(DAY)
    if late.is_empty():
        return before
    table, ids = version.table(OBSERVATIONS), late["unique_id"].unique().to_list()
    spans = _spans(late["day"])
    read = [table.read(_midnight(first, version), _midnight(behind, version), ids) for first, behind in spans]
    days = summarise_days(newest(pl.concat(read), known_at=end), zone=version.layout.zone)
    return pl.concat(
        [before.join(late, on=DAY, how="anti", maintain_order="left"), days.join(late, on=DAY, how="semi")]
    )


def _spans(days: pl.Series) -> list[tuple[date, date]]:
    """Fold days into half-open spans of days that follow one another."""
    known = days.unique().sort()
    run = (known.diff() > timedelta(days=1)).fill_null(value=False).cum_sum()
    spans = pl.DataFrame({"day": known, "run": run}).group_by("run", maintain_order=True)
    return spans.agg(first=pl.col("day").min(), behind=pl.col("day").max().dt.offset_by("1d")).drop("run").rows()


def _day(instant: datetime, version: Version) -> date:
    return pl.Series([instant], dtype=TIME).dt.convert_time_zone(version.layout.zone).dt.date()[0]  # type: ignore[no-any-return]


def _midnight(day: date, version: Version) -> datetime:
    return as_instants(pl.Series([day]), version.layout.zone)[0]  # type: ignore[no-any-return]
