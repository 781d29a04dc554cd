"""What the cells of an id column call their series."""

import polars as pl

EXACT = 2.0**63
"""Floats below it that are whole are 64-bit integers."""


def series_names(column: pl.Series) -> pl.Series:
    """Write ids as trimmed text, null where there is none.

    A whole number has no decimal point, whatever its type: a column of integers becomes one of floats in the file in
    which a cell is missing, and the series stays the same. Text is taken as it is written.

    Example:
        >>> series_names(pl.Series([1.0, 2.5, None])).to_list()
        ['1', '2.5', None]
    """
    text = column.cast(pl.String).str.strip_chars()
    if column.dtype.is_float() or column.dtype.is_decimal():
        numbers = column.cast(pl.Float64)
        whole = (numbers.floor() == numbers) & (numbers.abs() < EXACT)
        text = column.set(~whole, None).cast(pl.Int64).cast(pl.String).zip_with(whole.fill_null(value=False), text)
    return text.set(text == "", None).alias("unique_id")
