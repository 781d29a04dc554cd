"""Read an interval of a lake's observations, with what the steps look back on, into shards."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu import ledger
from sparkhu.arrivals import newest
from sparkhu.attempts import scratch_folder
from sparkhu.errors import InputError
from sparkhu.execution import MAX_FAILED_SHARE, metadata, recorded
from sparkhu.frame import TIME
from sparkhu.lake import DataFile, Table, Version, open_lake
from sparkhu.lake.removals import removed_files
from sparkhu.lake.tables import OBSERVATIONS
from sparkhu.lookback import ALL, check_lookback, looked_back, wanted_lookback
from sparkhu.shards import Kind, Shard, write_manifest, write_shard
from sparkhu.sources import redacted
from sparkhu.sources.parts import PartSize
from sparkhu.sources.reading import RAW_SCHEMA
from sparkhu.stages.lake_history import border_of, known_history, summaries_before
from sparkhu.stages.lake_sorting import WHOLE, SlicedTable, TableSpan
from sparkhu.stages.sorting import mapped
from sparkhu.steps.ingestion import ROWS_PER_SHARD, shard_borders, shard_bounds
from sparkhu.steps.validation import Interval, requested_interval
from sparkhu.summaries import SUMMARY_SCHEMA
from sparkhu.versions import versions_of

PROFILES = "profiles"
KINDS: tuple[Kind, ...] = ("rows", "series", "series")


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
    part_size: PartSize | None = None,
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
        part_size: How much is held in memory at a time.

    Returns:
        What happened, for the artifact's metadata. The record holds the version that was read and its checksum.

    Raises:
        InputError: There is no lake; it has no observations before the interval's end, or none from its start on; or a
            parameter cannot be used.
        SparkhuError: A file of the lake is missing or damaged, its storage fails, or there is no room for the output or
            the rows that are being sorted.
    """
    check_lookback(lookback)
    interval = requested_interval(start, end, zone)
    params: dict[str, Any] = {"lake": redacted(lake), "start": start, "end": end, "zone": zone, "lookback": lookback}
    params["max_failed_share"] = max_failed_share
    places = [out, history, versions]
    with recorded("ingest", inputs=[], outputs=places, params=params) as (notes, at):
        version = open_lake(lake).version()
        table = _observations(version, lake)
        last = max((file.last for file in table.manifest.files if file.last), default=None)
        if last and interval.start and interval.start > last:
            raise InputError(_nothing(table, interval, lake))
        _check_not_removed(version, interval, lake)
        span = _span(version, interval, lookback, zone)
        with scratch_folder(at[0]) as folder:
            rows = TableSpan(table, border_of(version, span.start), span.end, folder, part_size)
            series = rows.series(span.start)
            count = int(series["rows"].sum())
            if not count:
                raise InputError(_nothing(table, interval, lake))
            notes.say(f"version {version.number} of '{redacted(lake)}'{span.reason}: {count:,} rows")
            items = _shards(rows, _summaries(version, span, folder, part_size), series, rows_per_shard)
            sort = partial(_sort, lake, version.number, span, at)
            shards = list(zip(*mapped(rows.engine, sort, items, "shard", whole=WHOLE), strict=True))
        for draft, kind, written in zip(at, KINDS, shards, strict=True):
            write_manifest(draft, kind, written)
        notes.sources = (_source(version, table, span, count),)
        notes.entries = ledger.entries(series["unique_id"], counts={"rows": series["rows"]})
        notes.rows_in, notes.rows_out, notes.series_in = table.rows, count, series.height
    return metadata(out)


class _Shard(NamedTuple):
    """A shard to be put together: its rows, the summaries of days before them, and how many rows lie before it."""

    name: str
    rows: SlicedTable
    days: SlicedTable
    before: int


def _summaries(version: Version, span: Span, folder: Path, size: PartSize | None) -> TableSpan | None:
    found = summaries_before(version, span.start)
    return None if found is None else TableSpan(found[0], None, found[1], folder, size)


def _shards(rows: TableSpan, days: TableSpan | None, series: pl.DataFrame, rows_per_shard: int) -> list[_Shard]:
    """Cut the rows, and the summaries of days before them, by shard."""
    borders = shard_borders(series, rows_per_shard)
    before = [offset for offset, _ in shard_bounds(series["rows"].to_list(), rows_per_shard)]
    none = [SlicedTable([], pl.Schema(SUMMARY_SCHEMA))] * len(before)
    cut = zip(rows.cut(borders), none if days is None else days.cut(borders), before, strict=True)
    return [_Shard(f"{number:05d}", *parts) for number, parts in enumerate(cut)]


def _sort(lake: str, version: int, span: Span, drafts: Sequence[Path], item: _Shard) -> tuple[Shard, ...]:
    """Put a shard together. All versions of all rows are at hand only here: what goes on is the newest, the revised."""
    read = item.rows.read()
    opened = open_lake(lake).version(version)
    history = known_history(opened, read, item.days.read(), start=span.start, end=span.end)
    if span.start is not None:
        read = read.filter(pl.col("ds") >= pl.lit(span.start).cast(TIME))
    rows = raw_rows(newest(read), item.before)
    known = history.join(rows.select("unique_id"), on="unique_id", how="semi", maintain_order="left")
    frames = (rows, known, versions_of(read))
    return tuple(write_shard(draft, item.name, frame) for draft, frame in zip(drafts, frames, strict=True))


def raw_rows(rows: pl.DataFrame, before: int) -> pl.DataFrame:
    """Give stored observations, `before` of which lie before these, the columns of rows as a source gives them."""
    extras = [name for name in rows.columns if name not in RAW_SCHEMA]
    texts = {name: pl.lit(None, dtype) for name, dtype in RAW_SCHEMA.items() if name not in rows.columns}
    numbered = rows.with_columns(**texts).with_columns(
        source_row=before + pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    )
    return numbered.select(*RAW_SCHEMA, *extras)


def _observations(version: Version, lake: str) -> Table:
    if OBSERVATIONS not in version.tables:
        raise InputError(f"the lake '{redacted(lake)}' has no observations yet. Append some first: sparkhu ingest.")
    return version.table(OBSERVATIONS)


def _check_not_removed(version: Version, interval: Interval, lake: str) -> None:
    """Refuse an interval that retention has taken observations of: what was published of it would be lost."""
    files = version.manifest(OBSERVATIONS).files
    start = interval.start or min((file.first for file in files if file.first), default=None)
    end = interval.end or max((file.last for file in files if file.last), default=None)
    gone = removed_files(version, OBSERVATIONS, start, end) if start and end and start < end else []
    if gone:
        raise InputError(
            f"retention has taken observations out of the lake '{redacted(lake)}' that this interval is made from, "
            f"{len(gone):,} files such as '{gone[0].path}': made from the others, it would lose rows. Put them back "
            f"first: sparkhu retention restore; or give an interval after {max(_last(file) for file in gone)}."
        )


def _last(file: DataFile) -> str:
    return file.last.isoformat() if file.last else ""


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


def _source(version: Version, table: Table, span: Span, rows: int) -> dict[str, Any]:
    """Describe what was read, so that the very same rows can be read again: `rows` of the files that hold them."""
    files = table.files(span.start, span.end)
    return {
        "uri": version.storage.place("").rstrip("/"),
        "table": table.name,
        "version": version.number,
        "sha256": version.tables[table.name].sha256,
        "start": span.start.isoformat() if span.start else None,
        "end": span.end.isoformat() if span.end else None,
        "size": sum(file.bytes for file in files),
        "rows": rows,
        "files": len(files),
    }


def _nothing(table: Table, interval: Interval, lake: str) -> str:
    firsts = [file.first for file in table.manifest.files if file.first]
    lasts = [file.last for file in table.manifest.files if file.last]
    there = f"; there are some from {min(firsts).isoformat()} to {max(lasts).isoformat()}" if firsts else ""
    given = " to ".join(each.isoformat() if each else "…" for each in interval)
    return f"the lake '{redacted(lake)}' has no observations in {given}{there}. Give another interval."
