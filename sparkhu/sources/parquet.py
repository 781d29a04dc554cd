"""Parquet files as parts that are read where they lie, only the columns that are wanted."""

import io
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.parts import beside
from sparkhu.sources.tables import FILE, ROW

MAGIC = b"PAR1"
NARROW = 16
"""Columns of which a part has as many rows as it is told."""


@dataclass(frozen=True)
class ParquetPart:
    """Some rows of a Parquet file, with their numbers and what the file's name and folders tell.

    Attributes:
        place: The file, or its bytes.
        name: How to call it in messages.
        first: How many rows of the file lie before.
        rows: How many they are.
        own: The file's columns.
        first_row: Number of the first row in the source.
        told: Further columns, of one text each.
        frees: The file is a copy in the scratch folder, and these are the last of its rows.
    """

    place: Path | bytes
    name: str
    first: int
    rows: int
    own: Mapping[str, pl.DataType]
    first_row: int
    told: Mapping[str, str | None]
    frees: bool = False
    in_scratch = False

    def numbered(self, first_row: int) -> "ParquetPart":
        """Set the number of the first row."""
        return replace(self, first_row=first_row)

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Their columns."""
        return {**dict.fromkeys(self.told, pl.String()), **self.own, ROW: pl.Int64(), FILE: pl.String()}

    def load(self, columns: Sequence[str]) -> pl.DataFrame:
        """Read some of the columns.

        Raises:
            InputError: The file is damaged, and the message names the rows; or it is not there on this machine.
        """
        added = {ROW: pl.int_range(self.first_row, self.first_row + self.rows, dtype=pl.Int64, eager=True)}
        for name in [FILE, *(each for each in self.told if each not in self.own)]:
            text = self.told[name]
            added[name] = pl.repeat(text, self.rows, dtype=pl.String(), eager=True)
        wanted = [name for name in columns if name not in added]
        frame = pl.DataFrame()
        if wanted:
            try:
                frame = _scan(self.place).slice(self.first, self.rows).select(wanted).collect()
            except (pl.exceptions.PolarsError, OSError) as error:
                raise self._unreadable(error) from error
        return beside(frame, added, columns)

    def discard(self) -> None:
        """Remove a copy with its last rows; the file of a source stays."""
        if self.frees and isinstance(self.place, Path):
            self.place.unlink(missing_ok=True)

    def _unreadable(self, error: Exception) -> InputError:
        if isinstance(error, FileNotFoundError) and isinstance(self.place, Path):
            return InputError(
                f"'{self.name}' is not at '{self.place}' on {socket.gethostname()}. Spark's executors need the file "
                "where the driver has it: put it on storage that all of them share."
            )
        rows = f"rows {self.first + 1:,} to {self.first + self.rows:,}"
        return InputError(f"'{self.name}' is not a whole Parquet file: {rows} cannot be read: {error}")


def parquet_parts(
    place: Path | bytes, name: str, rows: int, told: Mapping[str, str | None], *, copied: bool = False
) -> list[ParquetPart]:
    """Cut a Parquet file along its row groups into parts of about `rows` rows, of fewer where it has many columns.

    Args:
        place: The file, or its bytes.
        name: How to call it in messages.
        rows: Rows of a part.
        told: Further columns, of one text each.
        copied: The file is a copy in the scratch folder, to be removed once its rows are done with.

    Raises:
        InputError: It is no whole Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = dict(_scan(place).collect_schema())
        with pq.ParquetFile(io.BytesIO(place) if isinstance(place, bytes) else place) as file:
            groups = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        raise InputError(f"'{name}' is not a whole Parquet file: {error}") from error
    lengths = list(_lengths(groups, max(1, rows * NARROW // max(NARROW, len(schema)))))
    firsts = accumulate(lengths, initial=0)
    parts = [
        ParquetPart(place, name, first, length, schema, 0, told) for first, length in zip(firsts, lengths, strict=False)
    ]
    return [*parts[:-1], replace(parts[-1], frees=copied)]


def _scan(place: Path | bytes) -> pl.LazyFrame:
    return pl.scan_parquet(
        io.BytesIO(place) if isinstance(place, bytes) else place, glob=False, hive_partitioning=False
    )


def _lengths(groups: Sequence[int], rows: int) -> Iterator[int]:
    """Put small row groups together, and cut large ones."""
    together = 0
    for group in groups:
        if together and together + group > rows:
            yield together
            together = 0
        together += group
        while together > rows:
            yield rows
            together -= rows
    yield together
