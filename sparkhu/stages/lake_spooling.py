"""Rows on their way from series to days: cut into the pieces of a lake, in scratch files until each piece is written.

Results hold whole series of all times, a lake is cut by time: one passes over into the other outside memory, as a
source does into shards.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from sparkhu.lake import Layout
from sparkhu.lake.pieces import Extent, Key, checked_rows, cut_rows, extent_of, key_of
from sparkhu.sources.parts import new_file
from sparkhu.sources.slices import SlicedFile, write_slices


class SpooledPieces:
    """Pieces in scratch files (`sparkhu.lake.pieces.Pieces`).

    Args:
        table: The table that the rows are for.
        layout: How the lake cuts it.
        folder: Where the scratch files lie until the pieces are written.
        frames: The rows, one frame after the other, all with the same columns; more can be added.

    Attributes:
        height: How many rows there are.

    Raises:
        InputError: The rows lack a name or a time.
        SparkhuError: There is no room.
    """

    def __init__(self, table: str, layout: Layout, folder: Path, frames: Iterable[pl.DataFrame] = ()) -> None:
        self.schema, self.height = pl.Schema(), 0
        self.extents: Mapping[Key, Extent] = {}
        self._table, self._layout, self._folder = table, layout, folder
        self._places: dict[Key, list[SlicedFile]] = {}
        for frame in frames:
            self.add(frame)

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows; errors are those of the constructor."""
        if frame.is_empty():
            self.schema = self.schema or checked_rows(self._table, frame).schema
            return
        pieces = list(cut_rows(self._table, frame, self._layout))
        self.schema, self.height = pieces[0].rows.schema, self.height + frame.height
        file = write_slices(new_file(self._folder), (piece.rows for piece in pieces))
        found = dict(self.extents)
        for number, piece in enumerate(pieces):
            key, extent = key_of(piece), extent_of(piece)
            self._places.setdefault(key, []).append(file.only(number))
            found[key] = _joined(found[key], extent) if key in found else extent
        self.extents = found

    def read(self, key: Key) -> pl.DataFrame:
        """Give the rows of a piece."""
        return pl.concat([place.read(0) for place in self._places[key]])


def _joined(one: Extent, other: Extent) -> Extent:
    firsts = [extent.first for extent in (one, other) if extent.first]
    lasts = [extent.last for extent in (one, other) if extent.last]
    return Extent(one.rows + other.rows, min(firsts, default=None), max(lasts, default=None))
