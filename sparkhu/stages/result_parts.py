"""A table of a results folder, read a part at a time: whole series, as the shards of the run were."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow.parquet as pq


class _Part(NamedTuple):
    """Rows of a file that follow one another, and the first and last of the series among them."""

    start: int
    rows: int
    first: str
    last: str


class ResultParts:
    """A Parquet file of rows sorted by series, in parts of whole series.

    A part is a group of rows as they were written, which is a shard of the run; a series is never split, so that one
    which is larger than a group makes several groups a part.

    Args:
        path: The file.
        start: First instant of the rows that count, by the column `time`; null: all.
        end: Their end, which does not belong to them.
        time: The column that dates the rows.
    """

    def __init__(
        self, path: Path, start: datetime | None = None, end: datetime | None = None, time: str = "ds"
    ) -> None:
        self._scan = pl.scan_parquet(path)
        self._within: Sequence[pl.Expr] = [
            condition
            for limit, condition in ((start, pl.col(time) >= pl.lit(start)), (end, pl.col(time) < pl.lit(end)))
            if limit is not None
        ]
        self._parts = _whole_series(self._scan, _groups(path))

    @property
    def borders(self) -> pl.Series:
        """The series with which each part but the first begins."""
        return pl.Series([part.first for part in self._parts[1:]], dtype=pl.String)

    def read(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Give the rows, part by part; at least one part, which may be empty.

        Args:
            columns: The columns; null: all.
        """
        for part in self._parts:
            rows = self._scan.slice(part.start, part.rows).filter(*self._within)
            yield (rows if columns is None else rows.select(columns)).collect()

    def range(self, column: str) -> tuple[Any, Any]:
        """Give the least and the largest value of a column; null where there is none."""
        found = [part.select(pl.col(column).min(), last=pl.col(column).max()).row(0) for part in self.read([column])]
        values = [value for pair in found for value in pair if value is not None]
        return min(values, default=None), max(values, default=None)


def _groups(path: Path) -> list[tuple[int, int]]:
    """List where each group of rows begins and how many it has."""
    meta = pq.read_metadata(path)
    rows = [meta.row_group(number).num_rows for number in range(meta.num_row_groups)]
    return list(zip(accumulate(rows, initial=0), rows, strict=False))


def _whole_series(scan: pl.LazyFrame, groups: Sequence[tuple[int, int]]) -> list[_Part]:
    """Join groups of rows that have series in common, or are out of order."""
    parts: list[_Part] = []
    for start, rows in groups:
        if not rows:
            continue
        ids = scan.slice(start, rows).select(first=pl.col("unique_id").min(), last=pl.col("unique_id").max())
        part = _Part(start, rows, *ids.collect().row(0))
        while parts and part.first <= parts[-1].last:
            part = _joined(parts.pop(), part)
        parts.append(part)
    return parts or [_Part(0, 0, "", "")]


def _joined(one: _Part, other: _Part) -> _Part:
    return _Part(one.start, one.rows + other.rows, min(one.first, other.first), max(one.last, other.last))
