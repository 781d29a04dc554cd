"""The catalogue's tables, and the version of their schema.

| table | what |
| --- | --- |
| `catalogue_schema` | one row: the version of these tables |
| `metadata_source` | one row a source of metadata: when it was last synced |
| `series_metadata` | one row a source and series: its metadata, and when it was added, changed and removed |

A removed series keeps its row and is not used; it is in use again when its source names it again.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Dialect,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    insert,
    inspect,
    select,
)

from sparkhu.catalogue.columns import LIMITS, TEXTS
from sparkhu.errors import InputError

SCHEMA_VERSION = 1


class Moment(TypeDecorator[datetime]):
    """An instant in UTC, kept without its zone: some databases know none."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Bring an instant to UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give an instant its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


# A key of unknown length is refused by MySQL.
KEY = String().with_variant(String(255), "mysql", "mariadb")
ALL = MetaData()
VERSION = Table("catalogue_schema", ALL, Column("id", Integer, primary_key=True), Column("version", Integer))
SOURCES = Table("metadata_source", ALL, Column("name", KEY, primary_key=True), Column("synced_at", Moment))
SERIES = Table(
    "series_metadata",
    ALL,
    Column("source", KEY, primary_key=True),
    Column("unique_id", KEY, primary_key=True),
    *[Column(name, String().with_variant(String(255), "mysql", "mariadb")) for name in TEXTS],
    *[Column(name, Double) for name in LIMITS],
    Column("added_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("removed_at", Moment),
)


def has_tables(connection: Connection) -> bool:
    """Tell whether there is a catalogue in the database."""
    return inspect(connection).has_table(VERSION.name)


def create_tables(connection: Connection) -> None:
    """Make the tables of a new catalogue."""
    ALL.create_all(connection)
    connection.execute(insert(VERSION).values(id=1, version=SCHEMA_VERSION))


def check_version(connection: Connection, name: str, *, lock: bool) -> None:
    """Refuse a catalogue that a newer version of Sparkhu has made.

    Args:
        connection: A transaction on the catalogue.
        name: How to call the catalogue in messages.
        lock: Let no other sync begin before the transaction ends.

    Raises:
        InputError: The catalogue's schema is not this version's.
    """
    asked: Any = select(VERSION.c.version)
    found = connection.scalar(asked.with_for_update() if lock else asked)
    if found != SCHEMA_VERSION:
        raise InputError(
            f"the catalogue '{name}' has schema {found}, this version of Sparkhu knows {SCHEMA_VERSION}. Update "
            "Sparkhu, or name another catalogue in SPARKHU_CATALOGUE."
        )
