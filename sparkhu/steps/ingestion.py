"""Ingest: which series make a shard, and which rows go to which."""

from collections.abc import Sequence
from itertools import accumulate

import polars as pl

from sparkhu.errors import InputError

ROWS_PER_SHARD = 1_000_000


def shard_bounds(lengths: Sequence[int], rows_per_shard: int = ROWS_PER_SHARD) -> list[tuple[int, int]]:
    """Group series into shards by their row counts alone, so that equal counts always give equal shards.

    Series are taken in order; a shard ends before the series that would carry it beyond `rows_per_shard`. A series
    longer than that is a shard of its own. No series at all give one empty shard.

    Args:
        lengths: Rows of each series, in order.
        rows_per_shard: Largest number of rows in a shard of more than one series.

    Returns:
        `(offset, rows)` of each shard.

    Raises:
        InputError: `rows_per_shard` is not positive.

    Example:
        >>> shard_bounds([3, 3, 5, 1], rows_per_shard=6)
        [(0, 6), (6, 6)]
    """
    if rows_per_shard < 1:
        raise InputError(f"rows_per_shard must be positive, got {rows_per_shard}")
    bounds: list[tuple[int, int]] = []
    offset = rows = 0
    for length in lengths:
        if rows and rows + length > rows_per_shard:
            bounds.append((offset, rows))
            offset, rows = offset + rows, 0
        rows += length
    return [*bounds, (offset, rows)]


def shard_borders(series: pl.DataFrame, rows_per_shard: int = ROWS_PER_SHARD) -> pl.Series:
    """Tell with which series each shard begins, but the first, which begins with whatever comes first.

    Args:
        series: `unique_id, rows`, sorted as a frame is, rows without a series first.
        rows_per_shard: Largest number of rows in a shard of more than one series.

    Raises:
        InputError: `rows_per_shard` is not positive.

    Example:
        >>> shard_borders(pl.DataFrame({"unique_id": ["a", "b", "c"], "rows": [3, 3, 5]}), 6).to_list()
        ['c']
    """
    offsets = [offset for offset, _ in shard_bounds(series["rows"].to_list(), rows_per_shard)]
    starts = series["rows"].cum_sum() - series["rows"]
    return series["unique_id"].gather(starts.search_sorted(pl.Series(offsets[1:], dtype=pl.Int64)))


def by_shard(rows: pl.DataFrame, borders: pl.Series) -> list[pl.DataFrame]:
    """Part rows in any order by the shards that their series belong to.

    Args:
        rows: A frame with `unique_id`; null is a series too, the first.
        borders: As `shard_borders` gives them.

    Returns:
        A frame a shard, with its rows in the order that they had.
    """
    shards = len(borders) + 1
    ids = rows["unique_id"]
    number = borders.search_sorted(ids.fill_null(""), side="right").set(ids.is_null(), 0)
    placed = rows.with_columns(__shard__=number).sort("__shard__", maintain_order=True)
    counts = dict(number.value_counts().rows())
    lengths = [counts.get(shard, 0) for shard in range(shards)]
    starts = accumulate(lengths, initial=0)
    placed = placed.drop("__shard__")
    return [placed.slice(start, length) for start, length in zip(starts, lengths, strict=False)]
