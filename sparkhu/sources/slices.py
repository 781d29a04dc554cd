"""Slices of a table in one file, each of which can be read by itself."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from sparkhu.sources.parts import unreadable, written


class Slices(Protocol):
    """Slices of a table."""

    def read(self, number: int) -> pl.DataFrame:
        """Read one slice."""
        ...

    def only(self, number: int) -> "Slices":
        """Leave out all slices but one, which is number 0 then: what a process is told that reads one."""
        ...


@dataclass(frozen=True, eq=False)
class KeptSlices:
    """Slices in memory."""

    frames: Sequence[pl.DataFrame]

    def read(self, number: int) -> pl.DataFrame:
        """Give one slice."""
        return self.frames[number]

    def only(self, number: int) -> "KeptSlices":
        """Leave out all slices but one, which is number 0 then."""
        return KeptSlices(self.frames[number : number + 1])


@dataclass(frozen=True)
class SlicedFile:
    """Slices in a file: a place and a length each, in bytes; nothing where a slice has no rows."""

    path: Path
    schema: dict[str, pl.DataType]
    places: tuple[tuple[int, int], ...]

    def read(self, number: int) -> pl.DataFrame:
        """Read one slice.

        Raises:
            SparkhuError: The file is damaged or gone.
        """
        place, length = self.places[number]
        if not length:
            return pl.DataFrame(schema=self.schema)
        try:
            with self.path.open("rb") as file:
                file.seek(place)
                return pl.read_ipc_stream(io.BytesIO(file.read(length)))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable(self.path, error) from error

    def only(self, number: int) -> "SlicedFile":
        """Leave out all slices but one, which is number 0 then."""
        return SlicedFile(self.path, self.schema, self.places[number : number + 1])


def write_slices(path: Path, slices: Iterable[pl.DataFrame]) -> SlicedFile:
    """Write slices of one table.

    Raises:
        SparkhuError: The file cannot be written.
    """
    places: list[tuple[int, int]] = []
    schema: dict[str, pl.DataType] = {}
    with written(path) as file:
        for frame in slices:
            schema = dict(frame.schema)
            start = file.tell()
            if frame.height:
                # A stream of its own each: of many small slices it costs a third of what files with footers do.
                buffer = io.BytesIO()
                frame.write_ipc_stream(buffer, compression="lz4")
                file.write(buffer.getbuffer())
            places.append((start, file.tell() - start))
    return SlicedFile(path, schema, tuple(places))
