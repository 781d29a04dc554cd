"""Python values, as drivers and JSON give them, to typed columns."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

PLAIN: dict[type, pl.DataType] = {str: pl.String(), bool: pl.Boolean(), date: pl.Date()}
NUMBERS = frozenset({int, float, Decimal})
INT64 = 2**63


@dataclass(frozen=True)
class Kinds:
    """Which kinds of Python values a column holds; those of two stretches of it are merged by `|`.

    Attributes:
        types: Their types, `None` left out.
        large: A whole number does not fit into 64 bits.
        zoned: Of times, whether they have a zone.
    """

    types: frozenset[type] = frozenset()
    large: bool = False
    zoned: frozenset[bool] = frozenset()

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Kinds":
        """Look at values."""
        there = [value for value in values if value is not None]
        types = frozenset(map(type, there))
        large = types == {int} and not all(-INT64 <= value < INT64 for value in there)
        times = bool(types) and all(issubclass(kind, datetime) for kind in types)
        return cls(types, large, frozenset(value.tzinfo is not None for value in there) if times else frozenset())

    def __or__(self, other: "Kinds") -> "Kinds":
        return Kinds(self.types | other.types, self.large or other.large, self.zoned | other.zoned)

    @property
    def dtype(self) -> pl.DataType:
        """The type of a column that holds all of them."""
        if self.types and self.types <= NUMBERS:
            return pl.Int64() if self.types == {int} and not self.large else pl.Float64()
        if len(self.types) < 2 and self.types <= PLAIN.keys():
            return PLAIN[next(iter(self.types))] if self.types else pl.Null()
        if all(issubclass(kind, datetime) for kind in self.types) and len(self.zoned) == 1:
            return pl.Datetime("us", "UTC" if True in self.zoned else None)
        return pl.String()


def column_of(name: str, values: Sequence[Any], kinds: Kinds | None = None) -> pl.Series:
    """Make a column of one type out of Python values; null where a value is `None`.

    Whole numbers stay whole, other numbers (`Decimal` too) become float64, times get microseconds (UTC where they have
    a zone). What mixes kinds, or is of another kind, becomes text; lists and mappings become JSON.

    Args:
        name: Of the column.
        values: Its cells.
        kinds: What the whole column holds, where these are but a stretch of it.

    Example:
        >>> column_of("y", [Decimal("1.5"), None, 2]).to_list()
        [1.5, None, 2.0]
    """
    dtype = (kinds or Kinds.of(values)).dtype
    if dtype == pl.Float64:
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=dtype)
    if dtype == pl.String:
        return pl.Series(name, [None if value is None else _text(value) for value in values], dtype=dtype)
    return pl.Series(name, values, dtype=dtype)


def _text(value: Any) -> str:
    return json.dumps(value, default=str) if isinstance(value, dict | list | bool) else str(value)


def joint_schema(schemas: Sequence[Mapping[str, pl.DataType]]) -> dict[str, pl.DataType]:
    """Give each column of equally named ones a type that holds all of it.

    Whole and other numbers become float64, an empty column takes the other's type, any other mixture becomes text.
    """
    joint: dict[str, pl.DataType] = {}
    for name in schemas[0]:
        found = {schema[name] for schema in schemas} - {pl.Null()}
        if len(found) > 1:
            joint[name] = pl.Float64() if all(dtype.is_numeric() for dtype in found) else pl.String()
        else:
            joint[name] = next(iter(found), pl.String())
    return joint
