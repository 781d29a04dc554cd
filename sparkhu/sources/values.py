"""Numbers and missing values in text, parsed a column at a time."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

import polars as pl

from sparkhu.errors import InputError

MISSING = ("", "na", "nan", "null", "none", "n/a")
DECIMAL_COMMA = r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$"
BY_THOUSANDS = r"^[+-]?\d{1,3}(?:,\d{3})+$"
BELOW_ONE = r"^[+-]?0,\d+$"
POINT_LAST = r"^[+-]?\d{1,3}(?:,\d{3})+\.\d+$"
COMMA_LAST = r"^[+-]?\d{1,3}(?:\.\d{3})+,\d+$"

Notation = Literal["1.5", "1,5", "1,234.5", "1.234,5"]
STATED: dict[str, Notation] = {".": "1,234.5", ",": "1.234,5"}


class Numbers(NamedTuple):
    """A column of numbers.

    Attributes:
        y: Finite numbers; null where the source has a missing value or none that can be used.
        refused: The source's text where it is neither missing nor a finite number, else null.
        notation: What the column's commas and points are, shown by a number.
    """

    y: pl.Series
    refused: pl.Series
    notation: Notation = "1.5"


def present(column: pl.Series) -> pl.Series:
    """Give a column as trimmed text, null where it is empty or a word for a missing value (`MISSING`, any case)."""
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(MISSING), None)


def parse_numbers(column: pl.Series, decimal: str = "") -> Numbers:
    """Parse a column as finite float64.

    A text column is read with decimal points. Commas are decimal points for the whole column where no cell of it holds
    a point, and more cells read as numbers with a decimal comma than without. A cell with both, such as 1,234.5 or
    1.234,5, tells which of them separates thousands.

    Args:
        column: Text, or any numeric type; messages call it by its name.
        decimal: The decimal sign, `.` or `,`, where it is known; the other one then separates thousands.

    Raises:
        InputError: Every comma could be a decimal point or separate thousands, as in 1,010, or cells contradict each
            other.

    Example:
        >>> parse_numbers(pl.Series(["1.5", "NA", "inf", "x"])).refused.to_list()
        [None, None, 'inf', 'x']
    """
    if column.dtype.is_numeric():
        y = column.cast(pl.Float64).fill_nan(None)
        return _finite(y, y.cast(pl.String))
    text = present(column)
    notation = STATED[decimal] if decimal else _notation(text)
    if notation is None:
        example = text.filter(text.str.contains(BY_THOUSANDS) | text.str.contains(POINT_LAST))[0]
        raise InputError(
            f"column '{column.name}': the comma in '{example}' could be a decimal point or separate thousands, and no "
            "other value of the column tells which. Say which sign is the decimal one with --decimal . or --decimal ,"
        )
    return _finite(_floats(_with_points(text, notation)), text, notation)


def parse_numbers_of_files(column: pl.Series, lengths: Sequence[int]) -> list[Numbers]:
    """Parse a column that stands in several files, whose decimal signs may differ.

    The column is parsed as a whole (`parse_numbers`). Only where that leaves cells unread, or finds a contradiction,
    and every file alone tells its sign and more cells can be read so, each file is parsed by its own sign.

    Args:
        column: Text, or any numeric type.
        lengths: Rows of each file, in order.

    Returns:
        One for the whole column, or one a file.

    Raises:
        InputError: As `parse_numbers`.

    Example:
        >>> [part.y.to_list() for part in parse_numbers_of_files(pl.Series(["1,5", "2.5"]), [1, 1])]
        [[1.5], [2.5]]
    """
    if column.dtype.is_numeric() or len(lengths) < 2:
        return [parse_numbers(column)]
    text = present(column)
    notation = _notation(text)
    whole = None if notation is None else parse_numbers(column)
    if whole is not None and not whole.refused.count():
        return [whole]
    spans = [(end - length, length) for end, length in zip(accumulate(lengths), lengths, strict=True)]
    if all(_notation(text.slice(*span)) for span in spans):
        parts = [parse_numbers(column.slice(*span)) for span in spans]
        if whole is None or sum(part.refused.count() for part in parts) < whole.refused.count():
            return parts
    return [whole if whole is not None else parse_numbers(column)]


def _notation(text: pl.Series) -> Notation | None:
    """Tell from all cells what commas and points are; null where they leave it open or contradict each other."""
    if not text.str.contains(",", literal=True).any():
        return "1.5"
    could_be_thousands = text.str.contains(BY_THOUSANDS) & ~text.str.contains(BELOW_ONE)
    comma = text.str.contains(DECIMAL_COMMA)
    decimal_comma = bool((comma & ~could_be_thousands).any())
    if text.str.contains(POINT_LAST).any():
        contradicted = decimal_comma or text.str.contains(COMMA_LAST).any()
        return None if contradicted else "1,234.5"
    if text.str.contains(COMMA_LAST).any():
        return "1.234,5"
    if could_be_thousands.any() and not decimal_comma:
        return None
    mostly_without = (comma.sum() or 0) <= _floats(text).count()
    return "1.5" if mostly_without or text.str.contains(".", literal=True).any() else "1,5"


def _with_points(text: pl.Series, notation: Notation) -> pl.Series:
    """Write numbers with a decimal point and nothing between thousands; what does not follow `notation` is null."""
    if notation == "1.5":
        return text
    if notation == "1,5":
        return text.str.replace(",", ".", literal=True)
    if notation == "1,234.5":
        grouped = text.str.contains(BY_THOUSANDS) | text.str.contains(POINT_LAST)
        return text.str.replace_all(",", "", literal=True).zip_with(grouped.fill_null(value=False), text)
    swapped = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    odd_points = text.str.contains(".", literal=True) & ~text.str.contains(r"^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?$")
    return swapped.set(odd_points, None)


def _floats(text: pl.Series) -> pl.Series:
    return text.cast(pl.Float64, strict=False).fill_nan(None)


def _finite(y: pl.Series, text: pl.Series, notation: Notation = "1.5") -> Numbers:
    finite = y.set(y.is_infinite(), None)
    return Numbers(finite, text.set(finite.is_not_null(), None), notation)


def share_of_numbers(column: pl.Series, decimal: str = "") -> float:
    """Tell which share of the cells that are not missing holds a finite number (0 where all are missing).

    Where commas leave open what they are, either reading counts: the column is one of numbers all the same.
    """
    if column.dtype.is_numeric():
        return 1.0 if column.count() else 0.0
    filled = present(column).drop_nulls()
    notation = STATED[decimal] if decimal else _notation(filled) or "1,234.5"
    numbers = _finite(_floats(_with_points(filled, notation)), filled)
    readable = numbers.y.is_not_null()
    if not decimal:
        # Of two files one may have decimal commas and the other points.
        readable |= filled.str.contains(DECIMAL_COMMA)
    return int(readable.sum()) / len(filled) if len(filled) else 0.0
