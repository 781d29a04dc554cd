"""The audit log: append-only by the database's own word, and a chain that shows what was changed behind its back."""

import json
import multiprocessing
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sparkhu.errors import SparkhuError
from sparkhu_retention.database import audit
from sparkhu_retention.database.opening import Database

AT = datetime(2024, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))


def fill(database: Database, rows: int = 5) -> None:
    with database.writing() as connection:
        for number in range(rows):
            audit.append(connection, "buried", at=AT, who="ann", run="r", storage="/data", items=[number])


def test_rows_are_read_back_in_order(database: Database) -> None:
    fill(database)
    with database.reading() as connection:
        rows = audit.read(connection, after=1, limit=2)
        assert audit.broken_at(connection) is None
    assert [row["number"] for row in rows] == [2, 3]
    assert rows[0]["detail"] == {"items": [1]}
    assert rows[0]["at"] == AT.astimezone(UTC)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE retention_audit SET who = 'eve' WHERE number = 2", "DELETE FROM retention_audit WHERE number = 5"],
)
def test_the_database_refuses_to_change_or_remove_a_row(database: Database, statement: str) -> None:
    fill(database)
    with pytest.raises(SparkhuError, match="append-only"), database.writing() as connection:
        connection.execute(sa.text(statement))


FORGED = "SELECT number, at, who, 'forged', run, storage, detail, before, hash FROM retention_audit WHERE number = 2"


@pytest.mark.parametrize("statement", ["INSERT OR REPLACE INTO", "REPLACE INTO", "INSERT OR IGNORE INTO"])
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_sqlite_refuses_to_replace_a_row(tmp_path: Path, statement: str, recursive: str) -> None:
    database = Database(f"sqlite:///{tmp_path / 'retention.sqlite'}")
    fill(database)
    with sqlite3.connect(tmp_path / "retention.sqlite") as connection:
        connection.execute(f"PRAGMA recursive_triggers = {recursive}")
        for number in ("number", "number - 1", "NULL", "-1"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(f"{statement} retention_audit {FORGED.replace('number,', f'{number},', 1)}")
    fill(database)
    with database.reading() as connection:
        assert len(audit.read(connection)) == 10
        assert audit.broken_at(connection) is None
    database.close()


def test_postgresql_refuses_to_truncate(database: Database) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite knows no TRUNCATE")
    fill(database)
    with pytest.raises(SparkhuError, match="append-only"), database.writing() as connection:
        connection.execute(sa.text("TRUNCATE retention_audit"))


CHANGES: list[dict[str, Any]] = [
    {"who": "eve"},
    {"at": datetime(2024, 3, 2)},
    {"detail": json.dumps({"items": [9]})},
    {"storage": None},
    {"hash": "0" * 64},
]


@pytest.mark.parametrize("change", CHANGES, ids=[next(iter(change)) for change in CHANGES])
def test_a_change_behind_the_triggers_breaks_the_chain(database: Database, change: dict[str, Any]) -> None:
    fill(database)
    with database.writing() as connection:
        without_triggers(connection)
        column = next(iter(change))
        connection.execute(sa.text(f"UPDATE retention_audit SET {column} = :{column} WHERE number = 3"), change)
        assert audit.broken_at(connection) == 3


def test_a_removed_row_breaks_the_chain(database: Database) -> None:
    fill(database)
    with database.writing() as connection:
        without_triggers(connection)
        connection.execute(sa.text("DELETE FROM retention_audit WHERE number = 2"))
        assert audit.broken_at(connection) == 2


def without_triggers(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("ALTER TABLE retention_audit DISABLE TRIGGER USER"))
        return
    for what in ("update", "delete"):
        connection.execute(sa.text(f"DROP TRIGGER retention_audit_no_{what}"))


def write(url: str) -> None:
    database = Database(url)
    for _ in range(20):
        fill(database, 1)
    database.close()


def test_writers_at_once_make_one_chain(url: str) -> None:
    Database(url).close()
    processes = [multiprocessing.get_context("fork").Process(target=write, args=(url,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    database = Database(url)
    with database.reading() as connection:
        assert audit.broken_at(connection) is None
        assert len(audit.read(connection, limit=100)) == 60
    database.close()
