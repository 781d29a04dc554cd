"""The columns of metadata, and how they are recognised and read in a table as it was found."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.ids import series_names
from sparkhu.sources.values import parse_numbers, present

TEXTS = ("type", "unit", "group")
LIMITS = ("valid_min", "valid_max", "alert_low", "alert_high")
METADATA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    **dict.fromkeys(TEXTS, pl.String()),
    **dict.fromkeys(LIMITS, pl.Float64()),
}
"""One row a series: its kind, the unit of its values, the group it stands in, and its limits in that unit."""

ROW = "row"
"""Column beside `METADATA`: the row of the source, 1-based."""

NAMES: dict[str, tuple[str, ...]] = {
    "unique_id": ("id", "series", "series_id", "sensor", "sensor_id", "item_id", "product", "product_id", "tag"),
    "type": ("kind", "sensor_type", "product_type"),
    "unit": ("units", "uom"),
    "group": ("position", "cluster", "location", "site"),
    "valid_min": ("min_value", "range_min"),
    "valid_max": ("max_value", "range_max"),
    "alert_low": ("alert_min", "alarm_low", "low_alarm"),
    "alert_high": ("alert_max", "alarm_high", "high_alarm"),
}


NAME_IT = "Name it with --id of `sparkhu metadata sync`, or in a run with --set catalogue.id=COLUMN."
NEAR = 0.75


class Recognised(NamedTuple):
    """A table of metadata, read.

    Attributes:
        frame: `METADATA` and `row`, not yet checked.
        notes: What was found from the data rather than given.
        doubts: Columns left out whose names are nearly those of metadata that are not there.
    """

    frame: pl.DataFrame
    notes: list[str]
    doubts: list[str]


def no_metadata() -> pl.DataFrame:
    """Give the metadata of no series."""
    return pl.DataFrame(schema=METADATA)


def recognise(table: pl.DataFrame, rows: pl.Series, source: str, id_column: str = "") -> Recognised:
    """Take the columns of metadata from a table by their names, in either case; all but the id may be missing.

    A column has its own name (`METADATA`) or another that is usual for it (`NAMES`). Empty cells and words for a
    missing value are null.

    Args:
        table: The source's columns, text or typed.
        rows: The number of each row.
        source: How to call the source in messages.
        id_column: Column of the series' names; empty: found.

    Raises:
        InputError: No column or several could hold the series' names or one of the others, none beside the names is
            of metadata, a row names no series, or a limit is not a finite number.
    """
    taken = _taken(table.columns, source, id_column)
    ids = series_names(table[taken["unique_id"]])
    _check_ids(ids, rows, taken["unique_id"], source)
    _check_bytes(ids, taken["unique_id"], ids, source)
    columns = [ids]
    for name, dtype in METADATA.items():
        if name in TEXTS or name in LIMITS:
            column = table[taken[name]] if name in taken else pl.Series([None] * table.height, dtype=dtype)
            columns.append((_text if name in TEXTS else _limit)(column, ids, source).alias(name))
    frame = pl.DataFrame([*columns, rows.cast(pl.Int64).alias(ROW)])
    return Recognised(frame, _said(table.columns, taken), _doubts(table.columns, taken))


def _taken(columns: Sequence[str], source: str, id_column: str) -> dict[str, str]:
    """Choose the column of the source for each column of metadata that it has."""
    if id_column and id_column not in columns:
        raise InputError(
            f"{source} has no column '{id_column}' for the series' names; it has {_list(columns)}. {NAME_IT}"
        )
    taken = {"unique_id": id_column} if id_column else {}
    for name, usual in NAMES.items():
        rest = [column for column in columns if column not in taken.values()]
        exact = [column for column in rest if column == name] or [
            column for column in rest if column.strip().lower() == name
        ]
        found = exact or [column for column in rest if column.strip().lower() in usual]
        if name not in taken and len(found) > 1:
            way_out = NAME_IT if name == "unique_id" else f"Rename the right one to '{name}'."
            raise InputError(f"{source}: {_list(found)} could each be the {name} of a series. {way_out}")
        if name not in taken and found:
            taken[name] = found[0]
    if "unique_id" not in taken:
        raise InputError(
            f"{source} has no column with the series' names (unique_id, {', '.join(NAMES['unique_id'])}); "
            f"it has {_list(columns)}. {NAME_IT}"
        )
    if len(taken) == 1:
        raise InputError(
            f"{source} says nothing of the series beside their names: it has {_list(columns)}, and none of these is "
            f"{', '.join(list(NAMES)[1:])}. Rename a column to one of them, or name another source of metadata."
        )
    return taken


def _check_ids(ids: pl.Series, rows: pl.Series, column: str, source: str) -> None:
    missing = rows.filter(ids.is_null())
    if len(missing):
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"{source}: row {missing[0]}{more} names no series in column '{column}'. Name it or take the row out."
        )


def _text(column: pl.Series, ids: pl.Series, source: str) -> pl.Series:
    text = present(column)
    _check_bytes(text, column.name, ids, source)
    return text


def _check_bytes(text: pl.Series, column: str, ids: pl.Series, source: str) -> None:
    odd = ids.filter(text.str.contains("\0", literal=True).fill_null(value=False))
    if len(odd):
        raise InputError(
            f"{source}: series {odd[0]!r} has a zero byte in column '{column}', which no database keeps. Take it out."
        )


def _limit(column: pl.Series, ids: pl.Series, source: str) -> pl.Series:
    """Read a column of limits: finite numbers, null where there is none."""
    numbers = parse_numbers(column)
    wrong = numbers.refused.is_not_null()
    if wrong.any():
        series, text = ids.filter(wrong)[0], numbers.refused.filter(wrong)[0]
        infinite = pl.Series([text]).cast(pl.Float64, strict=False).is_infinite().fill_null(value=False)[0]
        what = "is no limit; leave it blank where there is none" if infinite else "is no number. Correct it"
        more = f" ({wrong.sum() - 1} more rows)" if wrong.sum() > 1 else ""
        raise InputError(f"{source}: {column.name} '{text}' of series '{series}' {what}.{more}")
    return numbers.y


def _said(columns: Sequence[str], taken: dict[str, str]) -> list[str]:
    renamed = [f"{name} is column '{column}'" for name, column in taken.items() if column != name]
    left_out = [column for column in columns if column not in taken.values()]
    notes = [f"metadata: {', '.join(renamed)}"] if renamed else []
    if left_out:
        notes.append(f"metadata: {_list(left_out)} left out")
    return notes


def _doubts(columns: Sequence[str], taken: dict[str, str]) -> list[str]:
    """Name columns left out that may be meant for metadata that are not there, such as `minimum_valid`."""
    open_ = {_words(usual): name for name in METADATA if name not in taken for usual in (name, *NAMES[name])}
    doubts = []
    for column in columns:
        near = [] if column in taken.values() else get_close_matches(_words(column), list(open_), 1, NEAR)
        if near:
            meant = open_[near[0]]
            doubts.append(f"metadata: column '{column}' does not count; did you mean '{meant}'? Rename it then")
    return doubts


def _words(name: str) -> str:
    """Give the words of a name in one order, so that `min_valid` is as near as can be to `valid_min`."""
    return " ".join(sorted(re.findall(r"[^\W_]+", name.lower())))


def _list(names: Sequence[str], shown: int = 12) -> str:
    listed = ", ".join(f"'{name}'" for name in names[:shown])
    return listed if len(names) <= shown else f"{listed} and {len(names) - shown} more"
