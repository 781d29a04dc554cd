"""Categories: how often each value of a column of words occurs in each series."""

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import accepts_pandas, check_frame, extra_columns

CATEGORIES: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "column": pl.String(),
    "category": pl.String(),
    "count": pl.Int64(),
    "share": pl.Float64(),
}


def count_categories(frame: pl.DataFrame) -> pl.DataFrame:
    """Count the categories of all columns of the source that hold words or yes and no.

    Args:
        frame: Observation frame; text, categorical and boolean columns beside the observations' own are counted.

    Returns:
        `unique_id`, `column`, `category` (as text), `count`, `share` of the series' rows with a category; by series,
        then in the order of the columns, the most frequent category first.
    """
    words = [name for name in extra_columns(frame) if _holds_words(frame.schema[name])]
    tables = [pl.DataFrame(schema=CATEGORIES)]
    for name in words:
        counted = category_shares(frame.select("unique_id", category=name), "category")
        tables.append(counted.with_columns(pl.col("category").cast(pl.String), column=pl.lit(name)))
    return pl.concat(table.select(CATEGORIES.keys()) for table in tables).sort("unique_id", maintain_order=True)


def _holds_words(dtype: pl.DataType) -> bool:
    return dtype.base_type() in {pl.String, pl.Categorical, pl.Enum, pl.Boolean}


@accepts_pandas
def category_shares(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Count how often each category of a column occurs in each series.

    Args:
        frame: Frame with `unique_id` and the column, of text, categories, booleans or whole numbers.
        column: Name of the column.

    Returns:
        `unique_id`, the column, `count`, `share` of the series' rows with a category; by series, the most frequent
        first, equal ones in the order of the categories' text. Rows without a category are left out.

    Raises:
        InputError: The column is missing or holds fractions or times.

    Example:
        >>> category_shares(frame, "weather").filter(pl.col("share") > 0.5)
    """
    check_frame(frame, "unique_id", column)
    dtype = frame.schema[column]
    if dtype.is_float() or dtype.is_temporal() or dtype.is_nested():
        raise InputError(f"column '{column}' has type {dtype}, expected text, categories, booleans or whole numbers")
    counted = frame.drop_nulls(column).group_by("unique_id", column).agg(count=pl.len().cast(pl.Int64))
    counted = counted.with_columns(share=pl.col("count") / pl.col("count").sum().over("unique_id"))
    by = ["unique_id", -pl.col("count"), pl.col(column).cast(pl.String)]
    return counted.sort(by).select("unique_id", column, "count", "share")
