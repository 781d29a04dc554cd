"""The form that every kind of source is read into: tables of named columns, with numbered rows and fingerprints."""

from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

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


class Table(NamedTuple):
    """Files with the same columns as one table.

    Attributes:
        frame: The columns, `__file__` (what a source without ids is named after) and `source_row` (1-based over all
            files, headers not counted). `__overflow__` is there where CSV rows have more fields than the header,
            `__broken__` (the line's text) where lines could not be read at all.
        header: The source's own columns.
        name: How to call the table in messages.
        folders: Columns that come from the names of folders (`year=2024`), where the files themselves lack them.
        kind: What `__file__` names.
        lengths: Rows of each file, in order; empty: of one file.
    """

    frame: pl.DataFrame
    header: tuple[str, ...]
    name: str
    folders: tuple[str, ...] = ()
    kind: str = "file"
    lengths: tuple[int, ...] = ()


class Tables(NamedTuple):
    """Everything that a source holds."""

    tables: list[Table]
    files: list[SourceFile]
    notes: list[str]
