"""A table of any size as parts of bounded size, which can be gone over several times.

Parts stay in memory while all of them together are small; beyond that they lie in a scratch folder, as Arrow files that
are read column by column.
"""

import socket
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar
from weakref import WeakSet

import polars as pl

from sparkhu.errors import SparkhuError

Found = TypeVar("Found")


@dataclass(frozen=True)
class PartSize:
    """How much of a source is held at a time.

    Attributes:
        rows: Rows of a part, about.
        text: Bytes of text that are read and parsed at a time.
        kept: Bytes of parts that are kept in memory before all of them are written.
    """

    rows: int = 500_000
    text: int = 16 * 2**20
    kept: int = 128 * 2**20


class Part(Protocol):
    """Some consecutive rows of a table."""

    @property
    def rows(self) -> int:
        """How many they are."""
        ...

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Their columns."""
        ...

    @property
    def in_scratch(self) -> bool:
        """Whether they were too large for memory, and lie in the scratch folder."""
        ...

    def load(self, columns: Sequence[str]) -> pl.DataFrame:
        """Give some of the columns; of none, only the number of rows counts."""
        ...

    def discard(self) -> None:
        """Remove what lies of them in the scratch folder; they cannot be loaded again."""
        ...


@dataclass(frozen=True, eq=False)
class KeptPart:
    """Rows in memory."""

    frame: pl.DataFrame
    in_scratch = False

    @property
    def rows(self) -> int:
        """How many they are."""
        return self.frame.height

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Their columns."""
        return dict(self.frame.schema)

    def load(self, columns: Sequence[str]) -> pl.DataFrame:
        """Give some of the columns."""
        return self.frame.select(columns)

    def discard(self) -> None:
        """Leave it to memory."""


@dataclass(frozen=True)
class SpilledPart:
    """Rows in an Arrow file of the scratch folder."""

    path: Path
    rows: int
    schema: dict[str, pl.DataType]
    in_scratch = True

    def load(self, columns: Sequence[str]) -> pl.DataFrame:
        """Read some of the columns.

        Raises:
            SparkhuError: The file is damaged or gone.
        """
        if not columns:
            return pl.DataFrame()
        try:
            with self.path.open("rb") as file:
                return pl.read_ipc(file, columns=list(columns)).select(columns)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise unreadable(self.path, error) from error

    def discard(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


class Scratch:
    """Where the parts of a source go that are too large for memory.

    Args:
        folder: A folder for this reading alone; null: everything stays in memory.
        size: How large a part is, and how much stays in memory.
    """

    def __init__(self, folder: Path | None = None, size: PartSize | None = None) -> None:
        self.folder, self.size = folder, size or PartSize()
        self.kept = 0
        self._lists: WeakSet[PartList] = WeakSet()

    def parts(self) -> "PartList":
        """Begin a table."""
        parts = PartList(self)
        self._lists.add(parts)
        return parts

    def keep(self, size: int) -> None:
        """Count what is in memory; where that is too much, write all of it."""
        self.kept += size
        if self.folder is not None and self.kept > self.size.kept:
            for parts in list(self._lists):
                parts.spill()

    def new_file(self) -> Path:
        """Name a new file of the scratch folder."""
        if self.folder is None:
            raise ValueError("a scratch without folder keeps everything in memory")
        return new_file(self.folder)

    def write(self, frame: pl.DataFrame) -> SpilledPart:
        """Write rows as one part."""
        path = self.new_file()
        with written(path) as file:
            frame.write_ipc(file, compression="lz4")
        return SpilledPart(path, frame.height, dict(frame.schema))


def new_file(folder: Path) -> Path:
    """Name a file that no other process names."""
    return folder / uuid.uuid4().hex


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Open a new scratch file for writing.

    Raises:
        SparkhuError: It cannot be written, most often for want of room.
    """
    try:
        with path.open("wb") as file:
            yield file
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SparkhuError(
            f"the scratch folder '{path.parent}' cannot be written: {error}. It needs about as much room as the "
            "source; make room there, or write the output to another disk."
        ) from error


def unreadable(path: Path, error: Exception) -> SparkhuError:
    """Say that a scratch file is gone or damaged."""
    if isinstance(error, FileNotFoundError):
        return SparkhuError(
            f"the scratch file '{path}' is missing on {socket.gethostname()}. Spark's executors need the folder of the "
            "output where the driver has it; otherwise run the step again."
        )
    return SparkhuError(f"the scratch file '{path}' cannot be read: {error}. Run the step again.")


class PartList:
    """The parts of one table while it is being read, in order; `Scratch.parts` begins one."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._parts: list[Part] = []

    @property
    def rows(self) -> int:
        """Rows so far."""
        return sum(part.rows for part in self._parts)

    def add(self, frame: pl.DataFrame) -> None:
        """Set rows below those that are there."""
        self.append(KeptPart(frame))

    def append(self, part: Part) -> None:
        """Set a part below those that are there."""
        self._parts.append(part)
        self._scratch.keep(_size(part))

    def extend(self, other: "PartList") -> None:
        """Take over all parts of another list."""
        self._parts += other.handed_over()

    def handed_over(self) -> list[Part]:
        """Give the parts away."""
        parts, self._parts = self._parts, []
        return parts

    def clear(self) -> None:
        """Forget what is there, and free its room."""
        self._scratch.kept -= sum(map(_size, self._parts))
        for part in self.handed_over():
            part.discard()

    def spill(self) -> None:
        """Write what is in memory to the scratch folder, small neighbours as one part."""
        self._scratch.kept -= sum(map(_size, self._parts))
        self._parts = [self._written(part) for part in self._merged()]

    def finished(self) -> tuple[Part, ...]:
        """Give the parts, small neighbours as one; all of them on disk where one is."""
        if any(isinstance(part, SpilledPart) for part in self._parts):
            self.spill()
        return tuple(self._merged())

    def _written(self, part: Part) -> Part:
        return self._scratch.write(part.frame) if isinstance(part, KeptPart) else part

    def _merged(self) -> list[Part]:
        merged: list[Part] = []
        together: list[pl.DataFrame] = []
        for part in chain(self._parts, [None]):
            frame = part.frame if isinstance(part, KeptPart) else None
            fits = frame is not None and _fits(together, frame, self._scratch.size.rows)
            if together and not fits:
                merged.append(KeptPart(pl.concat(together)))
                together = []
            if frame is not None:
                together.append(frame)
            elif part is not None:
                merged.append(part)
        return merged


def beside(frame: pl.DataFrame, added: Mapping[str, pl.Series], columns: Sequence[str]) -> pl.DataFrame:
    """Set columns beside a frame, which may have none itself, and give those that are wanted."""
    series = [added[name].alias(name) for name in columns if name in added]
    return (frame.with_columns(series) if frame.width else pl.DataFrame(series)).select(columns)


def _fits(together: Sequence[pl.DataFrame], frame: pl.DataFrame, rows: int) -> bool:
    return not together or (
        together[0].schema == frame.schema and sum(each.height for each in together) + frame.height <= rows
    )


def _size(part: Part) -> int:
    return int(part.frame.estimated_size()) if isinstance(part, KeptPart) else 0


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table, gone over part by part.

    Attributes:
        name: Its name.
        dtype: Its type.
        scan: Gives its parts in order, at least one.
        known: What was found of it before.
    """

    name: str
    dtype: pl.DataType
    scan: Callable[[], Iterator[pl.Series]]
    known: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, column: "pl.Series | Column") -> "Column":
        """Take a whole column as one part."""
        return column if isinstance(column, Column) else cls(column.name, column.dtype, lambda: iter((column,)))

    def once(self, key: Any, find: Callable[[], Found]) -> Found:
        """Find something of the column, once."""
        if key not in self.known:
            self.known[key] = find()
        found: Found = self.known[key]
        return found
