"""Append a source to the observations of a lake: what is new in it, and what it refuses, in one commit."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from sparkhu.arrivals import Arrivals, arrivals, caught_up, newest
from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.lake import Append, Interval, Lake, Layout, Table, Version, create_lake, is_lake, open_lake
from sparkhu.lake.layout import Partition
from sparkhu.lineage import code_fingerprint
from sparkhu.sources import RawSource, SourceFile, SourceOptions, read_source, redacted
from sparkhu.stages.appended_files import SOURCES, Known, SourceFiles
from sparkhu.stages.late_rows import CLEAN, SUMMARIES, late_rows
from sparkhu.steps.validation import QUARANTINE, validate
from sparkhu.summaries import summarise_days

OBSERVATIONS, REFUSED = "observations", "quarantine"
ROWS_PER_PARTITION = 20_000
"""Rows that a day must hold, on average, to be worth a file; else months are taken, else years."""
ROWS_PER_FILE = 2_000_000
IS_ALERT, PLACE, FILE = "is_alert", "source_row", "__file"
NO_SERIES = ""
"""Name that a refused row without a series stands under."""
MOST_RANGES = 40
REFUSED_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "ds": TIME,
    "source": pl.String(),
    **{name: pl.Int64() if name == "source_row" else pl.String() for name in QUARANTINE if name != "unique_id"},
}


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
    source: str, options: SourceOptions, *, lake: str, partition: Partition | None = None, buckets: int = 0
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

    Raises:
        InputError: The source cannot be read, what it holds cannot be told safely, or the lake cannot be written.
        SparkhuError: The lake's storage fails; the lake is as it was.

    Example:
        >>> append_source("2024-01-03.csv", SourceOptions(), lake="s3://plant/lake").added  # doctest: +SKIP
    """
    raw = read_source(source, options)
    checked = validate(raw.frame, zone=options.zone).frames
    files = SourceFiles.of(raw, () if options.table or options.query else raw.files)
    notes = list(raw.notes)
    rows = checked["observations"]
    place = _opened(lake, rows["ds"], options.zone, partition=partition, buckets=buckets, notes=notes)
    batch = _Batch(
        place, rows.drop(IS_ALERT), _refused(checked["quarantine"], redacted(source)), files, raw.files, _dated(raw)
    )
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
        added=batch.found.rows.height,
        revised=batch.found.revised,
        unchanged=batch.found.unchanged,
        repeated=batch.found.repeated,
        refused=batch.refused.height,
        dirty=tuple(place.dirty(CLEAN)) if CLEAN in done.tables else (),
        notes=(*notes, *batch.notes, *done.notes),
    )


@dataclass
class _Batch:
    """The rows of a source, compared with each version of the lake that they might be added to.

    Attributes:
        told: What the commit says that it read; filled anew against each version.
    """

    lake: Lake
    rows: pl.DataFrame
    refused: pl.DataFrame
    files: SourceFiles
    read: Sequence[SourceFile]
    dated: bool
    run: str = field(default_factory=lambda: f"ingest-{uuid.uuid4().hex[:12]}")
    arrived_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    known: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCHEMA))
    told: list[dict[str, Any]] = field(default_factory=list)
    before: Known = field(init=False)
    found: Arrivals = field(init=False)

    def new_rows(self, version: Version) -> pl.DataFrame | None:
        """Find the rows that a version lacks; goes before all else that is asked of it."""
        if OBSERVATIONS in version.tables:
            self.known = self._known(version.table(OBSERVATIONS))
        self.before = self.files.known(version)
        left = self._left(self.rows)
        again = left[FILE].is_in(self.before.otherwise.arg_true().implode())
        rows = left.drop(PLACE, FILE)
        rows = rows if self.dated else caught_up(rows, self.known, again=again)
        late = None if self.dated else late_rows(rows, self.known, version)
        found = arrivals(rows, self.known, arrived_at=self.arrived_at, dated=self.dated, late=late)
        self.found = replace(found, unchanged=found.unchanged + self.rows.height - left.height)
        return found.rows if found.rows.height else None

    def new_summaries(self, version: Version) -> pl.DataFrame | None:
        """Summarise the days that the new rows touch, as they are with them."""
        new, zone = self.found.rows.select(SCHEMA.keys()), version.layout.zone
        day = pl.col("ds").dt.convert_time_zone(zone).dt.date()
        touched = new.select("unique_id", day=day).unique()
        there = (
            self.known.select(SCHEMA.keys()).with_columns(day=day).join(touched, on=("unique_id", "day"), how="semi")
        )
        rows = newest(pl.concat([there.drop("day"), new]))
        return summarise_days(rows, zone=zone) if rows.height else None

    def new_refusals(self, version: Version) -> pl.DataFrame | None:
        rows = self._left(self.refused).drop(FILE)
        if REFUSED in version.tables:
            told = [name for name in REFUSED_SCHEMA if name != "ds"]
            known = version.table(REFUSED).read(columns=told)
            rows = rows.join(known, on=told, how="anti", nulls_equal=True, maintain_order="left")
        return rows.with_columns(ds=pl.lit(self.arrived_at).cast(TIME)) if rows.height else None

    def new_sources(self, _: Version) -> pl.DataFrame | None:
        there = self.before.whole if len(self.before.whole) else [False] * len(self.read)
        self.told[:] = [asdict(file) for file, known in zip(self.read, there, strict=True) if not known]
        rows = self.files.rows(self.before, self.run, self.arrived_at)
        return rows if rows.height else None

    @property
    def notes(self) -> tuple[str, ...]:
        count = int(self.before.whole.sum())
        told = f"{count} of {len(self.before.whole)} files {'was' if count == 1 else 'were'} appended before"
        return (told,) if count else ()

    def _left(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leave out rows of files that were appended before, and number the files of the others."""
        numbered = rows.with_columns(self.files.numbers(rows[PLACE]).alias(FILE))
        return numbered.filter(~pl.col(FILE).is_in(self.before.whole.arg_true().implode()))

    def _known(self, table: Table) -> pl.DataFrame:
        """Read what the table holds around the days of the batch, and of few others where these are few."""
        parts = [table.read(start, end) for start, end in self._ranges()]
        return pl.concat(parts) if parts else pl.DataFrame(schema=table.columns)

    def _ranges(self) -> Sequence[tuple[datetime, datetime]]:
        """Fold the UTC days of the batch, with one on either side, into ranges; where there are many, into one.

        The days of any zone lie inside: whole ones are summarised.
        """
        days = self.rows["ds"].dt.truncate("1d").unique().sort()
        if days.is_empty():
            return []
        run = (days.diff() > timedelta(days=3)).fill_null(value=True).cum_sum()
        ranges = pl.DataFrame({"day": days, "run": run}).group_by("run", maintain_order=True)
        first, end = pl.col("day").min().dt.offset_by("-1d"), pl.col("day").max().dt.offset_by("2d")
        found = ranges.agg(first=first, end=end).drop("run").rows()
        return found if len(found) <= MOST_RANGES else [(found[0][0], found[-1][1])]


def _dated(raw: RawSource) -> bool:
    """Say whether the source tells from when its values were known.

    Raises:
        InputError: Some of its files do and some do not.
    """
    told = {roles.available_at for roles in raw.roles}
    if len(told) > 1:
        raise InputError("some files of the source have a column 'available_at' and some have none. Ingest them apart.")
    return told == {True}


def _refused(quarantine: pl.DataFrame, source: str) -> pl.DataFrame:
    rows = quarantine.with_columns(
        pl.col("unique_id").fill_null(NO_SERIES), ds=pl.lit(None, TIME), source=pl.lit(source, pl.String)
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in REFUSED_SCHEMA.items())


def _opened(uri: str, ds: pl.Series, zone: str, *, partition: Partition | None, buckets: int, notes: list[str]) -> Lake:
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
    layout = sensible_layout(ds, zone=zone)
    chosen = Layout(partition or layout.partition, buckets or layout.buckets, zone)
    notes.append(f"a new lake at '{uri}': files of a {chosen.partition} of {zone}, buckets of series: {chosen.buckets}")
    try:
        return create_lake(uri, partition=chosen.partition, buckets=chosen.buckets, zone=zone)
    except InputError:
        if is_lake(uri):  # another ingest has just made it
            return open_lake(uri)
        raise


def sensible_layout(ds: pl.Series, *, zone: str) -> Layout:
    """Choose what a file covers: the shortest of day, month and year that comes to `ROWS_PER_PARTITION` rows.

    Args:
        ds: The instants of the first rows; how many a day has tells how many a month and a year will have.
        zone: Zone of the days.

    Returns:
        The layout; it has as many buckets as a partition has `ROWS_PER_FILE` rows.
    """
    days = max(ds.dt.convert_time_zone(zone).dt.truncate("1d").n_unique(), 1)
    widths: tuple[tuple[Partition, int], ...] = (("day", 1), ("month", 30), ("year", 365))
    expected = [(name, length * len(ds) / days) for name, length in widths]
    name, rows = next((each for each in expected if each[1] >= ROWS_PER_PARTITION), expected[-1])
    return Layout(name, max(1, round(rows / ROWS_PER_FILE)), zone)
