"""Read a table or a query of any database that SQLAlchemy knows; nothing is written to it."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from fsspec.registry import known_implementations

from sparkhu.errors import InputError
from sparkhu.sources.cells import column_of, joint_schema
from sparkhu.sources.options import SourceOptions
from sparkhu.sources.ordering import in_order
from sparkhu.sources.parts import Part, PartList, Scratch, beside
from sparkhu.sources.secrets import redacted, with_environment, without_secrets
from sparkhu.sources.tables import FILE, ROW, SourceFile, Table, Tables, load

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection, Engine

ROWS_AT_A_TIME = 50_000
SHOWN = 12
DIALECTS = frozenset({"postgresql", "postgres", "mysql", "mariadb", "sqlite", "oracle", "mssql"})
READING = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*(?:select|with|values|table)\b", re.IGNORECASE | re.DOTALL)
# What a session is told first: to refuse writing, and to give times in UTC where it would convert them.
FIRST_STATEMENTS = {
    "postgresql": ("SET TRANSACTION READ ONLY", "SET LOCAL TIME ZONE 'UTC'"),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET time_zone = '+00:00'"),
    "mariadb": ("SET SESSION TRANSACTION READ ONLY", "SET time_zone = '+00:00'"),
    "oracle": ("SET TRANSACTION READ ONLY",),
    "sqlite": ("PRAGMA query_only = ON",),
}


def is_database(uri: str, options: SourceOptions) -> bool:
    """Tell whether a source is a database: its URI has the scheme of one.

    Raises:
        InputError: `--table` or `--query` is given for a source that is none.
    """
    scheme, separator, _ = uri.partition("://")
    dialect = scheme.partition("+")[0].lower()
    # A whole URI may stand in the environment.
    hidden = uri.startswith("${") and bool(options.table or options.query)
    if hidden or (separator and dialect not in known_implementations and dialect in DIALECTS | _installed_dialects()):
        return True
    if options.table or options.query:
        flag = "--table" if options.table else "--query"
        raise InputError(
            f"{flag} reads a database, and '{redacted(uri)}' is no SQLAlchemy URL such as "
            "postgresql://user:${PASSWORD}@host/database or sqlite:///file.db. "
            f"Give one, or leave {flag} out."
        )
    return False


@cache
def _installed_dialects() -> frozenset[str]:
    """List the databases that installed packages teach SQLAlchemy."""
    return frozenset(entry.name.partition(".")[0] for entry in entry_points(group="sqlalchemy.dialects"))


def read_database(uri: str, options: SourceOptions, scratch: Scratch | None = None) -> Tables:
    """Read a table or a query, in a transaction that only reads where the database has such.

    Rows come in chunks, by a cursor on the server where the driver has one. A table is read in the order of its primary
    key; one without is brought into the order of its contents, so that the same rows always have the same numbers.

    Args:
        uri: A SQLAlchemy URL; `${NAME}` in it is taken from the environment.
        options: Which `table` or `query`, exactly one; nothing that text files alone have.
        scratch: Where parts go that are too large for memory.

    Raises:
        InputError: Neither or both are given, an option is for text files alone, the database cannot be reached, there
            is no such table (the message lists those that are there), the query does not only read, or there are no
            rows. No message shows a password.
    """
    _check_choice(uri, options)
    scratch = scratch or Scratch()
    with _connected(uri) as connection:
        if options.table:
            query, ordered = _select(connection, options.table, uri)
        else:
            query, ordered = options.query.rstrip().rstrip(";"), True
        parts = _read(connection, query, scratch)
    what = f"table '{options.table}'" if options.table else "the query"
    name = f"{what} of '{redacted(uri)}'"
    rows = sum(part.rows for part in parts)
    if not rows:
        raise InputError(f"{name} has no rows. Give one that has.")
    notes = [f"{rows:,} rows read from {name}"]
    schema = joint_schema([part.schema for part in parts])
    if not ordered:
        parts = in_order(parts, schema, scratch)
        notes.append(f"{what} has no primary key: its rows are numbered in the order of their contents")
    size, checksum = _fingerprint(load(part, schema) for part in parts)
    stem = options.table.rpartition(".")[2] or "query"
    own = {ROW: pl.Int64(), FILE: pl.String()}
    table = Table(_numbered(parts, stem), {**schema, **own}, tuple(schema), name, kind="source")
    return Tables([table], [SourceFile(redacted(uri), size, checksum, rows)], notes)


@dataclass(frozen=True)
class _NumberedPart:
    """Rows of a database with their numbers and the name that a series without one is given."""

    part: Part
    first_row: int
    stem: str

    @property
    def rows(self) -> int:
        return self.part.rows

    @property
    def schema(self) -> dict[str, pl.DataType]:
        return {**self.part.schema, ROW: pl.Int64(), FILE: pl.String()}

    @property
    def in_scratch(self) -> bool:
        return self.part.in_scratch

    def load(self, columns: Sequence[str]) -> pl.DataFrame:
        own = {
            ROW: pl.int_range(self.first_row, self.first_row + self.rows, dtype=pl.Int64, eager=True),
            FILE: pl.repeat(self.stem, self.rows, dtype=pl.String(), eager=True),
        }
        frame = self.part.load([name for name in columns if name not in own])
        return beside(frame, own, columns)

    def discard(self) -> None:
        self.part.discard()


def _numbered(parts: Sequence[Part], stem: str) -> list[_NumberedPart]:
    firsts = accumulate((part.rows for part in parts), initial=1)
    return [_NumberedPart(part, first, stem) for part, first in zip(parts, firsts, strict=False)]


def _check_choice(uri: str, options: SourceOptions) -> None:
    for flag, given in (("--encoding", options.encoding), ("--delimiter", options.delimiter)):
        if given:
            raise InputError(
                f"{flag} says how text files are written, and '{redacted(uri)}' is a database. Leave it out."
            )
    if bool(options.table) == bool(options.query):
        fault = "needs --table or --query" if not options.table else "takes --table or --query, not both"
        raise InputError(f"database '{redacted(uri)}' {fault}. Give one: --table NAME, or --query 'SELECT …'.")
    if options.query and not READING.match(options.query):
        raise InputError(f"--query must be a SELECT, for a source is only read; got: {options.query.strip()[:80]}")


@contextmanager
def _connected(uri: str) -> Iterator["Connection"]:
    """Connect for reading; whatever the driver says on the way is passed on without passwords."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine = _engine(with_environment(uri))
        try:
            with engine.connect() as connection:
                for statement in FIRST_STATEMENTS.get(engine.dialect.name, ()):
                    connection.exec_driver_sql(statement)
                yield connection
                connection.rollback()
        finally:
            engine.dispose()
    except ModuleNotFoundError as error:
        raise InputError(
            f"'{redacted(uri)}' needs the Python package '{error.name}', which is not installed. Install it, or name "
            "another driver, such as postgresql+psycopg://."
        ) from None
    # The cause is left out: drivers repeat the URL, and a log shows causes.
    except (SQLAlchemyError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        said = without_secrets(_in_a_line(error), uri)
        raise InputError(f"'{redacted(uri)}' cannot be read: {said}. Check the URL, --table or --query.") from None


def _in_a_line(error: Exception) -> str:
    """Give the driver's own words, without SQLAlchemy's statement and links around them."""
    return " ".join(str(getattr(error, "orig", None) or error).split("\n(Background")[0].split()).rstrip(".? ^")


def _engine(uri: str) -> "Engine":
    from sqlalchemy import NullPool, create_engine, make_url

    url = make_url(uri)
    if url.drivername in ("postgres", "postgresql") and find_spec("psycopg2") is None:
        url = url.set(drivername="postgresql+psycopg")
    elif url.drivername.startswith("postgres+"):
        url = url.set(drivername=url.drivername.replace("postgres", "postgresql", 1))
    if url.get_backend_name() == "sqlite":
        _check_sqlite_file(url)
    return create_engine(url, poolclass=NullPool, hide_parameters=True)


def _check_sqlite_file(url: "URL") -> None:
    """SQLite makes a new file where there is none; a source must be there."""
    name = url.database or ""
    if not name.startswith("file:") and not Path(name).is_file():
        raise InputError(f"there is no database file '{name}'. Give sqlite:///relative.db or sqlite:////absolute.db.")


def _select(connection: "Connection", name: str, uri: str) -> tuple[str, bool]:
    """Write the query of a table or view, in the order of its primary key; tell whether it has one."""
    from sqlalchemy import Select, column, inspect, literal_column, select, table

    inspector = inspect(connection)
    schema, _, plain = name.rpartition(".")
    if inspector.has_table(name):
        schema, plain = "", name
    elif not (schema and schema in inspector.get_schema_names() and inspector.has_table(plain, schema)):
        raise InputError(_about_missing(inspector, name, uri))
    key = inspector.get_pk_constraint(plain, schema or None)["constrained_columns"]
    statement: Select[Any] = select(literal_column("*")).select_from(table(plain, schema=schema or None))
    ordered = statement.order_by(*(column(each) for each in key))
    return str(ordered.compile(dialect=connection.dialect)), bool(key)


def _about_missing(inspector: Any, name: str, uri: str) -> str:
    found = sorted([*inspector.get_table_names(), *inspector.get_view_names()])
    close = get_close_matches(name, found, 1)
    listed = ", ".join(f"'{each}'" for each in found[:SHOWN]) or "none"
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    hint = f" Did you mean '{close[0]}'?" if close else " Give one of them with --table, or SCHEMA.TABLE."
    return f"'{redacted(uri)}' has no table '{name}' (--table); it has {listed}{more}.{hint}"


def _read(connection: "Connection", query: str, scratch: Scratch) -> tuple[Part, ...]:
    """Read chunk by chunk, so that the rows are Python objects only a chunk at a time."""
    streaming = connection.execution_options(stream_results=True, no_parameters=True, max_row_buffer=ROWS_AT_A_TIME)
    result = streaming.exec_driver_sql(query)
    parts: PartList = scratch.parts()
    try:
        names = _unique(list(result.keys()))
        for rows in result.partitions(ROWS_AT_A_TIME):
            parts.add(_frame(names, rows))
    finally:
        result.close()
    return parts.finished()


def _unique(names: list[str]) -> list[str]:
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise InputError(f"--query gives the column '{doubled}' more than once. Name them apart: SELECT … AS …")
    return names


def _frame(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True)
    return pl.DataFrame([column_of(name, values) for name, values in zip(names, columns, strict=True)])


def _fingerprint(frames: Iterable[pl.DataFrame]) -> tuple[int, str]:
    """Give the size and the SHA-256 of the rows written as CSV."""
    digest, size = hashlib.sha256(), 0
    for frame in frames:
        for rows in frame.iter_slices(ROWS_AT_A_TIME):
            text = rows.write_csv(include_header=not size).encode()
            digest.update(text)
            size += len(text)
    return size, digest.hexdigest()
