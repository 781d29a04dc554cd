"""Read a source into the raw frame: every row of it, parsed where it can be, with its text where it cannot."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.agreement import Group, check_agreement
from sparkhu.sources.columns import AVAILABLE_AT, Roles, find_roles
from sparkhu.sources.databases import is_database, read_database
from sparkhu.sources.drafts import RAW_SCHEMA, Plan, Tally, draft, first_of, ids_of, settle
from sparkhu.sources.extras import ExtraReading, find_extras, notes_of_extras
from sparkhu.sources.files import read_files
from sparkhu.sources.options import ALL, SourceOptions
from sparkhu.sources.parts import Part, Scratch
from sparkhu.sources.secrets import redacted
from sparkhu.sources.tables import BROKEN, FILE, OVERFLOW, ROW, SourceFile, Table, load
from sparkhu.sources.telling import Told, examples, said_of_numbers, way_to_values
from sparkhu.sources.times import find_time_reading
from sparkhu.sources.values import Notation, find_notation, find_notations
from sparkhu.zones import check_zone

__all__ = ["RAW_SCHEMA", "RawSource", "Reading", "Stretch", "read_source"]

LARGE = 2
"""Parts of observations beyond which a source is sorted outside memory, and other processes help."""

COUNTS = 2_000_000
"""Series of parts that are counted before they are added up: where series are many, each sum costs as they do."""


class RawSource(NamedTuple):
    """A source, read.

    Attributes:
        frame: The raw frame (`RAW_SCHEMA`, then the extra columns in the order given), sorted by (`unique_id`, `ds`,
            `source_row`). `ds` or `y` is null where the source has none or one that cannot be used; then `ds_text` or
            `y_text` holds the source's text (null where it has none) and `ds_reason` says why there is no instant. Of a
            line that could not be read at all, `ds_text` is the line.
        notes: What was found from the data and chosen by default, to be said aloud.
        files: The files read, with their fingerprints.
        roles: The chosen columns, one a group of files with equal columns.
        notations: How the times are written, one a group.
        groups: How to call each group of files.
        numbers: How the values are written where that is not with a decimal point alone; these are among the notes.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]
    files: tuple[SourceFile, ...]
    roles: tuple[Roles, ...]
    notations: tuple[str, ...]
    groups: tuple[str, ...]
    numbers: tuple[str, ...]


class Stretch(NamedTuple):
    """Rows of a table that are read at a time, by whichever process.

    Attributes:
        part: The rows.
        start: How many rows of the table lie before.
        plan: How they are read.
    """

    part: Part
    start: int
    plan: Plan

    def drafts(self, rows: int) -> Iterator[tuple[pl.DataFrame, Tally]]:
        """Read them, about `rows` observations at a time: a wide table has many a row."""
        frame = load(self.part, self.plan.columns)
        height = max(1, rows // len(self.plan.values))
        for first in range(0, max(frame.height, 1), height):
            yield draft(frame.slice(first, height), self.start + first, self.plan)


class Reading:
    """A source, looked at as a whole: what it holds is known, and how each part of it is read.

    Args:
        uri: The source.
        options: What is known of it.
        scratch: Where parts go that are too large for memory.

    Attributes:
        files: The files read, with their fingerprints.
        roles: The chosen columns, a table each.
        stretches: All of its rows, in order.
        extras: The columns that travel along.
        part_rows: Rows of a part, about.

    Raises:
        InputError: As `read_source`.
    """

    def __init__(self, uri: str, options: SourceOptions, scratch: Scratch) -> None:
        check_zone(options.zone)
        self._uri, self._options = uri, options
        found = read_database(uri, options, scratch) if is_database(uri, options) else read_files(uri, options, scratch)
        self._tables, self._found = found.tables, found.notes
        self.files = tuple(found.files)
        self.part_rows = scratch.size.rows
        self.plans = [_plan(number, table, options) for number, table in enumerate(found.tables)]
        self.roles = tuple(plan.roles for plan in self.plans)
        check_agreement([_group(table, plan) for table, plan in zip(found.tables, self.plans, strict=True)])
        self._extras = find_extras(found.tables, self.roles, options) if options.extra else [[] for _ in found.tables]
        self.extras = tuple(extra.name for extra in self._extras[0])
        self.stretches = [
            Stretch(part, start, _with_extras(plan, table, extras))
            for table, plan, extras in zip(found.tables, self.plans, self._extras, strict=True)
            for part, start in zip(table.parts, table.starts, strict=True)
        ]

    @property
    def large(self) -> bool:
        """Whether there is more than stays in memory."""
        spilled = any(stretch.part.in_scratch for stretch in self.stretches)
        rows = sum(stretch.part.rows * len(stretch.plan.values) for stretch in self.stretches)
        return spilled or rows > LARGE * self.part_rows

    def series(self) -> pl.DataFrame:
        """Count the rows of each series.

        Returns:
            `unique_id, rows`, sorted; rows without a series come first, under null.
        """
        found = [pl.DataFrame(schema={"unique_id": pl.String(), "rows": pl.Int64()})]
        for table, plan in zip(self._tables, self.plans, strict=True):
            for counts in _counts(table, plan.roles):
                found.append(counts)
                if sum(each.height for each in found[1:]) > COUNTS:
                    found = [_added(found)]
        return _added(found).sort("unique_id")

    def told(self, tallies: Sequence[Tally], doubled: Mapping[tuple[int, str | None], int]) -> Told:
        """Say what was found, once all rows are read.

        Args:
            tallies: What was seen in the rows, a tally a table.
            doubled: How many rows of a repeated hour were told apart, by table and series.

        Raises:
            InputError: There is no instant or no number in all of them.
        """
        self.check_something(tallies)
        notes, numbers = list(self._found), list[str]()
        for table, plan, tally in zip(self._tables, self.plans, tallies, strict=True):
            written = [] if self._options.decimal else list(said_of_numbers(plan, table))
            numbers += written
            notes += [*plan.roles.notes, *self._said(table, plan, tally, doubled), *written]
        if self._options.extra:
            every = self._options.extra.strip() == ALL
            notes += notes_of_extras(self._tables, self._extras, [tally.extras for tally in tallies], every=every)
        return Told(tuple(dict.fromkeys(notes)), tuple(dict.fromkeys(numbers)))

    def raw(self, frame: pl.DataFrame, told: Told) -> RawSource:
        """Put what is known of the source beside its frame."""
        notations = tuple(plan.times.notation for plan in self.plans)
        names = tuple(table.name for table in self._tables)
        return RawSource(frame, told.notes, self.files, self.roles, notations, names, told.numbers)

    def _said(
        self, table: Table, plan: Plan, tally: Tally, doubled: Mapping[tuple[int, str | None], int]
    ) -> Iterator[str]:
        zone, notation = self._options.zone, plan.times.notation
        yield f"times are {notation}" if notation.startswith("typed") else f"times are written as {notation}"
        if plan.times.evidence:
            yield plan.times.evidence
        if tally.local:
            yield f"times without an offset are taken in zone {zone}"
        count = sum(
            rows
            for (group, series), rows in doubled.items()
            # Each row of a wide table gives one to every series.
            if group == plan.group and (not plan.roles.wide or series == plan.roles.values[0].column)
        )
        if count:
            yield (
                f"{count} rows lie in an hour that a clock change in {zone} repeats; "
                "the first of two is taken in summer time, the second in winter time"
            )
        if plan.roles.id is None and not plan.roles.wide:
            named = ", ".join(sorted(_stems(table))[:5])
            yield f"no id column: the series is named after its {table.kind} ({named})"
        if OVERFLOW in table.schema:
            yield f"{tally.long} rows have more fields than the header and are refused"

    def check_something(self, tallies: Sequence[Tally]) -> None:
        """Refuse a source without any instant, or without any number.

        Raises:
            InputError: It is one; the message shows what stands there instead.
        """
        roles, uri = self.roles[0], redacted(self._uri)
        if not any(tally.times for tally in tallies):
            shown = examples(first_of(*(tally.time_texts for tally in tallies)))
            raise InputError(
                f"no time in column '{roles.time.column}' of '{uri}' can be parsed; it holds {shown}. "
                "Name another column with --time, or the format with --time-format."
            )
        texts = first_of(*chain.from_iterable(tally.value_texts for tally in tallies))
        named = bool(self._options.value)
        if not any(tally.numbers for tally in tallies) and (texts or not named):
            what = "any series column" if roles.wide else f"column '{roles.values[0].column}'"
            raise InputError(
                f"there is no number in {what} of '{uri}'; it holds {examples(texts)}. "
                f"{way_to_values(roles, named=named, nothing=not texts)}"
            )


def read_source(uri: str, options: SourceOptions | None = None, scratch: Scratch | None = None) -> RawSource:
    """Read CSV or JSON lines (gzip too) or Parquet from a file, a glob or a folder, or a table or query of a database.

    Args:
        uri: A local path, any fsspec URI, or any SQLAlchemy URL. A `${NAME}` in it is taken from the environment.
        options: What is known of it; what is not is found where that is safe, and said in `notes`.
        scratch: Where parts go that are too large for memory while they are read; the result is in memory.

    Raises:
        InputError: There is nothing to read, a column is missing or cannot be chosen safely, files take different
            columns for one role, or the source has no parsable time, or no number: the latter is let in where the value
            column is named and all its values are missing, which withdraws them.

    Example:
        >>> read_source("sensors.csv", SourceOptions(time="when", zone="Europe/Berlin")).frame  # doctest: +SKIP
    """
    scratch = scratch or Scratch()
    reading = Reading(uri, options or SourceOptions(), scratch)
    tallies, drafts = [Tally() for _ in reading.plans], []
    for stretch in reading.stretches:
        for rows, tally in stretch.drafts(scratch.size.rows):
            drafts.append(rows)
            tallies[stretch.plan.group] = tallies[stretch.plan.group].merged(tally)
    settled = settle(drafts, reading.extras)
    if not settled.frame["ds"].count():
        tallies = [tally._replace(times=False) for tally in tallies]
    return reading.raw(settled.frame, reading.told(tallies, settled.doubled))


def _plan(number: int, table: Table, options: SourceOptions) -> Plan:
    """Find how a table is read from all of its rows."""
    columns = {name: table.column(name) for name in (*table.header, *table.folders)}
    roles = find_roles(columns, options, table.name, table.folders)
    times = find_time_reading(columns[roles.time.column], time_format=options.time_format)
    known = find_time_reading(columns[AVAILABLE_AT]) if roles.available_at else None
    values = tuple(_notations(table, role.column, options.decimal) for role in roles.values)
    return Plan(number, roles, times, known, values, (), table.lengths, options.zone, _needed(table, roles))


def _notations(table: Table, column: str, decimal: str) -> tuple[Notation, ...]:
    if decimal:
        return (find_notation(table.column(column), decimal),)
    return find_notations(table.column(column), table.lengths)


def _needed(table: Table, roles: Roles) -> dict[str, pl.DataType]:
    names = {roles.time.column, *(role.column for role in roles.values), ROW, FILE, OVERFLOW, BROKEN}
    names |= {AVAILABLE_AT} if roles.available_at else set()
    names |= {roles.id.column} if roles.id else set()
    return {name: dtype for name, dtype in table.schema.items() if name in names}


def _with_extras(plan: Plan, table: Table, extras: Sequence[ExtraReading]) -> Plan:
    there = {extra.name: table.schema[extra.name] for extra in extras if extra.there}
    return replace(plan, extras=tuple(extras), columns={**plan.columns, **there})


def _group(table: Table, plan: Plan) -> Group:
    after_files = plan.roles.id is None and not plan.roles.wide
    return Group(table.name, plan.roles, _stems(table) if after_files else None)


def _stems(table: Table) -> frozenset[str]:
    """Give what the files of a table are called."""
    return table.column(FILE).once("stems", lambda: frozenset(_distinct(table.column(FILE).scan())))


def _distinct(parts: Iterator[pl.Series]) -> Iterator[str]:
    return chain.from_iterable(part.unique() for part in parts)


def _added(counts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(counts).group_by("unique_id").agg(pl.col("rows").sum())


def _counts(table: Table, roles: Roles) -> Iterator[pl.DataFrame]:
    if roles.wide:
        yield pl.DataFrame({"unique_id": [role.column for role in roles.values]}).with_columns(
            rows=pl.lit(table.rows, pl.Int64)
        )
        return
    column = roles.id.column if roles.id else FILE
    for part in table.parts:
        ids = ids_of(load(part, {column: table.schema[column]}), roles)
        yield ids.to_frame().group_by("unique_id").agg(rows=pl.len().cast(pl.Int64))
