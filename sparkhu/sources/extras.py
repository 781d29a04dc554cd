"""Further columns of a source that travel along with the values: prices, volumes, categories, switches."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.columns import AVAILABLE_AT, UNNAMED, Roles, about_missing
from sparkhu.sources.options import ALL, SourceOptions
from sparkhu.sources.parts import Column
from sparkhu.sources.tables import Table
from sparkhu.sources.values import Notation, find_notation, present, read_numbers, share_of_numbers

Kind = Literal["nothing", "number", "boolean", "text"]

SWITCHES = ("true", "false")
LIKELY = 0.5
OURS = frozenset(
    {
        *("unique_id", "ds", "y", "y_raw", "available_at", "source_row", "ds_text", "y_text", "ds_reason", "reason"),
        *("needs_fill", "fill_strategy", "anomaly_strategy", "anomaly_score", "handled", "filled"),
        *("trend", "seasonal", "resid", "mean", "median", "mode", "last", "next", "linear", "spline"),
        *("moving_average", "drop", "leave", "clip", "ema", "ema_flagged", "seasonal_mean"),
        *("count", "missing", "unmarked", "values", "volume_of_y", "volume_of_y_raw"),
    }
)
BEGINNINGS = ("is_", "_", "values_of_")
TYPES: dict[Kind, pl.DataType] = {
    "nothing": pl.String(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "text": pl.String(),
}


class ExtraReading(NamedTuple):
    """How an extra column of a table is read.

    Attributes:
        name: Its name.
        kind: What it holds in all tables together.
        there: The table has it.
        mixed: It is text because the tables differ.
        notation: Of numbers in text, what its commas and points are.
    """

    name: str
    kind: Kind
    there: bool
    mixed: bool = False
    notation: Notation = "1.5"


class Extra(NamedTuple):
    """An extra column of a stretch of rows.

    Attributes:
        column: Its cells.
        refused: How many cells of a numeric column are no finite numbers.
        example: The first of them.
    """

    column: pl.Series
    refused: int = 0
    example: str = ""

    def merged(self, other: "Extra") -> "Extra":
        """Count what stands behind; of cells there are none."""
        return Extra(self.column.clear(), self.refused + other.refused, self.example or other.example)


def find_extras(tables: Sequence[Table], roles: Sequence[Roles], options: SourceOptions) -> list[list[ExtraReading]]:
    """Find how the columns that `options.extra` names are read, each with one type over all tables.

    Numbers become float64 by the parser of the values; a cell of a numeric column that is no number becomes null and is
    counted. `true` and `false` become booleans. Everything else becomes text. A table that lacks a column has nulls.

    Args:
        tables: The tables of the source.
        roles: What their columns are, a table each.
        options: Names in `extra`, with commas between them, or `all`; the decimal sign.

    Returns:
        A list a table, all with the same columns.

    Raises:
        InputError: No table has a column, its name is one that Sparkhu itself writes, or its numbers cannot be told.
    """
    readings: list[list[ExtraReading]] = [[] for _ in tables]
    for name in _names(tables, roles, options):
        found = [_column(table, name) for table in tables]
        kinds = {_kind(column, options.decimal) for column in found if column is not None} - {"nothing"}
        kind: Kind = "text" if len(kinds) > 1 else next(iter(kinds), "nothing")
        for reading, column in zip(readings, found, strict=True):
            notation: Notation = "1.5"
            if column is not None and kind == "number" and column.dtype != pl.Null:
                notation = find_notation(column, options.decimal)
            reading.append(ExtraReading(name, kind, column is not None, len(kinds) > 1, notation))
    return readings


def read_extra(frame: pl.DataFrame, reading: ExtraReading) -> Extra:
    """Read an extra column of some rows of a table."""
    if not reading.there:
        return Extra(pl.repeat(None, frame.height, dtype=TYPES[reading.kind], eager=True).alias(reading.name))
    column, kind = frame[reading.name], reading.kind
    if kind == "number" and column.dtype != pl.Null:
        numbers = read_numbers(column, reading.notation)
        refused = numbers.refused.drop_nulls()
        return Extra(numbers.y.alias(reading.name), len(refused), "".join(refused.head(1)))
    if kind == "boolean" and column.dtype == pl.String:
        return Extra((present(column).str.to_lowercase() == "true").alias(reading.name))
    return Extra(column if kind == "boolean" else present(column).cast(TYPES[kind]).alias(reading.name))


def notes_of_extras(
    tables: Sequence[Table], readings: Sequence[Sequence[ExtraReading]], read: Sequence[Sequence[Extra]], *, every: bool
) -> list[str]:
    """Say what was found of the extra columns, or left empty.

    Args:
        tables: The tables of the source.
        readings: How their columns are read, a table each.
        read: What became of them, a table each.
        every: All columns are wanted, so that they are listed.
    """
    notes: list[str] = []
    names = [reading.name for reading in readings[0]]
    for name, ways, found in zip(names, zip(*readings, strict=True), zip(*read, strict=True), strict=True):
        if ways[0].mixed:
            notes.append(f"extra column '{name}' is of several types in the files of the source, so it is text")
        notes += [
            f"extra column '{name}': {each.refused} cells are no finite numbers and are left empty, the first is "
            f"'{each.example}'"
            for each in found
            if each.refused
        ]
        lacking = [table.name for table, way in zip(tables, ways, strict=True) if not way.there]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            notes.append(f"extra column '{name}' is missing in {lacking[0]}{more} and empty there")
    return [*notes, f"extra columns: {', '.join(names) or 'there is none'}"] if every else notes


def _names(tables: Sequence[Table], roles: Sequence[Roles], options: SourceOptions) -> tuple[str, ...]:
    taken = {name for each in roles for name in _taken(each)}
    if options.extra.strip() == ALL:
        every = dict.fromkeys(name for table in tables for name in table.header)
        names = [name for name in every if name not in taken and not UNNAMED.fullmatch(name)]
        names = [name for name in names if not any(_is_nested(table, name) for table in tables)]
    else:
        names = list(options.extra_names)
    for name in names:
        _check_free(name)
        _check_there(name, tables, taken)
    return tuple(names)


def _taken(roles: Roles) -> tuple[str, ...]:
    known = (AVAILABLE_AT,) if roles.available_at else ()
    return (
        roles.time.column,
        *(role.column for role in roles.values),
        *([roles.id.column] if roles.id else ()),
        *known,
    )


def _check_there(name: str, tables: Sequence[Table], taken: set[str]) -> None:
    if name in taken and name != AVAILABLE_AT:
        raise InputError(f"--extra '{name}' is read already, as time, value or id. Leave it out of --extra.")
    if not any(name in (*table.header, *table.folders) for table in tables):
        columns = list(dict.fromkeys(column for table in tables for column in (*table.header, *table.folders)))
        raise InputError(about_missing(columns, name, "--extra", tables[0].name))
    if any(_is_nested(table, name) for table in tables):
        raise InputError(f"--extra '{name}' holds lists, which cannot travel along. Name columns of plain values.")


def _is_nested(table: Table, name: str) -> bool:
    return isinstance(table.schema.get(name), pl.List | pl.Array | pl.Struct | pl.Binary | pl.Object)


def _check_free(name: str) -> None:
    if name in OURS or name.startswith(BEGINNINGS) or name.endswith("_available_at"):
        raise InputError(
            f"--extra '{name}' has a name that Sparkhu gives to a column of its own. Rename it in the source (for a "
            f"database: --query 'SELECT {name} AS source_{name.lstrip('_')} …'), or leave it out of --extra."
        )


def _column(table: Table, name: str) -> Column | None:
    return table.column(name) if name in (*table.header, *table.folders) else None


def _kind(column: Column, decimal: str) -> Kind:
    if column.dtype.is_numeric():
        return "number"
    if column.dtype == pl.Boolean:
        return "boolean"
    if column.dtype not in (pl.String, pl.Null):
        return "text"
    filled, switches = False, True
    for part in column.scan():
        cells = present(part).drop_nulls()
        filled |= len(cells) > 0
        switches = switches and bool(cells.str.to_lowercase().is_in(SWITCHES).all())
        if filled and not switches:
            break
    if not filled:
        return "nothing"
    if switches:
        return "boolean"
    return "number" if share_of_numbers(column, decimal) > LIKELY else "text"
