"""The rows of Feast's SQLite online store, and their tombstones in the same file."""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from sparkhu.errors import SparkhuError

WAIT_SECONDS = 60.0
TOMBS = "retention__"
"""What the name of a table of tombstones begins with; the rest is that of the features' table."""

MARKS = ("retention_mark", "retention_at", "retention_content")
KEY = ("entity_key", "feature_name")
NEEDED = {*KEY, "value", "event_ts"}
DAY = "CASE typeof(event_ts) WHEN 'text' THEN substr(event_ts, 1, 10) ELSE date(event_ts, 'unixepoch') END"
"""The day of a row, UTC: Feast writes seconds since 1970, or text where it does not say how."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Let all that is done within be done, or nothing; nobody writes meanwhile.

    Raises:
        SparkhuError: The file cannot be used.
    """
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")  # what is not committed is rolled back
    except sqlite3.Error as error:
        raise SparkhuError(f"the online store '{path}' failed: {error}. Nothing was changed.") from error


def feature_tables(connection: sqlite3.Connection) -> list[str]:
    """List the tables that hold features."""
    named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    names = [str(name) for (name,) in named if not str(name).startswith(TOMBS)]
    return [name for name in names if set(columns(connection, name)) >= NEEDED]


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """List the columns of a table; none where there is no such table."""
    return [str(row[1]) for row in connection.execute(f"PRAGMA table_info({quoted(table)})")]


def days(connection: sqlite3.Connection, table: str) -> list[str]:
    """List the days that a table has rows of."""
    found = connection.execute(f"SELECT DISTINCT {DAY} FROM {quoted(table)} WHERE event_ts IS NOT NULL ORDER BY 1")
    return [str(day) for (day,) in found]


def rows(connection: sqlite3.Connection, table: str, day: str, names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Read the rows of a day, those of one series together."""
    if not columns(connection, table):
        return iter(())
    listed = ", ".join(map(quoted, names))
    return connection.execute(
        f"SELECT {listed} FROM {quoted(table)} WHERE {DAY} = ? ORDER BY entity_key, feature_name", (day,)
    )


def measured(some: Iterator[tuple[object, ...]]) -> tuple[int, int, str]:
    """Count rows and their bytes, and tell their content."""
    digest, count, size = hashlib.sha256(), 0, 0
    for row in some:
        count += 1
        size += sum(len(cell) for cell in row if isinstance(cell, str | bytes))
        digest.update(repr(row).encode())
    return count, size, digest.hexdigest()


def bury(connection: sqlite3.Connection, table: str, day: str, marks: tuple[str, str, str]) -> None:
    """Move the rows of a day to the tombstones."""
    names = columns(connection, table)
    tombs = f"{TOMBS}{table}"
    connection.execute(f"CREATE TABLE IF NOT EXISTS {quoted(tombs)} ({', '.join(map(quoted, (*names, *MARKS)))})")
    known = columns(connection, tombs)
    for name in names:
        if name not in known:  # a newer Feast has added it
            connection.execute(f"ALTER TABLE {quoted(tombs)} ADD COLUMN {quoted(name)}")
    listed = ", ".join(map(quoted, names))
    connection.execute(
        f"INSERT INTO {quoted(tombs)} ({listed}, {', '.join(MARKS)}) "
        f"SELECT {listed}, ?, ?, ? FROM {quoted(table)} WHERE {DAY} = ?",
        (*marks, day),
    )
    connection.execute(f"DELETE FROM {quoted(table)} WHERE {DAY} = ?", (day,))


def unbury(connection: sqlite3.Connection, table: str, day: str, mark: str) -> bool:
    """Move rows back, unless a series has another row of that day; where one has a newer row by now, that one stays."""
    names = columns(connection, table)
    of_mark = f"{DAY} = ? AND retention_mark = ? ORDER BY entity_key, feature_name"
    listed = ", ".join(map(quoted, names))
    buried = connection.execute(f"SELECT {listed} FROM {quoted(TOMBS + table)} WHERE {of_mark}", (day, mark)).fetchall()
    if not insert(connection, table, day, names, buried):
        return False
    purge(connection, table, day, mark)
    return True


def insert(
    connection: sqlite3.Connection, table: str, day: str, names: Sequence[str], added: Sequence[tuple[object, ...]]
) -> bool:
    """Insert rows of a day, all of them or, where a series has another row of that day, none.

    A series has one row alone: where it has one of another day by now, that one stays.
    """
    at = [names.index(name) for name in KEY]
    there = {tuple(row[k] for k in at): row for row in rows(connection, table, day, names)}
    if any(there.get(tuple(row[k] for k in at), row) != row for row in added):
        return False
    listed = ", ".join(map(quoted, names))
    connection.executemany(
        f"INSERT OR IGNORE INTO {quoted(table)} ({listed}) VALUES ({', '.join('?' * len(names))})", added
    )
    return True


def purge(connection: sqlite3.Connection, table: str, day: str, mark: str) -> None:
    """Remove rows from the tombstones."""
    connection.execute(f"DELETE FROM {quoted(TOMBS + table)} WHERE {DAY} = ? AND retention_mark = ?", (day, mark))


def tombs(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str, str, str, int]]:
    """List what is buried: table, day, mark, instant, content, bytes."""
    for table in feature_tables(connection):
        names = columns(connection, f"{TOMBS}{table}")
        if not names:
            continue
        size = " + ".join(f"coalesce(length(CAST({quoted(name)} AS BLOB)), 0)" for name in names if name not in MARKS)
        found = connection.execute(
            f"SELECT {DAY}, retention_mark, min(retention_at), min(retention_content), sum({size}) "
            f"FROM {quoted(TOMBS + table)} GROUP BY 1, 2 ORDER BY 1, 2"
        )
        for day, mark, at, content, total in found:
            yield table, day, mark, at, content, int(total)


def quoted(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'
