"""Which items have had their rows brought to a longer period, which were read back from the archive since.

What was downsampled stands for an entry of the journal that has the same content. What came back from the archive may
have another one in its place; so for an entry that came back that of the item counts which was written since.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl
from sqlalchemy import ColumnElement, Connection, Select, delete, insert, select

from sparkhu_retention.applying.step import State
from sparkhu_retention.database.slices import slices
from sparkhu_retention.database.tables import DownsampledItem, Entry

DOWNSAMPLES: Final = pl.Schema({"entry": pl.Int64(), "to": pl.String(), "by": pl.String()})
"""Of which entry, to which period, by what."""


class Downsampled(NamedTuple):
    """A content of an item, the period it was brought to, by what, and the file that has its rows."""

    storage: str
    id: str
    content: str
    to: str
    by: str
    archive: str
    path: str
    rows: int
    bytes: int
    sha256: str
    written_at: datetime

    @property
    def holds(self) -> str:
        """What the file holds, in words."""
        return f"the downsample of '{self.id}' to {self.to} by {self.by}"


def keep(connection: Connection, rows: Sequence[Downsampled]) -> None:
    """Write down that items were downsampled; what was known of the same contents is replaced."""
    table = DownsampledItem
    for row in rows:
        same = (table.storage == row.storage) & (table.id == row.id) & (table.content == row.content)
        connection.execute(delete(table).where(same, table.to == row.to, table.by == row.by))
    if rows:
        connection.execute(insert(table), [row._asdict() for row in rows])


def of_entries(connection: Connection, entries: Sequence[int]) -> list[tuple[int, Downsampled]]:
    """Give what was downsampled of entries, by their numbers, each with the number."""
    asked = _joined(*(DownsampledItem.__table__.c[name] for name in Downsampled._fields))
    parts = (connection.execute(asked.where(Entry.entry.in_(some))) for some in slices(entries))
    return [(row[0], Downsampled(*row[1:])) for part in parts for row in part]


def frame(connection: Connection, storage: str, entries: Sequence[int] | None = None) -> pl.DataFrame:
    """Tell which entries of a storage were downsampled, of the schema `DOWNSAMPLES`; of these alone, or of all."""
    asked = _joined(DownsampledItem.to, DownsampledItem.by).where(Entry.storage == storage).distinct()
    parts = [asked] if entries is None else [asked.where(Entry.entry.in_(some)) for some in slices(entries)]
    rows = [tuple(row) for part in parts for row in connection.execute(part)]
    return pl.DataFrame(rows, schema=DOWNSAMPLES, orient="row")


def _joined(*columns: Any) -> Select[Any]:
    return select(Entry.entry, *columns).join(DownsampledItem, _stands_for())


def _stands_for() -> ColumnElement[bool]:
    table = DownsampledItem
    came_back = (Entry.state == State.RESTORED) & (table.written_at >= Entry.changed_at)
    return (table.storage == Entry.storage) & (table.id == Entry.id) & ((table.content == Entry.content) | came_back)
