"""Read a source into the raw frame: every row of it, parsed where it can be, with its text where it cannot."""

from typing import NamedTuple

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.sources.agreement import Group, check_agreement
from sparkhu.sources.columns import AVAILABLE_AT, Roles, find_roles
from sparkhu.sources.databases import is_database, read_database
from sparkhu.sources.extras import Extras, read_extras
from sparkhu.sources.files import read_files
from sparkhu.sources.options import SourceOptions
from sparkhu.sources.secrets import redacted
from sparkhu.sources.tables import BROKEN, FILE, OVERFLOW, ROW, SourceFile, Table
from sparkhu.sources.times import LocalTimes, parse_times
from sparkhu.sources.values import Notation, Numbers, parse_numbers, parse_numbers_of_files, present
from sparkhu.sources.zones import Instants, to_instants
from sparkhu.zones import check_zone

RAW_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "ds": TIME,
    "y": pl.Float64(),
    "available_at": TIME,
    "source_row": pl.Int64(),
    "ds_text": pl.String(),
    "y_text": pl.String(),
    "ds_reason": pl.String(),
}
SURPLUS, UNREADABLE = "row_too_long", "line_unreadable"
NOTATIONS: dict[Notation, str] = {
    "1,5": "values have a decimal comma",
    "1,234.5": "values have commas between thousands",
    "1.234,5": "values have a decimal comma and points between thousands",
}


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


class _Part(NamedTuple):
    frame: pl.DataFrame
    roles: Roles
    notation: str
    notes: list[str]
    numbers: list[str]


def read_source(uri: str, options: SourceOptions | None = None) -> RawSource:
    """Read CSV or JSON lines (gzip too) or Parquet from a file, a glob or a folder, or a table or query of a database.

    Args:
        uri: A local path, any fsspec URI, or any SQLAlchemy URL. A `${NAME}` in it is taken from the environment.
        options: What is known of it; what is not is found where that is safe, and said in `notes`.

    Raises:
        InputError: There is nothing to read, a column is missing or cannot be chosen safely, files take different
            columns for one role, or the source has no parsable time, or no number: the latter is let in where the value
            column is named and all its values are missing, which withdraws them.

    Example:
        >>> read_source("sensors.csv", SourceOptions(time="when", zone="Europe/Berlin")).frame  # doctest: +SKIP
    """
    options = options or SourceOptions()
    check_zone(options.zone)
    found = read_database(uri, options) if is_database(uri, options) else read_files(uri, options)
    parts = [_read_table(table, options) for table in found.tables]
    check_agreement([_group(table, part) for table, part in zip(found.tables, parts, strict=True)])
    extras = read_extras(found.tables, [part.roles for part in parts], options) if options.extra else Extras([], [])
    frame = pl.concat(part.frame for part in parts)
    if extras.frames:
        frame = frame.hstack(pl.concat(extras.frames))
    _check_something(frame, parts, redacted(uri), named=bool(options.value))
    notes = dict.fromkeys([*found.notes, *(note for part in parts for note in part.notes), *extras.notes])
    return RawSource(
        frame.sort("unique_id", "ds", "source_row"),
        tuple(notes),
        tuple(found.files),
        tuple(part.roles for part in parts),
        tuple(part.notation for part in parts),
        tuple(table.name for table in found.tables),
        tuple(dict.fromkeys(text for part in parts for text in part.numbers)),
    )


def _group(table: Table, part: _Part) -> Group:
    after_files = part.roles.id is None and not part.roles.wide
    return Group(table.name, part.roles, frozenset(part.frame["unique_id"].unique()) if after_files else None)


def _check_something(frame: pl.DataFrame, parts: list[_Part], uri: str, *, named: bool) -> None:
    roles = parts[0].roles
    if not frame["ds"].count():
        raise InputError(
            f"no time in column '{roles.time.column}' of '{uri}' can be parsed; "
            f"it holds {_examples(frame['ds_text'])}. "
            "Name another column with --time, or the format with --time-format."
        )
    nothing = not frame["y_text"].count()
    if not frame["y"].count() and not (named and nothing):
        what = "any series column" if roles.wide else f"column '{roles.values[0].column}'"
        raise InputError(
            f"there is no number in {what} of '{uri}'; it holds {_examples(frame['y_text'])}. "
            f"{_way_to_values(roles, named=named, nothing=nothing)}"
        )


def _way_to_values(roles: Roles, *, named: bool, nothing: bool) -> str:
    if roles.wide:
        return "Leave --wide out and name the value column with --value."
    if named:
        return "Name another column with --value, or the sign in its numbers with --decimal."
    if nothing:
        column = roles.values[0].column
        return f"Name another column with --value, or this one, --value {column}, if its values are withdrawn."
    return "Name the value column with --value."


def _examples(texts: pl.Series) -> str:
    shown = texts.drop_nulls().unique(maintain_order=True).head(3)
    return ", ".join(f"'{text}'" for text in shown) or "only missing values"


def _read_table(table: Table, options: SourceOptions) -> _Part:
    frame = table.frame
    roles = find_roles(frame.select(*table.header, *table.folders), options, table.name, table.folders)
    notes = list(roles.notes)
    ids = _ids(frame, roles)
    column = frame[roles.time.column]
    times = parse_times(column, time_format=options.time_format)
    instants = to_instants(times, ids, present(column).is_null(), options.zone)
    notes += _said(times, instants, options.zone)
    if roles.id is None and not roles.wide:
        named = ", ".join(ids.unique().sort().head(5))
        notes.append(f"no id column: the series is named after its {table.kind} ({named})")
    base = pl.DataFrame(
        {
            "unique_id": ids,
            "ds": instants.ds,
            "available_at": _available_at(frame, instants.ds, ids, options, wanted=roles.available_at),
            ROW: frame[ROW],
            "ds_text": column.cast(pl.String).set(instants.ds.is_not_null(), None),
            "ds_reason": instants.reason,
        }
    )
    if OVERFLOW in frame.columns:
        long = frame[OVERFLOW].is_not_null()
        notes.append(f"{long.sum()} rows have more fields than the header and are refused")
        # Which of their fields is which cannot be known.
        base = _refuse(base, long, column.cast(pl.String), SURPLUS)
    if BROKEN in frame.columns:
        base = _refuse(base, frame[BROKEN].is_not_null(), frame[BROKEN], UNREADABLE)
    numbers: list[str] = []
    values = _with_values(base, table, roles, options.decimal, numbers)
    return _Part(values, roles, times.notation, [*notes, *numbers], numbers)


def _with_values(base: pl.DataFrame, table: Table, roles: Roles, decimal: str, notes: list[str]) -> pl.DataFrame:
    """Set the values beside their times: the one column of a long source, or a wide one's columns below one another."""
    columns = []
    for role in roles.values:
        parts = _numbers(table, role.column, decimal)
        if not decimal:
            notes += _said_of_numbers(parts, role.column, table)
        columns.append(
            base.with_columns(
                pl.lit(role.column).alias("unique_id") if roles.wide else pl.col("unique_id"),
                pl.concat([part.y for part in parts]).alias("y"),
                pl.concat([part.refused for part in parts]).alias("y_text"),
            )
        )
    return pl.concat(columns).select(RAW_SCHEMA.keys()).cast(pl.Schema(RAW_SCHEMA))


def _numbers(table: Table, column: str, decimal: str) -> list[Numbers]:
    if decimal:
        return [parse_numbers(table.frame[column], decimal)]
    return parse_numbers_of_files(table.frame[column], table.lengths)


def _said_of_numbers(parts: list[Numbers], column: str, table: Table) -> list[str]:
    """Say how numbers are written where that is not the usual way, and that files differ."""
    found = {part.notation for part in parts}
    notes = [text for notation, text in NOTATIONS.items() if notation in found]
    if len(found) > 1:
        signs = "; ".join(f"{each} in {sum(part.notation == each for part in parts)}" for each in sorted(found))
        notes.append(
            f"column '{column}' of {table.name} is written in several ways, each file read by its own: {signs}"
        )
    return notes


def _ids(frame: pl.DataFrame, roles: Roles) -> pl.Series:
    if roles.id is None:
        return frame[FILE].alias("unique_id")
    text = frame[roles.id.column].cast(pl.String).str.strip_chars()
    return text.set(text == "", None).alias("unique_id")


def _available_at(
    frame: pl.DataFrame, ds: pl.Series, ids: pl.Series, options: SourceOptions, *, wanted: bool
) -> pl.Series:
    """Take the column `available_at` where there is one; a row without it was known at its own time."""
    if not wanted:
        return ds.alias(AVAILABLE_AT)
    column = frame[AVAILABLE_AT]
    known = to_instants(parse_times(column), ids, present(column).is_null(), options.zone).ds
    return known.zip_with(known.is_not_null(), ds).alias(AVAILABLE_AT)


def _said(times: LocalTimes, instants: Instants, zone: str) -> list[str]:
    typed = times.notation.startswith("typed")
    notes = [f"times are {times.notation}" if typed else f"times are written as {times.notation}"]
    if times.evidence:
        notes.append(times.evidence)
    if (times.local.is_not_null() & times.offset.is_null()).any():
        notes.append(f"times without an offset are taken in zone {zone}")
    if instants.doubled:
        notes.append(
            f"{instants.doubled} rows lie in an hour that a clock change in {zone} repeats; "
            "the first of two is taken in summer time, the second in winter time"
        )
    return notes


def _refuse(base: pl.DataFrame, rows: pl.Series, text: pl.Series, reason: str) -> pl.DataFrame:
    """Take the times from rows that cannot be used, and keep their text and why."""
    return base.with_columns(
        base["ds"].set(rows, None),
        base["available_at"].set(rows, None),
        base["ds_text"].zip_with(~rows, text),
        base["ds_reason"].set(rows, reason),
    )
