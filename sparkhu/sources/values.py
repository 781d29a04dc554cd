"""Numbers and missing values in text, parsed a column at a time."""

from typing import NamedTuple

import polars as pl

MISSING = ("", "na", "nan", "null", "none", "n/a")
DECIMAL_COMMA = r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$"


class Numbers(NamedTuple):
    """A column of numbers.

    Attributes:
        y: Finite numbers; null where the source has a missing value or none that can be used.
        refused: The source's text where it is neither missing nor a finite number, else null.
        decimal_comma: Commas were read as decimal points.
    """

    y: pl.Series
    refused: pl.Series
    decimal_comma: bool = False


def present(column: pl.Series) -> pl.Series:
    """Give a column as trimmed text, null where it is empty or a word for a missing value (`MISSING`, any case)."""
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(MISSING), None)


def parse_numbers(column: pl.Series) -> Numbers:
    """Parse a column as finite float64.

    A text column is read with decimal points. Where no cell of it holds a point, and more cells read as numbers
    with a decimal comma than without, commas are decimal points for the whole column.

    Args:
        column: Text, or any numeric type.

    Example:
        >>> parse_numbers(pl.Series(["1.5", "NA", "inf", "x"])).refused.to_list()
        [None, None, 'inf', 'x']
    """
    if column.dtype.is_numeric():
        y = column.cast(pl.Float64).fill_nan(None)
        return _finite(y, y.cast(pl.String))
    text = present(column)
    y = _floats(text)
    comma = text.str.contains(DECIMAL_COMMA)
    if (comma.sum() or 0) <= y.count() or text.str.contains(".", literal=True).any():
        return _finite(y, text)
    with_points = _floats(text.str.replace(",", ".", literal=True))
    return _finite(with_points, text, decimal_comma=True)


def _floats(text: pl.Series) -> pl.Series:
    return text.cast(pl.Float64, strict=False).fill_nan(None)


def _finite(y: pl.Series, text: pl.Series, *, decimal_comma: bool = False) -> Numbers:
    finite = y.set(y.is_infinite(), None)
    return Numbers(finite, text.set(finite.is_not_null(), None), decimal_comma)


def share_of_numbers(column: pl.Series) -> float:
    """Tell which share of the cells that are not missing holds a finite number (0 where all are missing)."""
    if column.dtype.is_numeric():
        return 1.0 if column.count() else 0.0
    filled = present(column).drop_nulls()
    return parse_numbers(filled).y.count() / len(filled) if len(filled) else 0.0
