"""Read an interval of a lake's observations, with what the steps look back on, into shards."""

from datetime import datetime, time
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from sparkhu import ledger
from sparkhu.arrivals import newest
from sparkhu.errors import InputError
from sparkhu.execution import MAX_FAILED_SHARE, metadata, recorded
from sparkhu.frame import TIME
from sparkhu.lake import Table, Version, open_lake
from sparkhu.lookback import ALL, check_lookback, looked_back, wanted_lookback
from sparkhu.shards import write_manifest, write_shard
from sparkhu.sources import redacted
from sparkhu.sources.reading import RAW_SCHEMA
from sparkhu.stages.appending import OBSERVATIONS, SUMMARIES
from sparkhu.steps.ingestion import ROWS_PER_SHARD, raw_shards
from sparkhu.steps.validation import Interval, requested_interval
from sparkhu.summaries import SUMMARY_SCHEMA, merge_days

PROFILES = "profiles"
SHARD = "00000"


class Span(NamedTuple):
    """What a run reads: from `start` (null: from the first row) to `end` (null: to the last), and why so far back."""

    start: datetime | None
    end: datetime | None
    reason: str


def read_interval(
    lake: str,
    *,
    out: Path | str,
    history: Path | str,
    start: str = "",
    end: str = "",
    zone: str = "UTC",
    lookback: str = "",
    max_failed_share: float = MAX_FAILED_SHARE,
    rows_per_shard: int = ROWS_PER_SHARD,
) -> dict[str, Any]:
    """Read the newest known row of every instant of `[start − lookback, end)` into shards of whole series.

    Args:
        lake: Folder or `s3://bucket/prefix` of the lake.
        out: Folder of the new dataset.
        history: Folder of a dataset of one row a series: what all days before the end have in common, those among them
            that are not read, from their stored summaries (`sparkhu.summaries.merge_days`).
        start: ISO time of the first instant that the run publishes; empty: of the first row.
        end: ISO time of the end, which does not belong to it; empty: behind the last row.
        zone: Zone of both where they name none, and of the look-back's days.
        lookback: How far before `start` rows are read, such as 60d; `all`; empty: what the seasons of the series want,
            as far as an earlier run has found them, else all.
        max_failed_share: Largest share of failed series that the run goes on with.
        rows_per_shard: Rows of a shard, about; a series is never split.

    Returns:
        What happened, for the artifact's metadata. The record holds the version that was read and its checksum.

    Raises:
        InputError: There is no lake, or it has no observations in the interval; or a parameter cannot be used.
        SparkhuError: A file of the lake is missing or damaged, or its storage fails.
    """
    check_lookback(lookback)
    interval = requested_interval(start, end, zone)
    params: dict[str, Any] = {"lake": redacted(lake), "start": start, "end": end, "zone": zone, "lookback": lookback}
    params["max_failed_share"] = max_failed_share
    with recorded("ingest", inputs=[], outputs=[out, history], params=params) as (notes, (draft, before)):
        version = open_lake(lake).version()
        table = _observations(version, lake)
        span = _span(version, interval, lookback, zone)
        rows = raw_rows(newest(table.read(span.start, span.end)))
        if rows.is_empty():
            raise InputError(_nothing(table, interval, lake))
        notes.say(f"version {version.number} of '{redacted(lake)}'{span.reason}: {rows.height:,} rows")
        slices = raw_shards(rows, rows_per_shard)
        shards = [write_shard(draft, f"{number:05d}", frame) for number, frame in enumerate(slices)]
        write_manifest(draft, "rows", shards)
        known = merge_days(_summaries(version, span.end)).join(
            rows.select("unique_id").unique(), on="unique_id", how="semi"
        )
        write_manifest(before, "series", [write_shard(before, SHARD, known)])
        notes.sources = (_source(version, table, span),)
        counts = rows.group_by("unique_id", maintain_order=True).len("rows")
        notes.entries = ledger.entries(counts["unique_id"], counts={"rows": counts["rows"]})
        notes.rows_in, notes.rows_out, notes.series_in = table.rows, rows.height, counts.height
    return metadata(out)


def _summaries(version: Version, end: datetime | None) -> pl.DataFrame:
    """Read the summaries of the whole days before the end, as they were known by then."""
    if SUMMARIES not in version.tables:
        return pl.DataFrame(schema=SUMMARY_SCHEMA)
    if end is None:
        return version.table(SUMMARIES).read()
    day = end.astimezone(ZoneInfo(version.layout.zone)).date()
    rows = version.table(SUMMARIES).read(None, datetime.combine(day, time(), ZoneInfo(version.layout.zone)))
    return rows.filter(pl.col("available_at") <= pl.lit(end).cast(TIME))


def raw_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Give stored observations the columns of rows as a source gives them; all of them could be read."""
    extras = [name for name in rows.columns if name not in RAW_SCHEMA]
    texts = {name: pl.lit(None, dtype) for name, dtype in RAW_SCHEMA.items() if name not in rows.columns}
    numbered = rows.with_columns(**texts).with_columns(source_row=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    return numbered.select(*RAW_SCHEMA, *extras)


def _observations(version: Version, lake: str) -> Table:
    if OBSERVATIONS not in version.tables:
        raise InputError(f"the lake '{redacted(lake)}' has no observations yet. Append some first: sparkhu ingest.")
    return version.table(OBSERVATIONS)


def _span(version: Version, interval: Interval, lookback: str, zone: str) -> Span:
    if interval.start is None or lookback == ALL:
        return Span(None, interval.end, "")
    wanted, reason = lookback, "as asked"
    if not wanted:
        wanted, reason = _wanted(version, interval.start, zone), "as the seasons of its series want"
    if not wanted:
        return Span(None, interval.end, ", all rows before the end, as no run has found seasons yet")
    return Span(looked_back(interval.start, wanted, zone=zone), interval.end, f", looking back {wanted} {reason}")


def _wanted(version: Version, start: datetime, zone: str) -> str:
    """Find the look-back that the newest profiles of runs before `start` want, else the first ones."""
    if PROFILES not in version.tables:
        return ""
    table = version.table(PROFILES)
    before = [each for each in table.intervals if each.end <= start] or list(table.intervals[:1])
    return wanted_lookback(table.read(before[-1].start, before[-1].end), zone=zone) if before else ""


def _source(version: Version, table: Table, span: Span) -> dict[str, Any]:
    """Describe what was read, so that the very same rows can be read again."""
    files = table.files(span.start, span.end)
    return {
        "uri": version.storage.place("").rstrip("/"),
        "table": table.name,
        "version": version.number,
        "sha256": version.tables[table.name].sha256,
        "start": span.start.isoformat() if span.start else None,
        "end": span.end.isoformat() if span.end else None,
        "size": sum(file.bytes for file in files),
        "rows": sum(file.rows for file in files),
        "files": len(files),
    }


def _nothing(table: Table, interval: Interval, lake: str) -> str:
    firsts = [file.first for file in table.manifest.files if file.first]
    lasts = [file.last for file in table.manifest.files if file.last]
    there = f"; there are some from {min(firsts).isoformat()} to {max(lasts).isoformat()}" if firsts else ""
    given = " to ".join(each.isoformat() if each else "…" for each in interval)
    return f"the lake '{redacted(lake)}' has no observations in {given} or before it{there}. Give another interval."
