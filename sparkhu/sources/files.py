"""Read the files of a source as tables: CSV as text, JSON lines and Parquet as typed."""

from typing import Any

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.finding import find_files, open_files
from sparkhu.sources.folders import inside
from sparkhu.sources.options import SourceOptions
from sparkhu.sources.parsing import FileRows, read_file
from sparkhu.sources.parts import KeptPart, PartList, Scratch
from sparkhu.sources.secrets import redacted
from sparkhu.sources.tables import FILE, OURS, ROW, SourceFile, Table, Tables
from sparkhu.steps.validation import requested_interval


def read_files(uri: str, options: SourceOptions, scratch: Scratch | None = None) -> Tables:
    """Read a file, a glob or all files of a folder (in order of name, sub-folders too).

    Args:
        uri: A local path or any fsspec URI; `${NAME}` in it is taken from the environment.
        options: Encoding and delimiter of text files; dated folders outside `start` and `end` are not opened.
        scratch: Where parts go that are too large for memory; by default everything stays there.

    Raises:
        InputError: There is no such file, none that can be read, or one is empty or broken.
        SparkhuError: The scratch folder cannot be written.
    """
    scratch = scratch or Scratch()
    interval = requested_interval(options.start, options.end, options.zone)
    filesystem, every = find_files(uri)
    paths = inside(every, interval)
    if not paths:
        raise InputError(
            f"all {len(every)} files of '{redacted(uri)}' lie in folders outside the interval from "
            f"'{options.start}' to '{options.end}'. Give another interval."
        )
    groups: dict[Any, _Group] = {}
    files: list[SourceFile] = []
    notes: list[str] = []
    row = 1
    for found in open_files(filesystem, paths, uri):
        rows = read_file(found, row, options, scratch, notes)
        if not rows.lines and len(paths) > 1:
            notes.append(f"'{found.named}' has no rows and is left out")
        elif not rows.lines:
            fault = "a header and no rows" if rows.schema else "nothing in it"
            raise InputError(f"'{found.named}' has {fault}. Give data.")
        else:
            files.append(SourceFile(found.named, rows.size, rows.sha256, rows.lines))
            key = (tuple(rows.schema.items()), rows.folders)
            groups.setdefault(key, _Group(scratch, rows, found.named)).add(rows)
            row += rows.lines
    if not files:
        raise InputError(f"none of the {len(paths)} files of '{redacted(uri)}' has rows. Give a source with data.")
    if len(every) > len(paths):
        notes.append(f"{len(every) - len(paths)} of {len(every)} files lie in folders outside the interval: not opened")
    if len(paths) > 1:
        notes.append(f"{len(files)} files read in order of name; source rows are numbered on from file to file")
    return Tables([group.table() for group in groups.values()], files, notes)


class _Group:
    """Files with the same columns, one below the other."""

    def __init__(self, scratch: Scratch, rows: FileRows, first: str) -> None:
        self._parts: PartList = scratch.parts()
        self._own, self._folders, self._first = rows.schema, rows.folders, first
        self._lengths: list[int] = []

    def add(self, rows: FileRows) -> None:
        self._lengths.append(rows.parts.rows)
        self._parts.extend(rows.parts)

    def table(self) -> Table:
        texts = dict.fromkeys((*self._folders, FILE), pl.String())
        schema: dict[str, pl.DataType] = {**self._own, ROW: pl.Int64(), **texts}
        parts = self._parts.finished() or (KeptPart(pl.DataFrame(schema=schema)),)
        header = tuple(name for name in self._own if name not in OURS)
        more = f" and {len(self._lengths) - 1} more" if len(self._lengths) > 1 else ""
        return Table(parts, schema, header, f"'{self._first}'{more}", self._folders, lengths=tuple(self._lengths))
