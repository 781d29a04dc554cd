"""Numbers and missing values in text, parsed a column at a time."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import accumulate
from typing import NamedTuple

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.parts import Column
from sparkhu.sources.signs import (
    BY_THOUSANDS,
    DECIMAL_COMMA,
    POINT_LAST,
    Notation,
    Signs,
    floats,
    present,
)

__all__ = [
    "Notation",
    "Numbers",
    "file_spans",
    "find_notation",
    "find_notations",
    "parse_numbers",
    "present",
    "read_numbers",
    "share_of_numbers",
]

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
    return read_numbers(column, find_notation(column, decimal))


def find_notation(column: pl.Series | Column, decimal: str = "") -> Notation:
    """Find from all cells of a column what its commas and points are.

    Raises:
        InputError: As `parse_numbers`.
    """
    column = Column.of(column)
    if column.dtype.is_numeric():
        return "1.5"
    if decimal:
        return STATED[decimal]
    signs = _signs(column)
    if signs.notation is None:
        raise InputError(
            f"column '{column.name}': the comma in '{signs.example}' could be a decimal point or separate thousands, "
            "and no other value of the column tells which. Say which sign is the decimal one with --decimal . or "
            "--decimal ,"
        )
    return signs.notation


def read_numbers(column: pl.Series, notation: Notation) -> Numbers:
    """Read a column, or a stretch of one, in the way that was found from all of it."""
    if column.dtype.is_numeric():
        y = column.cast(pl.Float64).fill_nan(None)
        return _finite(y, y.cast(pl.String))
    text = present(column)
    return _finite(floats(_with_points(text, notation)), text, notation)


def find_notations(column: pl.Series | Column, lengths: Sequence[int]) -> tuple[Notation, ...]:
    """Find what the commas and points of a column are that stands in several files, whose decimal signs may differ.

    What the column tells as a whole (`find_notation`) holds for all of it. Only where that leaves cells unread, or
    finds a contradiction, and every file alone tells its sign and more cells can be read so, each file has its own.

    Args:
        column: Text, or any numeric type.
        lengths: Rows of each file, in order.

    Returns:
        One for the whole column, or one a file.

    Raises:
        InputError: As `parse_numbers`.

    Example:
        >>> find_notations(pl.Series(["1,5", "2.5"]), [1, 1])
        ('1,5', '1.5')
    """
    column = Column.of(column)
    if column.dtype.is_numeric() or len(lengths) < 2 or not _has_commas(column):
        return (find_notation(column),)
    files = [Signs() for _ in lengths]
    for number, text in _by_file(column, lengths):
        files[number] = files[number].merged(Signs.of(present(text)))
    own = [signs.notation for signs in files]
    whole = _signs(column).notation
    if None in own or set(own) == {whole}:
        return (find_notation(column),)
    each = tuple(notation for notation in own if notation is not None)
    refused = {"whole": 0, "each": 0}
    for number, text in _by_file(column, lengths):
        refused["each"] += read_numbers(text, each[number]).refused.count()
        refused["whole"] += read_numbers(text, whole).refused.count() if whole else 0
    return each if whole is None or refused["each"] < refused["whole"] else (whole,)


def _spans(lengths: Sequence[int]) -> list[tuple[int, int]]:
    return [(end - length, length) for end, length in zip(accumulate(lengths), lengths, strict=True)]


def _by_file(column: Column, lengths: Sequence[int]) -> Iterator[tuple[int, pl.Series]]:
    """Give the stretches of a column that belong to one file each, with the file's number."""
    before = 0
    for part in column.scan():
        for number, first, length in file_spans(lengths, before, len(part)):
            yield number, part.slice(first, length)
        before += len(part)


def file_spans(lengths: Sequence[int], start: int, rows: int) -> list[tuple[int, int, int]]:
    """Find the files that rows `[start, start + rows)` come from.

    Returns:
        Number of each file, where its rows begin behind `start`, and how many they are.

    Example:
        >>> file_spans([3, 2, 4], start=2, rows=4)
        [(0, 0, 1), (1, 1, 2), (2, 3, 1)]
    """
    found = []
    for number, (first, length) in enumerate(_spans(lengths)):
        begin, end = max(first, start), min(first + length, start + rows)
        if begin < end:
            found.append((number, begin - start, end - begin))
    return found


def _has_commas(column: Column) -> bool:
    return column.once("commas", lambda: any(_holds_comma(part) for part in column.scan()))


def _holds_comma(part: pl.Series) -> bool:
    return bool(part.cast(pl.String).str.contains(",", literal=True).any())


def _signs(column: Column) -> Signs:
    """Merge the evidence of all parts; without any comma nothing else matters."""
    if not _has_commas(column):
        return Signs()
    return column.once("signs", lambda: reduce(Signs.merged, (Signs.of(present(part)) for part in column.scan())))


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


def _finite(y: pl.Series, text: pl.Series, notation: Notation = "1.5") -> Numbers:
    finite = y.set(y.is_infinite(), None)
    return Numbers(finite, text.set(finite.is_not_null(), None), notation)


def share_of_numbers(column: pl.Series | Column, decimal: str = "") -> float:
    """Tell which share of the cells that are not missing holds a finite number (0 where all are missing).

    Where commas leave open what they are, either reading counts: the column is one of numbers all the same.
    """
    column = Column.of(column)
    if column.dtype.is_numeric():
        return 1.0 if any(part.count() for part in column.scan()) else 0.0
    return column.once(("share of numbers", decimal), lambda: _share_of_numbers(column, decimal))


def _share_of_numbers(column: Column, decimal: str) -> float:
    notation = STATED[decimal] if decimal else _signs(column).notation or "1,234.5"
    count = filled = 0
    for part in column.scan():
        text = present(part).drop_nulls()
        readable = _finite(floats(_with_points(text, notation)), text).y.is_not_null()
        if not decimal:
            # Of two files one may have decimal commas and the other points.
            readable |= text.str.contains(DECIMAL_COMMA)
        count += int(readable.sum())
        filled += len(text)
    return count / filled if filled else 0.0
