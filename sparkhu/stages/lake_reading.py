"""Read an interval of a lake's observations, with what the steps look back on, into shards."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu import ledger
from sparkhu.arrivals import newest
from sparkhu.errors import InputError
from sparkhu.execution import MAX_FAILED_SHARE, metadata, recorded
from sparkhu.frame import TIME
from sparkhu.lake import Table, Version, open_lake
from sparkhu.lookback import ALL, check_lookback, looked_back, wanted_lookback
from sparkhu.shards import Kind, write_manifest, write_shard
from sparkhu.sources import redacted
from sparkhu.sources.reading import RAW_SCHEMA
from sparkhu.stages.appending import OBSERVATIONS
from sparkhu.stages.lake_history import border_of, known_history
from sparkhu.steps.ingestion import ROWS_PER_SHARD, raw_shards
from sparkhu.steps.validation import Interval, requested_interval
from sparkhu.versions import versions_of

PROFILES = "profiles"


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
    versions: Path | str,
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
        history: Folder of a dataset of one row a series: what was known of it at the end, days among it that are not
            read, and until when what is read became known (`sparkhu.stages.lake_history`).
        versions: Folder of a dataset of the points that were revised: all versions of each
            (`sparkhu.versions.versions_of`).
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
    places = [out, history, versions]
    with recorded("ingest", inputs=[], outputs=places, params=params) as (notes, at):
        version = open_lake(lake).version()
        table = _observations(version, lake)
        span = _span(version, interval, lookback, zone)
        read = _read(version, table, span)
        if read.rows.is_empty():
            raise InputError(_nothing(table, interval, lake))
        notes.say(f"version {version.number} of '{redacted(lake)}'{span.reason}: {read.rows.height:,} rows")
        slices = list(raw_shards(read.rows, rows_per_shard))
        _write(at[0], "rows", slices)
        _write(at[1], "series", _alongside(read.history, slices))
        _write(at[2], "series", _alongside(read.versions, slices))
        notes.sources = (_source(version, table, span),)
        counts = read.rows.group_by("unique_id", maintain_order=True).len("rows")
        notes.entries = ledger.entries(counts["unique_id"], counts={"rows": counts["rows"]})
        notes.rows_in, notes.rows_out, notes.series_in = table.rows, read.rows.height, counts.height
    return metadata(out)


class Read(NamedTuple):
    """What a run is given of a span: the newest row of each instant, what was known at its end, revised points."""

    rows: pl.DataFrame
    history: pl.DataFrame
    versions: pl.DataFrame


def _read(version: Version, table: Table, span: Span) -> Read:
    """Read a span. All versions of all rows are at hand only here: what goes on is the newest, and the revised."""
    stored = table.read(border_of(version, span.start), span.end)
    history = known_history(version, table, stored, start=span.start, end=span.end)
    if span.start is not None:
        stored = stored.filter(pl.col("ds") >= pl.lit(span.start).cast(TIME))
    versions = versions_of(stored)
    stored = newest(stored)
    return Read(raw_rows(stored), history, versions)


def _write(draft: Path, kind: Kind, frames: Iterable[pl.DataFrame]) -> None:
    write_manifest(draft, kind, [write_shard(draft, f"{number:05d}", frame) for number, frame in enumerate(frames)])


def _alongside(table: pl.DataFrame, shards: Sequence[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Cut a table about series as shards of rows are cut."""
    return (table.join(rows.select("unique_id"), on="unique_id", how="semi", maintain_order="left") for rows in shards)


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
        return Span(None, interval.end, ", all rows before the end, as no run before has found seasons")
    return Span(looked_back(interval.start, wanted, zone=zone), interval.end, f", looking back {wanted} {reason}")


def _wanted(version: Version, start: datetime, zone: str) -> str:
    """Find the look-back that the newest profiles of intervals before `start` want; empty where there are none.

    What later intervals found says nothing here: so a run reads the same, however often and in which order it is made.
    """
    if PROFILES not in version.tables:
        return ""
    table = version.table(PROFILES)
    before = [each for each in table.intervals if each.end <= start]
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
