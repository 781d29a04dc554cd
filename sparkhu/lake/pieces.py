"""Rows that a commit puts into a table, cut into the pieces that become files, of which few are in memory at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.lake.columns import plain
from sparkhu.lake.layout import MAY_BE_UNDATED, Layout, Piece, time_column

Key = tuple[str, int]
"""Partition and bucket."""


@dataclass(frozen=True)
class Extent:
    """How many rows a piece has, and the instants of the first and the last; null where they have none."""

    rows: int
    first: datetime | None
    last: datetime | None


class Pieces(Protocol):
    """Rows of a table by partition and bucket, wherever they lie meanwhile.

    Attributes:
        schema: Their columns.
        extents: What there is of each piece.
    """

    schema: pl.Schema
    extents: Mapping[Key, Extent]

    def read(self, key: Key) -> pl.DataFrame:
        """Give the rows of a piece."""
        ...


class KeptPieces:
    """Pieces in memory.

    Args:
        rows: Rows as `checked_rows` gives them.
        table: The table.
        layout: How it is cut.
    """

    def __init__(self, rows: pl.DataFrame, table: str, layout: Layout) -> None:
        pieces = list(layout.cut(rows, time_column(table)))
        self.schema = rows.schema
        self.extents: Mapping[Key, Extent] = {key_of(piece): extent_of(piece) for piece in pieces}
        self._rows = {key_of(piece): piece.rows for piece in pieces}

    def read(self, key: Key) -> pl.DataFrame:
        """Give the rows of a piece."""
        return self._rows[key]


def key_of(piece: Piece) -> Key:
    """Give the partition and bucket of a piece."""
    return piece.partition, piece.bucket


def extent_of(piece: Piece) -> Extent:
    """Tell what there is of a piece."""
    return Extent(piece.rows.height, piece.first, piece.last)


def cut_rows(table: str, rows: pl.DataFrame, layout: Layout) -> Iterator[Piece]:
    """Check rows and cut them into pieces; errors are those of `checked_rows`."""
    return layout.cut(checked_rows(table, rows), time_column(table))


def checked_rows(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Bring rows to types that tables keep.

    Raises:
        InputError: They lack a name or a time, or these have other types.
    """
    time = time_column(table)
    rows = plain(rows)
    for column, types in (("unique_id", (pl.String(),)), (time, (TIME, pl.Date()))):
        if column not in rows.columns:
            raise InputError(f"the rows of the table '{table}' lack the column '{column}', which every row must have.")
        if rows.schema[column] not in types:
            wanted = " or ".join(map(str, types))
            raise InputError(
                f"column '{column}' of the table '{table}' has type {rows.schema[column]}, expected {wanted}. Cast it."
            )
    for column in ("unique_id",) if table in MAY_BE_UNDATED else ("unique_id", time):
        if rows[column].null_count():
            raise InputError(f"{rows[column].null_count()} rows of the table '{table}' have no '{column}'. Give one.")
    return rows
