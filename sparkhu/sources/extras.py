"""Further columns of a source that travel along with the values: prices, volumes, categories, switches."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.columns import AVAILABLE_AT, UNNAMED, Roles, about_missing
from sparkhu.sources.options import ALL, SourceOptions
from sparkhu.sources.tables import Table
from sparkhu.sources.values import parse_numbers, present, share_of_numbers

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


class Extras(NamedTuple):
    """The extra columns of a source.

    Attributes:
        frames: A frame a table with equal columns and types, row by row beside the table.
        notes: What was found or left empty.
    """

    frames: list[pl.DataFrame]
    notes: list[str]


def read_extras(tables: Sequence[Table], roles: Sequence[Roles], options: SourceOptions) -> Extras:
    """Read the columns that `options.extra` names, each with one type over all tables.

    Numbers become float64 by the parser of the values; a cell of a numeric column that is no number becomes null and is
    counted. `true` and `false` become booleans. Everything else becomes text. A table that lacks a column has nulls.

    Args:
        tables: The tables of the source.
        roles: What their columns are, a table each.
        options: Names in `extra`, with commas between them, or `all`; the decimal sign.

    Raises:
        InputError: No table has a column, or its name is one that Sparkhu itself writes.
    """
    names = _names(tables, roles, options)
    notes: list[str] = []
    columns: dict[str, list[pl.Series]] = {}
    for name in names:
        found = [_column(table, name) for table in tables]
        heights = [table.frame.height for table in tables]
        columns[name] = _typed(name, found, heights, options.decimal, notes)
        lacking = [table.name for table, column in zip(tables, found, strict=True) if column is None]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            notes.append(f"extra column '{name}' is missing in {lacking[0]}{more} and empty there")
    if options.extra.strip() == ALL:
        notes.append(f"extra columns: {', '.join(names) or 'there is none'}")
    frames = [pl.DataFrame([columns[name][index] for name in names]) for index in range(len(tables))]
    return Extras(frames, notes)


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
    return isinstance(table.frame.schema.get(name), pl.List | pl.Array | pl.Struct | pl.Binary | pl.Object)


def _check_free(name: str) -> None:
    if name in OURS or name.startswith(BEGINNINGS) or name.endswith("_available_at"):
        raise InputError(
            f"--extra '{name}' has a name that Sparkhu gives to a column of its own. Rename it in the source (for a "
            f"database: --query 'SELECT {name} AS source_{name.lstrip('_')} …'), or leave it out of --extra."
        )


def _column(table: Table, name: str) -> pl.Series | None:
    return table.frame[name] if name in (*table.header, *table.folders) else None


def _typed(
    name: str, found: Sequence[pl.Series | None], heights: Sequence[int], decimal: str, notes: list[str]
) -> list[pl.Series]:
    """Give a column of every table the one type that fits all of them, nulls where a table lacks it."""
    kinds = {_kind(column, decimal) for column in found if column is not None} - {"nothing"}
    kind: Kind = "text" if len(kinds) > 1 else next(iter(kinds), "nothing")
    if len(kinds) > 1:
        notes.append(f"extra column '{name}' is of several types in the files of the source, so it is text")
    return [
        pl.Series(name, [None], dtype=TYPES[kind]).new_from_index(0, height)
        if column is None
        else _cast(column, kind, decimal, notes)
        for column, height in zip(found, heights, strict=True)
    ]


def _kind(column: pl.Series, decimal: str) -> Kind:
    if column.dtype.is_numeric():
        return "number"
    if column.dtype == pl.Boolean:
        return "boolean"
    if column.dtype not in (pl.String, pl.Null):
        return "text"
    filled = present(column).drop_nulls()
    if not len(filled):
        return "nothing"
    if filled.str.to_lowercase().is_in(SWITCHES).all():
        return "boolean"
    return "number" if share_of_numbers(column, decimal) > LIKELY else "text"


def _cast(column: pl.Series, kind: Kind, decimal: str, notes: list[str]) -> pl.Series:
    if kind == "number" and column.dtype != pl.Null:
        numbers = parse_numbers(column, decimal)
        refused = numbers.refused.drop_nulls()
        if len(refused):
            notes.append(
                f"extra column '{column.name}': {len(refused)} cells are no finite numbers and are left empty, the "
                f"first is '{refused[0]}'"
            )
        return numbers.y.alias(column.name)
    if kind == "boolean" and column.dtype == pl.String:
        return (present(column).str.to_lowercase() == "true").alias(column.name)
    return column if kind == "boolean" else present(column).cast(TYPES[kind]).alias(column.name)
