"""Read the metadata of series from files or a database, recognised and checked."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu.catalogue.checking import check_metadata
from sparkhu.catalogue.columns import recognise
from sparkhu.errors import InputError
from sparkhu.sections import Catalogue
from sparkhu.sources.databases import is_database, read_database
from sparkhu.sources.files import read_files
from sparkhu.sources.options import SourceOptions
from sparkhu.sources.secrets import redacted
from sparkhu.sources.tables import BROKEN, OVERFLOW, ROW, Table


class MetadataSource(NamedTuple):
    """Metadata, read and checked.

    Attributes:
        frame: The columns of `METADATA`, one row a series, sorted by name.
        name: What the catalogue keeps them under.
        notes: What was found from the data, to be said aloud.
        doubts: Columns that may be misspelt, to be said as a warning.
        files: Fingerprints of what was read: URI without secrets, size, SHA-256, rows.
    """

    frame: pl.DataFrame
    name: str
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    files: tuple[dict[str, Any], ...]


def read_metadata(uri: str, options: Catalogue | None = None) -> MetadataSource:
    """Read one row a series: its name, type, unit, group, valid range and alert levels; all but the name optional.

    Args:
        uri: A CSV, JSON lines or Parquet file, a folder or a glob of them, or an SQLAlchemy URL; `${NAME}` in it is
            taken from the environment.
        options: Table or query of a database, the column of the names, the name in the catalogue.

    Raises:
        InputError: The source cannot be read or has no rows, a column cannot be recognised safely, or the metadata
            contradict themselves (see `check_metadata`). No message shows a password.

    Example:
        >>> read_metadata("sensors.csv").frame                                                    # doctest: +SKIP
        >>> read_metadata("postgresql://reader@db/plant", Catalogue(table="sensors")).frame      # doctest: +SKIP
    """
    options = options or Catalogue()
    reading = SourceOptions(table=options.table, query=options.query, encoding=options.encoding)
    found = read_database(uri, reading) if is_database(uri, reading) else read_files(uri, reading)
    notes, doubts, frames = list(found.notes), list[str](), []
    for table in found.tables:
        _check_whole(table)
        recognised = recognise(table.frame.select(table.header), table.frame[ROW], table.name, options.id)
        frames.append(recognised.frame)
        notes += recognised.notes
        doubts += recognised.doubts
    source = found.tables[0].name if len(found.tables) == 1 else f"'{redacted(uri)}'"
    checked, said = check_metadata(pl.concat(frames), source)
    files = tuple({**asdict(file), "uri": redacted(file.uri)} for file in found.files)
    told = tuple(dict.fromkeys([*notes, *said]))
    return MetadataSource(checked, source_name(uri, options), told, tuple(dict.fromkeys(doubts)), files)


def _check_whole(table: Table) -> None:
    """Refuse rows that could be read only in part: which of their cells is which limit cannot be known."""
    for column, fault in ((OVERFLOW, "has more fields than the header"), (BROKEN, "cannot be read")):
        if column in table.frame.columns:
            rows = table.frame.filter(pl.col(column).is_not_null())[ROW]
            if len(rows):
                raise InputError(f"{table.name}: row {rows[0]} {fault}. Correct it ({len(rows)} such rows).")


def source_name(uri: str, options: Catalogue) -> str:
    """Name a source so that no other has its name: what is synced under one name replaces what was there before.

    It is the source's address without its password, and of a database the table or a checksum of the query behind it.

    Example:
        >>> source_name("postgresql://ann:pea@db/plant", Catalogue(table="sensors"))
        'postgresql://ann:***@db/plant#sensors'
    """
    if options.name:
        return options.name
    shown = _anywhere(redacted(uri))
    if options.table:
        return f"{shown}#{options.table}"
    if options.query:
        return f"{shown}#query-{hashlib.sha256(options.query.encode()).hexdigest()[:12]}"
    return shown


def _anywhere(uri: str) -> str:
    """Write the path of a local file as it is seen from every folder."""
    scheme, separator, path = uri.partition(":///")
    if separator and scheme.partition("+")[0] == "sqlite" and path and not path.startswith("file:"):
        return f"{scheme}:///{Path(path).absolute()}"
    return uri if "://" in uri or uri.startswith("${") else str(Path(uri).absolute())
