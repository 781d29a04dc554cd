"""Holds that people place: what they cover stays, whatever a policy says, until they are lifted."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, update

from sparkhu.errors import InputError
from sparkhu_retention.database import audit
from sparkhu_retention.database.tables import Hold
from sparkhu_retention.needs.need import Need
from sparkhu_retention.needs.places import EVERYWHERE, path_within, place_of


class Placed(NamedTuple):
    """A hold; a null `storage` or `dataset` means all of them, `ids` that it is of these items alone."""

    id: str
    reason: str
    storage: str | None
    dataset: str | None
    start: datetime | None
    end: datetime | None
    ids: list[str] | None
    placed_at: datetime
    placed_by: str
    lifted_at: datetime | None
    lifted_by: str | None

    def need(self) -> Need:
        """Say it as a need of its storage, or of all."""
        by, where = f"hold '{self.id}': {self.reason}", self.storage or EVERYWHERE
        return Need(by, where, self.dataset, self.start, self.end, frozenset(self.ids or ()))

    def covers(self, storage: str) -> bool:
        """Tell whether it is of a storage, however its URI is written, or of one that has a place in common with it."""
        if self.storage is None:
            return True
        held, root = place_of(self.storage), place_of(storage)
        return path_within(held, root) is not None or path_within(root, held) is not None


def place(
    connection: Connection,
    reason: str,
    *,
    at: datetime,
    by: str,
    storage: str | None = None,
    dataset: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    ids: Sequence[str] | None = None,
) -> Placed:
    """Place a hold on data that overlap `[start, end)`; null bounds reach to the first and the last.

    Raises:
        InputError: The reason is empty, the interval is, or `ids` come without their storage.
    """
    if not reason.strip():
        raise InputError("reason must say why the data are held, got an empty text.")
    if start is not None and end is not None and start >= end:
        raise InputError(f"end must lie behind start, got {start.isoformat()} to {end.isoformat()}.")
    if ids is not None and (storage is None or not ids):
        raise InputError("ids must name items of a storage, which is to be given too; leave ids out to hold them all.")
    named = uuid.uuid4().hex[:12]
    listed = None if ids is None else sorted(set(ids))
    hold = Placed(named, reason, storage, dataset, start, end, listed, at, by, None, None)
    connection.execute(insert(Hold).values(**hold._asdict()))
    audit.append(connection, "hold placed", at=at, who=by, storage=storage, **_told(hold))
    return hold


def lift(connection: Connection, id: str, *, at: datetime, by: str) -> Placed:  # noqa: A002 - its name in the table
    """Lift a hold; one that was lifted before stays as it is.

    Raises:
        InputError: There is none of that name.
    """
    row = connection.execute(select(Hold.__table__).where(Hold.id == id)).first()
    if row is None:
        raise InputError(f"there is no hold '{id}'. List the holds.")
    hold = Placed(*row)
    if hold.lifted_at is not None:
        return hold
    connection.execute(update(Hold).where(Hold.id == id).values(lifted_at=at, lifted_by=by))
    audit.append(connection, "hold lifted", at=at, who=by, storage=hold.storage, **_told(hold))
    return hold._replace(lifted_at=at, lifted_by=by)


def narrow(connection: Connection, hold: Placed, ids: Sequence[str], *, at: datetime, by: str) -> None:
    """Leave a hold on some of its items alone, or lift it where these are none."""
    left = sorted(set(ids))
    if not left:
        lift(connection, hold.id, at=at, by=by)
    elif left != hold.ids:
        connection.execute(update(Hold).where(Hold.id == hold.id).values(ids=left))
        told = _told(hold._replace(ids=left))
        audit.append(connection, "hold narrowed", at=at, who=by, storage=hold.storage, **told)


def standing(connection: Connection, storage: str | None = None) -> list[Placed]:
    """List the holds that were not lifted, those that cover a storage or all, the oldest first."""
    asked = select(Hold.__table__).where(Hold.lifted_at.is_(None)).order_by(Hold.placed_at, Hold.id)
    found = [Placed(*row) for row in connection.execute(asked)]
    return found if storage is None else [hold for hold in found if hold.covers(storage)]


def _told(hold: Placed) -> dict[str, Any]:
    named = {"hold": hold.id, "reason": hold.reason, "dataset": hold.dataset, "ids": hold.ids}
    return {**named, "start": hold.start and hold.start.isoformat(), "end": hold.end and hold.end.isoformat()}
