"""Append a source to the observations of a lake: what is new in it, and what it refuses, in one commit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sparkhu.backfilling import CLEAN
from sparkhu.errors import InputError
from sparkhu.lake import Append, Interval, Lake, Layout, create_lake, is_lake, open_lake
from sparkhu.lake.layout import Partition
from sparkhu.lake.tables import OBSERVATIONS
from sparkhu.lineage import code_fingerprint
from sparkhu.sources import Roles, SourceOptions, redacted
from sparkhu.sources.parts import PartSize
from sparkhu.stages.appended_files import SOURCES, SourceFiles
from sparkhu.stages.arriving import REFUSED, Batch, CheckedSource
from sparkhu.stages.late_rows import SUMMARIES
from sparkhu.stages.sorted_source import SortedSource
from sparkhu.steps.ingestion import ROWS_PER_SHARD

ROWS_PER_PARTITION = 20_000
"""Rows that a day must hold, on average, to be worth a file; else months are taken, else years."""
ROWS_PER_FILE = 2_000_000


@dataclass(frozen=True)
class Appended:
    """What became of the rows of a source.

    Attributes:
        version: The version of the lake that holds them.
        added: Rows added to the observations, those that revise a value among them.
        revised: Rows among them that change a value which was there.
        unchanged: Rows that the lake held already, those of files that were appended before among them.
        repeated: Rows that are left out, as a later one of the same source, instant and arrival stands for them.
        refused: Rows that cannot be used, in the table `quarantine` with their reasons.
        dirty: Published intervals that must be computed anew.
        notes: What was found from the data and chosen by default, to be said aloud.
    """

    version: int
    added: int
    revised: int
    unchanged: int
    repeated: int
    refused: int
    dirty: tuple[Interval, ...]
    notes: tuple[str, ...]


def append_source(
    source: str,
    options: SourceOptions,
    *,
    lake: str,
    partition: Partition | None = None,
    buckets: int = 0,
    rows_per_shard: int = ROWS_PER_SHARD,
    part_size: PartSize | None = None,
) -> Appended:
    """Read a source and append what is new in it to a lake, which is made where there is none.

    Rows, refused rows, the summaries of the days that they touch and what tells the files apart appear in one commit:
    whoever reads sees all of them or none. A file that was appended before, and is read as it was then, brings nothing,
    whatever came since. One that is read in another way, such as with a further column, brings what it tells beyond
    then. What a database gives has no such mark: all of it is what holds now.

    Args:
        source: File, folder, glob or URI, or the SQLAlchemy URL of a database.
        options: What is known of the source; the rest is found from it and said.
        lake: Folder or `s3://bucket/prefix` of the lake.
        partition: What a file of a new lake covers: day, month or year; null: from the number of rows.
        buckets: Groups of series of a new lake, each with files of its own; 0: from the number of rows.
        rows_per_shard: Rows that are compared with the lake at a time, about; a series is never split.
        part_size: How much of the source, or of the lake, is read at a time.

    Raises:
        InputError: The source cannot be read, what it holds cannot be told safely, or the lake cannot be written.
        SparkhuError: The lake's storage fails; the lake is as it was.

    Example:
        >>> append_source("2024-01-03.csv", SourceOptions(), lake="s3://plant/lake").added  # doctest: +SKIP
    """
    with TemporaryDirectory(prefix="sparkhu-ingest-", ignore_cleanup_errors=True) as folder:
        batch, notes = _batch(source, options, Path(folder), rows_per_shard=rows_per_shard, part_size=part_size)
        layout = partial(sensible_layout, batch.checked.rows, batch.checked.days, zone=options.zone)
        place = _opened(lake, layout, options.zone, partition=partition, buckets=buckets, notes=notes)
        done = place.commit(
            {
                OBSERVATIONS: Append(batch.new_rows),
                SUMMARIES: Append(batch.new_summaries),
                REFUSED: Append(batch.new_refusals),
                SOURCES: Append(batch.new_sources),
            },
            run=batch.run,
            note=redacted(source),
            sources=batch.told,
            code=code_fingerprint(),
            based_on=place.version(),
        )
    return Appended(
        version=done.number,
        **batch.counts._asdict(),
        refused=batch.checked.refused.height,
        dirty=tuple(place.dirty(CLEAN)) if CLEAN in done.tables else (),
        notes=(*notes, *batch.notes, *done.notes),
    )


def _batch(
    source: str, options: SourceOptions, folder: Path, *, rows_per_shard: int, part_size: PartSize | None
) -> tuple[Batch, list[str]]:
    """Read a source, and give what is known of it before it is compared with a lake, and what was found."""
    read = SortedSource(source, options, folder, rows_per_shard=rows_per_shard, part_size=part_size)
    has_marks = not (options.table or options.query)
    files = SourceFiles.of(read.shards, read.raw.files if has_marks else (), folder)
    checked = CheckedSource(read, redacted(source), folder, zone=options.zone)
    return Batch(checked, files, read.raw.files, _dated(read.raw.roles), folder, part_size), list(read.raw.notes)


def _dated(groups: Sequence[Roles]) -> bool:
    """Say whether the source tells from when its values were known.

    Raises:
        InputError: Some of its files do and some do not.
    """
    told = {roles.available_at for roles in groups}
    if len(told) > 1:
        raise InputError("some files of the source have a column 'available_at' and some have none. Ingest them apart.")
    return told == {True}


def _opened(
    uri: str,
    sensible: Callable[[], Layout],
    zone: str,
    *,
    partition: Partition | None,
    buckets: int,
    notes: list[str],
) -> Lake:
    """Open the lake, or make it with files of a sensible size for these rows."""
    if is_lake(uri):
        lake = open_lake(uri)
        there = lake.layout
        if (partition or there.partition, buckets or there.buckets) != (there.partition, there.buckets):
            raise InputError(
                f"'{uri}' has files of a {there.partition} in {there.buckets} buckets, got partition "
                f"'{partition or there.partition}' and buckets {buckets or there.buckets}. Leave both out, or name a "
                "new lake."
            )
        return lake
    layout = sensible()
    chosen = Layout(partition or layout.partition, buckets or layout.buckets, zone)
    notes.append(f"a new lake at '{uri}': files of a {chosen.partition} of {zone}, buckets of series: {chosen.buckets}")
    try:
        return create_lake(uri, partition=chosen.partition, buckets=chosen.buckets, zone=zone)
    except InputError:
        if is_lake(uri):  # another ingest has just made it
            return open_lake(uri)
        raise


def sensible_layout(rows: int, days: int, *, zone: str) -> Layout:
    """Choose what a file covers: the shortest of day, month and year that comes to `ROWS_PER_PARTITION` rows.

    Args:
        rows: The first rows; how many a day has tells how many a month and a year will have.
        days: The days that they are of.
        zone: Zone of the days.

    Returns:
        The layout; it has as many buckets as a partition has `ROWS_PER_FILE` rows.
    """
    widths: tuple[tuple[Partition, int], ...] = (("day", 1), ("month", 30), ("year", 365))
    expected = [(name, length * rows / max(days, 1)) for name, length in widths]
    name, count = next((each for each in expected if each[1] >= ROWS_PER_PARTITION), expected[-1])
    return Layout(name, max(1, round(count / ROWS_PER_FILE)), zone)
