"""Bring the catalogue to what a source says now, in one transaction, and read it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy import Connection, bindparam, insert, select, update

from sparkhu.catalogue.columns import METADATA
from sparkhu.catalogue.store import reading, writing
from sparkhu.catalogue.tables import SERIES, SOURCES
from sparkhu.frame import TIME

FIELDS = tuple(name for name in METADATA if name != "unique_id")
MOMENTS = ("added_at", "changed_at", "removed_at")
CATALOGUE: dict[str, pl.DataType] = {"source": pl.String(), **METADATA, **dict.fromkeys(MOMENTS, TIME)}

Values = tuple[Any, ...]


class SyncCounts(NamedTuple):
    """What a sync did to the series of its source.

    Attributes:
        added: New, or named again after they had been removed.
        changed: With other metadata than before.
        removed: No longer named; their rows are kept and not used.
        unchanged: As they were; their rows are not touched.
    """

    added: int
    changed: int
    removed: int
    unchanged: int


def sync(metadata: pl.DataFrame, source: str) -> SyncCounts:
    """Bring the series of one source to what it says now; series of other sources are not touched.

    All of it happens or none; of two syncs at once the later one waits and goes on from what the other left.

    Args:
        metadata: The columns of `METADATA`, one row a series.
        source: Name of the source that they come from.

    Raises:
        InputError: A newer version of Sparkhu made the catalogue, or `SPARKHU_CATALOGUE` cannot be read.
        SparkhuError: The database cannot be used; the catalogue is as it was.
    """
    wanted: dict[str, Values] = {row[0]: row[1:] for row in metadata.select(METADATA.keys()).iter_rows()}
    with writing() as connection:
        now = datetime.now(UTC)
        used, removed = _kept(connection, source)
        new = [series for series in wanted if series not in used and series not in removed]
        back = [series for series in wanted if series in removed]
        changed = [series for series in wanted if series in used and used[series] != wanted[series]]
        gone = [series for series in used if series not in wanted]
        _insert(connection, source, new, wanted, now)
        _update(connection, source, [*back, *changed], wanted, now)
        _remove(connection, source, gone, now)
        _stamp(connection, source, now)
    unchanged = len(wanted) - len(new) - len(back) - len(changed)
    return SyncCounts(len(new) + len(back), len(changed), len(gone), unchanged)


def catalogued(source: str = "", *, removed: bool = False) -> pl.DataFrame:
    """Read the catalogue.

    Args:
        source: Only the series of this source; empty: of all.
        removed: The removed ones too.

    Returns:
        `source`, the columns of `METADATA`, and the moments `added_at`, `changed_at` and `removed_at` (null where the
        series is in use), sorted by source and series.
    """
    asked = select(*(SERIES.c[name] for name in CATALOGUE)).order_by(SERIES.c.source, SERIES.c.unique_id)
    if source:
        asked = asked.where(SERIES.c.source == source)
    if not removed:
        asked = asked.where(SERIES.c.removed_at.is_(None))
    with reading() as connection:
        rows = [tuple(row) for row in connection.execute(asked)] if connection is not None else []
    return pl.DataFrame(rows, schema=CATALOGUE, orient="row").sort("source", "unique_id")


def synced_sources() -> dict[str, datetime]:
    """Say of every source when it was last synced."""
    with reading() as connection:
        if connection is None:
            return {}
        asked = select(SOURCES.c.name, SOURCES.c.synced_at).order_by(SOURCES.c.name)
        return {row[0]: row[1] for row in connection.execute(asked)}


def _kept(connection: Connection, source: str) -> tuple[dict[str, Values], set[str]]:
    """Read the metadata of the series in use, and which series are removed."""
    columns = [SERIES.c[name] for name in ("unique_id", "removed_at", *FIELDS)]
    rows = connection.execute(select(*columns).where(SERIES.c.source == source)).all()
    return {row[0]: tuple(row[2:]) for row in rows if row[1] is None}, {row[0] for row in rows if row[1] is not None}


def _insert(
    connection: Connection, source: str, series: Sequence[str], wanted: Mapping[str, Values], now: datetime
) -> None:
    if series:
        moments = {"added_at": now, "changed_at": now, "removed_at": None}
        rows = [
            {"source": source, "unique_id": each, **dict(zip(FIELDS, wanted[each], strict=True)), **moments}
            for each in series
        ]
        connection.execute(insert(SERIES), rows)


_ONE = (SERIES.c.source == bindparam("of_source"), SERIES.c.unique_id == bindparam("of_series"))


def _update(
    connection: Connection, source: str, series: Sequence[str], wanted: Mapping[str, Values], now: datetime
) -> None:
    if series:
        rows = [
            {"of_source": source, "of_series": each, **dict(zip(FIELDS, wanted[each], strict=True))} for each in series
        ]
        connection.execute(update(SERIES).where(*_ONE).values(changed_at=now, removed_at=None), rows)


def _remove(connection: Connection, source: str, series: Sequence[str], now: datetime) -> None:
    if series:
        rows = [{"of_source": source, "of_series": each} for each in series]
        connection.execute(update(SERIES).where(*_ONE).values(removed_at=now), rows)


def _stamp(connection: Connection, source: str, now: datetime) -> None:
    stamped = connection.execute(update(SOURCES).where(SOURCES.c.name == source).values(synced_at=now))
    if not stamped.rowcount:
        connection.execute(insert(SOURCES).values(name=source, synced_at=now))
