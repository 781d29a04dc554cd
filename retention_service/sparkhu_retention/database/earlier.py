"""Earlier copies: what is written anew where an item lay waits until that one is purged or put back.

A storage has one place for each item, and so has the journal: an item is in the hands of one run at most.
"""

from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Connection

from sparkhu_retention.applying.step import State
from sparkhu_retention.database.buried import BURIED, pages
from sparkhu_retention.database.tables import Entry

EARLIER: Final = pl.Schema({"id": pl.String(), "by": pl.String()})
"""An item, and what it waits for in words."""
WAITING: Final = ("id", "state", "purge_at")


def earlier_copies(connection: Connection, storage: str, *, now: datetime) -> pl.DataFrame:
    """List the items of which an earlier copy is buried, or is being put back, when the next run comes to them.

    What a killed run had begun with is let go by the next one before it deals with others, and what is past its time of
    grace is purged by it.

    Returns:
        Of the schema `EARLIER`.
    """
    stays = (Entry.state == State.RESTORING) | (Entry.purge_at > now)
    found = pages(connection, storage, WAITING, [*BURIED, State.RESTORING], stays)
    parts = [_told(page, now) for page in found]
    return pl.concat([pl.DataFrame(schema=EARLIER), *parts])


def _told(page: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Say what later copies wait for; those that wait for the same share the words."""
    same = page.select("state", "purge_at").unique()
    words = pl.Series("by", [waits_for(state, until, now) for state, until in same.iter_rows()], pl.String)
    joined = page.join(same.with_columns(words), on=["state", "purge_at"], nulls_equal=True)
    return joined.select(list(EARLIER))


def waits_for(state: str, purge_at: datetime | None, now: datetime) -> str:
    """Say what a later copy of an item waits for, by where the earlier one stands."""
    if purge_at is None or state not in (State.BURIED, State.PURGING):
        return "its earlier copy is being put back"
    until = f"until {purge_at:%Y-%m-%d}" if now < purge_at else f"and was to be purged on {purge_at:%Y-%m-%d}"
    return f"its earlier copy is in its tombstone {until}"
