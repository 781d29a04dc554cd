"""Which items have had their rows brought to a longer period, which were read back from the archive since."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import polars as pl
from sqlalchemy import Connection, delete, insert, select

from sparkhu_retention.database.slices import slices
from sparkhu_retention.database.tables import DownsampledItem

DOWNSAMPLES: Final = pl.Schema({"id": pl.String(), "content": pl.String(), "to": pl.String(), "by": pl.String()})
"""Of which content of which item, to which period, by what."""


class Downsampled(NamedTuple):
    """A content of an item, the period it was brought to, by what, and the file that has its rows."""

    storage: str
    id: str
    content: str
    to: str
    by: str
    archive: str
    path: str
    written_at: datetime


def keep(connection: Connection, rows: Sequence[Downsampled]) -> None:
    """Write down that items were downsampled; what was known of the same contents is replaced."""
    table = DownsampledItem
    for row in rows:
        same = (table.storage == row.storage) & (table.id == row.id) & (table.content == row.content)
        connection.execute(delete(table).where(same, table.to == row.to, table.by == row.by))
    if rows:
        connection.execute(insert(table), [row._asdict() for row in rows])


def frame(connection: Connection, storage: str, ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Give what was downsampled of a storage, of the schema `DOWNSAMPLES`; of these items alone, or of all."""
    table = DownsampledItem
    asked = select(table.id, table.content, table.to, table.by).where(table.storage == storage)
    parts = [asked] if ids is None else [asked.where(table.id.in_(some)) for some in slices(ids)]
    rows = [tuple(row) for part in parts for row in connection.execute(part)]
    return pl.DataFrame(rows, schema=DOWNSAMPLES, orient="row")
