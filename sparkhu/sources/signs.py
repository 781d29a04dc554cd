"""What the cells of a column tell of the commas and points in its numbers."""

from typing import Literal, NamedTuple

import polars as pl

MISSING = ("", "na", "nan", "null", "none", "n/a")
DECIMAL_COMMA = r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$"
BY_THOUSANDS = r"^[+-]?\d{1,3}(?:,\d{3})+$"
BELOW_ONE = r"^[+-]?0,\d+$"
POINT_LAST = r"^[+-]?\d{1,3}(?:,\d{3})+\.\d+$"
COMMA_LAST = r"^[+-]?\d{1,3}(?:\.\d{3})+,\d+$"

Notation = Literal["1.5", "1,5", "1,234.5", "1.234,5"]


def present(column: pl.Series) -> pl.Series:
    """Give a column as trimmed text, null where it is empty or a word for a missing value (`MISSING`, any case)."""
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(MISSING), None)


def floats(text: pl.Series) -> pl.Series:
    """Read numbers with a decimal point; null where there is none."""
    return text.cast(pl.Float64, strict=False).fill_nan(None)


class Signs(NamedTuple):
    """What the commas and points of a stretch of a column are evidence for; stretches are merged by `merged`.

    Attributes:
        commas: Cells hold commas.
        points: Cells hold points.
        thousands: Cells such as 1,010 could be numbers with thousands.
        decimal: Cells such as 1,5 can only have a decimal comma.
        point_last: Cells such as 1,234.5.
        comma_last: Cells such as 1.234,5.
        with_comma: How many cells are numbers if a comma is decimal.
        without: How many cells are numbers as they stand.
        example: The first cell in which a comma may separate thousands.
    """

    commas: bool = False
    points: bool = False
    thousands: bool = False
    decimal: bool = False
    point_last: bool = False
    comma_last: bool = False
    with_comma: int = 0
    without: int = 0
    example: str = ""

    @classmethod
    def of(cls, text: pl.Series) -> "Signs":
        """Look at cells, as `present` gives them."""
        by_thousands, point_last = text.str.contains(BY_THOUSANDS), text.str.contains(POINT_LAST)
        thousands = by_thousands & ~text.str.contains(BELOW_ONE)
        comma = text.str.contains(DECIMAL_COMMA)
        return cls(
            commas=bool(text.str.contains(",", literal=True).any()),
            points=bool(text.str.contains(".", literal=True).any()),
            thousands=bool(thousands.any()),
            decimal=bool((comma & ~thousands).any()),
            point_last=bool(point_last.any()),
            comma_last=bool(text.str.contains(COMMA_LAST).any()),
            with_comma=int(comma.sum() or 0),
            without=floats(text).count(),
            example="".join(text.filter(by_thousands | point_last).head(1)),
        )

    def merged(self, other: "Signs") -> "Signs":
        """Add what stands behind."""
        return Signs(
            self.commas or other.commas,
            self.points or other.points,
            self.thousands or other.thousands,
            self.decimal or other.decimal,
            self.point_last or other.point_last,
            self.comma_last or other.comma_last,
            self.with_comma + other.with_comma,
            self.without + other.without,
            self.example or other.example,
        )

    @property
    def notation(self) -> Notation | None:
        """What commas and points are; null where that is left open or contradicted."""
        if not self.commas:
            return "1.5"
        if self.point_last:
            return None if self.decimal or self.comma_last else "1,234.5"
        if self.comma_last:
            return "1.234,5"
        if self.thousands and not self.decimal:
            return None
        return "1.5" if self.with_comma <= self.without or self.points else "1,5"
