"""The form that every kind of source is read into: tables of named columns, with numbered rows and fingerprints."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import polars as pl

from sparkhu.sources.parts import Column, Part

FILE = "__file__"
ROW = "source_row"
OVERFLOW = "__overflow__"
BROKEN = "__broken__"
OURS = (FILE, ROW, OVERFLOW, BROKEN)


@dataclass(frozen=True)
class SourceFile:
    """A file, or what a database gave, with what tells it from another: its size in bytes and SHA-256.

    The URI shows no password. Of a database, size and checksum are those of the read rows, written as CSV.
    """

    uri: str
    size: int
    sha256: str
    rows: int


@dataclass(frozen=True, eq=False)
class Table:
    """Files with the same columns as one table.

    Attributes:
        parts: Its rows, at least one part.
        schema: All columns: those of the source, `__file__` (what a source without ids is named after) and `source_row`
            (1-based over all files, headers not counted). `__overflow__` is there where CSV rows have more fields than
            the header, `__broken__` (the line's text) where lines could not be read at all. A part may lack either, or
            hold another type that is cast.
        header: The source's own columns.
        name: How to call the table in messages.
        folders: Columns that come from the names of folders (`year=2024`), where the files themselves lack them.
        kind: What `__file__` names.
        lengths: Rows of each file, in order; empty: of one file.
    """

    parts: Sequence[Part]
    schema: Mapping[str, pl.DataType]
    header: tuple[str, ...]
    name: str
    folders: tuple[str, ...] = ()
    kind: str = "file"
    lengths: tuple[int, ...] = ()
    _columns: dict[str, Column] = field(default_factory=dict, repr=False)

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def starts(self) -> list[int]:
        """How many rows of the table lie before each part."""
        return list(accumulate((part.rows for part in self.parts), initial=0))[:-1]

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The whole table, in memory."""
        return pl.concat(load(part, self.schema) for part in self.parts)

    def column(self, name: str) -> Column:
        """Give a column to be gone over; what is found of it is remembered."""
        if name not in self._columns:
            schema = {name: self.schema[name]}

            def scan() -> Iterator[pl.Series]:
                return (load(part, schema)[name] for part in self.parts)

            self._columns[name] = Column(name, self.schema[name], scan)
        return self._columns[name]


def load(part: Part, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Load the columns of `schema` from a part, with these types; nulls where the part lacks one."""
    frame = part.load([name for name in schema if name in part.schema])
    return frame.select(
        pl.col(name).cast(dtype) if name in part.schema else pl.repeat(None, part.rows, dtype=dtype).alias(name)
        for name, dtype in schema.items()
    )


class Tables(NamedTuple):
    """Everything that a source holds."""

    tables: list[Table]
    files: list[SourceFile]
    notes: list[str]
