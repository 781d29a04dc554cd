"""What waits in tombstones, read in pages: until the time of grace ends, it is all that a large run has moved."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import polars as pl
from sqlalchemy import JSON, ColumnElement, Connection, DateTime, String, cast, func, select, type_coerce

from sparkhu.catalogue.tables import Moment
from sparkhu_retention.applying.step import State
from sparkhu_retention.database.tables import Entry
from sparkhu_retention.items import INSTANT, ITEMS

BURIED: Final = (State.BURIED, State.PURGING)
PAGE: Final = 20_000
ENTRIES: Final = pl.Schema(
    {**ITEMS, "entry": pl.Int64(), "policy": pl.String(), "policy_version": pl.Int64(), "due": INSTANT}
)
"""Entries of the journal as items, with their numbers and what they were planned by; their `holds` were not kept."""


def counted(connection: Connection, storage: str) -> int:
    """Count what is buried."""
    asked = select(func.count()).where(Entry.storage == storage, Entry.state.in_(BURIED))
    return connection.scalar(asked) or 0


def buried(connection: Connection, storage: str) -> Iterator[pl.DataFrame]:
    """Give what is buried, in frames of the schema `ENTRIES`."""
    kinds = {name: kind for name, kind in ENTRIES.items() if name != "holds"}
    for page in pages(connection, storage, list(kinds), BURIED):
        yield page.with_columns(holds=pl.lit([], ENTRIES["holds"])).select(list(ENTRIES))


def pages(
    connection: Connection,
    storage: str,
    columns: Sequence[str],
    states: Collection[str],
    where: ColumnElement[bool] | None = None,
) -> Iterator[pl.DataFrame]:
    """Read columns of the entries in some states, in frames.

    One state comes after the other, so that the index on states finds each page; where others write meanwhile, an entry
    that goes from one to the next may come twice.

    Args:
        connection: A transaction.
        storage: URI of the storage.
        columns: The columns.
        states: The states.
        where: Which of the entries; null: all.
    """
    told = [Entry.entry, *(_as_stored(Entry.__table__.c[name]).label(name) for name in columns)]
    for state in states:
        last, asked = 0, select(*told).where(Entry.storage == storage, Entry.state == str(state))
        asked = asked if where is None else asked.where(where)
        while rows := connection.execute(asked.where(Entry.entry > last).order_by(Entry.entry).limit(PAGE)).all():
            last = rows[-1][0]
            yield _frame(columns, rows)


def _as_stored(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Leave it to the frame to give instants their zone, and to read lists: it does so a column at a time."""
    if isinstance(column.type, JSON):
        return cast(column, String)
    return type_coerce(column, DateTime()) if isinstance(column.type, Moment) else column


def _frame(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    _, *values = zip(*rows, strict=True)
    return pl.DataFrame([_series(name, each) for name, each in zip(columns, values, strict=True)])


def _series(name: str, values: Sequence[Any]) -> pl.Series:
    kind = KINDS[name]
    if isinstance(kind, pl.List):
        return pl.Series(name, values, pl.String).str.json_decode(kind)
    if isinstance(kind, pl.Datetime):
        return pl.Series(name, values, pl.Datetime(kind.time_unit)).dt.replace_time_zone(kind.time_zone)
    return pl.Series(name, values, kind)


KINDS: Final = {**ENTRIES, "state": pl.String(), "purge_at": INSTANT}
