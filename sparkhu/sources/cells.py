"""Python values, as drivers and JSON give them, to typed columns."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

PLAIN: dict[type, pl.DataType] = {str: pl.String(), bool: pl.Boolean(), date: pl.Date()}
NUMBERS = frozenset({int, float, Decimal})
INT64 = 2**63


def column_of(name: str, values: Sequence[Any]) -> pl.Series:
    """Make a column of one type out of Python values; null where a value is `None`.

    Whole numbers stay whole, other numbers (`Decimal` too) become float64, times get microseconds (UTC where they have
    a zone). What mixes kinds, or is of another kind, becomes text; lists and mappings become JSON.

    Example:
        >>> column_of("y", [Decimal("1.5"), None, 2]).to_list()
        [1.5, None, 2.0]
    """
    kinds = {type(value) for value in values} - {type(None)}
    if kinds and kinds <= NUMBERS:
        return _numbers(name, values, kinds)
    if len(kinds) < 2 and kinds <= PLAIN.keys():
        return pl.Series(name, values, dtype=PLAIN[kinds.pop()] if kinds else pl.Null())
    if all(issubclass(kind, datetime) for kind in kinds):
        zoned = {value.tzinfo is not None for value in values if value is not None}
        if len(zoned) == 1:
            return pl.Series(name, values, dtype=pl.Datetime("us", "UTC" if zoned.pop() else None))
    return pl.Series(name, [None if value is None else _text(value) for value in values], dtype=pl.String())


def _text(value: Any) -> str:
    return json.dumps(value, default=str) if isinstance(value, dict | list | bool) else str(value)


def _numbers(name: str, values: Sequence[Any], kinds: set[type]) -> pl.Series:
    if kinds == {int} and all(value is None or -INT64 <= value < INT64 for value in values):
        return pl.Series(name, values, dtype=pl.Int64())
    return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64())


def stacked(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Set frames of equal columns below one another; a column that differs in type becomes one that holds all of it.

    Whole and other numbers become float64, an empty column takes the other's type, any other mixture becomes text.
    """
    frames = list(parts)
    types = {name: {frame.schema[name] for frame in frames} - {pl.Null()} for name in frames[0].columns}
    casts: dict[str, pl.DataType] = {}
    for name, found in types.items():
        if len(found) > 1:
            casts[name] = pl.Float64() if all(dtype.is_numeric() for dtype in found) else pl.String()
        else:
            casts[name] = next(iter(found), pl.String())
    return pl.concat(frame.cast(pl.Schema(casts)) for frame in frames)
