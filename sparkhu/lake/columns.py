"""Types of columns by name, as manifests write them, and how a table's columns grow with what is appended."""

import re
from collections.abc import Mapping

import polars as pl

from sparkhu.errors import InputError, SparkhuError

_PLAIN: dict[str, pl.DataType] = {
    str(dtype): dtype
    for dtype in (
        *(pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()),
        *(pl.Float32(), pl.Float64(), pl.Boolean(), pl.String(), pl.Date(), pl.Binary()),
    )
}
_TIME = re.compile(r"Datetime\[(?P<unit>ms|us|ns)(?:, (?P<zone>[\w/+-]+))?\]")
_DURATION = re.compile(r"Duration\[(?P<unit>ms|us|ns)\]")
_LIST = re.compile(r"List\[(?P<inner>.+)\]")


def type_name(dtype: pl.DataType, column: str) -> str:
    """Name a type for a manifest, such as `Float64`, `Datetime[us, UTC]` or `List[Int64]`.

    Raises:
        InputError: Tables have no columns of that type.
    """
    if str(dtype) in _PLAIN:
        return str(dtype)
    if isinstance(dtype, pl.Datetime):
        return f"Datetime[{dtype.time_unit}{', ' + dtype.time_zone if dtype.time_zone else ''}]"
    if isinstance(dtype, pl.Duration):
        return f"Duration[{dtype.time_unit}]"
    if isinstance(dtype, pl.List):
        return f"List[{type_name(dtype.inner, column)}]"  # type: ignore[arg-type]
    raise InputError(f"column '{column}' has type {dtype}, which the lake does not keep. Cast or drop it first.")


def type_of(name: str) -> pl.DataType:
    """Give the type that a manifest names.

    Raises:
        SparkhuError: It is none that `type_name` gives.
    """
    if name in _PLAIN:
        return _PLAIN[name]
    if match := _TIME.fullmatch(name):
        return pl.Datetime(match["unit"], match["zone"])  # type: ignore[arg-type]
    if match := _DURATION.fullmatch(name):
        return pl.Duration(match["unit"])  # type: ignore[arg-type]
    if match := _LIST.fullmatch(name):
        return pl.List(type_of(match["inner"]))
    raise SparkhuError(f"a manifest names the type '{name}', which this version of Sparkhu does not know.")


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Bring a frame to types that tables keep: categories become text; a column of nothing but null is left out."""
    empty = [name for name, dtype in frame.schema.items() if dtype == pl.Null]
    text = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Categorical | pl.Enum)]
    return frame.drop(empty).with_columns(pl.col(text).cast(pl.String))


def joined_columns(table: str, known: Mapping[str, pl.DataType], new: Mapping[str, pl.DataType]) -> pl.Schema:
    """Join the columns of a table and of what is added: new ones behind, numbers wide enough for both.

    Raises:
        InputError: A column has two types that no number holds both of, such as text and number.
    """
    columns = dict(known)
    for name, dtype in new.items():
        there = columns.setdefault(name, dtype)
        if there != dtype:
            columns[name] = _wider(table, name, there, dtype)
    return pl.Schema(columns)


def _wider(table: str, name: str, there: pl.DataType, dtype: pl.DataType) -> pl.DataType:
    if there.is_integer() and dtype.is_integer() and there.is_signed_integer() == dtype.is_signed_integer():
        return max(there, dtype, key=lambda each: int(str(each).lstrip("UInt")))
    if there.is_numeric() and dtype.is_numeric():
        return pl.Float64()
    raise InputError(
        f"column '{name}' of the table '{table}' has type {there}, what is added has {dtype}. "
        "Cast or rename it in the source."
    )
