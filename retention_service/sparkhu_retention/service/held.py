"""Holds: placed, and told with how many items fall under them now."""

from datetime import datetime
from itertools import chain
from typing import Final

from sparkhu.errors import SparkhuError
from sparkhu_retention.database import buried, holds
from sparkhu_retention.database.opening import Database
from sparkhu_retention.places import Place
from sparkhu_retention.planning.covering import covered
from sparkhu_retention.service.answers import HoldRequest
from sparkhu_retention.service.opening import opened_place

FAST: Final = frozenset({"folder", "lake", "runs", "features"})
"""The kinds of storages that are listed without a request an item."""
MOST_LISTED: Final = 100_000


def place(database: Database, storage: Place | None, wanted: HoldRequest, *, at: datetime, by: str) -> holds.Placed:
    """Place a hold; `storage` is that of the request.

    Raises:
        InputError: It cannot be one.
        SparkhuError: The database fails.
    """
    uri = None if storage is None else storage.uri
    said = {name: getattr(wanted, name) for name in ("dataset", "start", "end")}
    with database.writing() as connection:
        return holds.place(connection, wanted.reason, at=at, by=by, storage=uri, ids=wanted.items, **said)


def items_now(database: Database, storage: Place, placed: holds.Placed) -> int | None:
    """Count what falls under a hold now: what lies in the storage, or in its tombstones.

    Returns:
        Null where that takes long, or the storage fails: the hold stands all the same.
    """
    total, listed = 0, 0
    try:
        opened = opened_place(storage)
        if opened.kind not in FAST:
            return None
        with database.reading() as connection:
            if buried.counted(connection, storage.uri) > MOST_LISTED:
                return None
            for frame in chain(buried.buried(connection, storage.uri), opened.items()):
                listed += frame.height
                if listed > MOST_LISTED:
                    return None
                total += covered(frame, storage.uri, placed.need())
    except SparkhuError:
        return None
    return total
