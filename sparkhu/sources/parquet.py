"""Parquet files as parts that are read where they lie, only the columns that are wanted."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    """

    place: Path | bytes
    name: str
    first: int
    rows: int
    own: Mapping[str, pl.DataType]
    first_row: int
    told: Mapping[str, str | None]

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
            InputError: The file is damaged; the message names the rows.
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
                raise InputError(
                    f"'{self.name}' is not a whole Parquet file: rows {self.first + 1:,} to "
                    f"{self.first + self.rows:,} cannot be read: {error}"
                ) from error
        return beside(frame, added, columns)


def parquet_parts(place: Path | bytes, name: str, rows: int, told: Mapping[str, str | None]) -> Iterator[ParquetPart]:
    """Cut a Parquet file along its row groups into parts of about `rows` rows, of fewer where it has many columns.

    Args:
        place: The file, or its bytes.
        name: How to call it in messages.
        rows: Rows of a part.
        told: Further columns, of one text each.

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
    first = 0
    for length in _lengths(groups, max(1, rows * NARROW // max(NARROW, len(schema)))):
        yield ParquetPart(place, name, first, length, schema, 0, told)
        first += length


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
