"""Which items can come back, and which of them are meant: by id, pattern, run or the time that they cover."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from sparkhu.errors import InputError
from sparkhu_retention.applying.step import State
from sparkhu_retention.database import archived, journal
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.policies.patterns import expression

IN_TOMBSTONES: Final = (State.BURIED, State.PURGING)
FROM_ARCHIVE: Final = (State.PURGED, State.FAILED)
"""Their tombstones are gone, so that they come back from the archive or not at all."""
BACK: Final = (State.RESTORED, State.RESTORING)
UNDER_WAY: Final = (State.PLANNED, State.ARCHIVED, State.VERIFIED, State.RESTORING)
"""A killed run has left it so; the next finds out whether it has left its place."""
WILD: Final = re.compile(r"[*?]")
HISTORY: Final = "sparkhu retention history shows what was removed, and by which run."


@dataclass(frozen=True)
class Choice:
    """What is to come back; what several fields say must all be so.

    Attributes:
        items: Ids, or patterns of them as in policies; empty: any.
        run: The run that removed them last; null: any.
        start: They end after it; null: whatever they cover.
        end: They start before it; null: whatever they cover.
    """

    items: Sequence[str] = ()
    run: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def chosen(connection: Connection, storage: str, choice: Choice) -> list[str]:
    """Give the ids of a storage's items that are meant and can come back; those that are back already are left out.

    Those that no archive has are passed over where a pattern, a run or a time means others beside them.

    Raises:
        InputError: No such run took anything out, a name, a pattern or all of it means nothing that was removed, or
            what is named, or all that is meant, can come back no more.
    """
    if choice.run is not None and journal.left_by(connection, storage, run=choice.run).is_empty():
        raise InputError(
            f"field 'run' must be a run that took items out of the storage, got '{choice.run}'. {HISTORY} Of what a "
            "run purges, the details name the run that took it out as 'mark'."
        )
    if choice.items:
        covering = _named(connection, storage, choice)
    else:
        covering = journal.removed(connection, storage, run=choice.run, start=choice.start, end=choice.end)
    meant = restorable(connection, covering)
    here = {entry.entry for entry in meant}
    lost = [entry for entry in covering if entry.entry not in here and entry.state not in BACK]
    refused = next((entry for entry in lost if entry.id in choice.items), None)
    if refused is not None:
        raise _lost(connection, refused)
    if not meant and len(lost) == len(covering):
        if lost:
            raise _lost(connection, lost[0], others=len(lost) - 1)
        raise InputError(f"nothing that was removed is meant by these fields. {HISTORY}")
    return [entry.id for entry in meant]


def comes_back(connection: Connection, storage: str, ids: Sequence[str], run: str) -> bool:
    """Tell whether any of some items that a run has removed last can come back."""
    return bool(restorable(connection, journal.removed(connection, storage, ids=ids, run=run)))


def restorable(connection: Connection, found: Sequence[Entered]) -> list[Entered]:
    """Give what can come back: what lies in a tombstone, and what has left it and the archive has."""
    kept = archived.holding(connection, [entry.entry for entry in found if entry.state in FROM_ARCHIVE])
    return [entry for entry in found if entry.state in IN_TOMBSTONES or entry.entry in kept]


def check_removed(connection: Connection, storage: str, ids: Sequence[str]) -> None:
    """Refuse items that nothing has removed, or that can come back no more; those that are back are no matter.

    Raises:
        InputError: One is such; the message names it.
    """
    found = journal.removed(connection, storage, ids=ids)
    known = {entry.id for entry in restorable(connection, found)}
    known |= {entry.id for entry in found if entry.state == State.RESTORED}
    known |= {entry.id for entry in journal.in_hand(connection, storage, UNDER_WAY)}
    lacking = next((one for one in ids if one not in known), None)
    if lacking is not None:
        gone = next((entry for entry in found if entry.id == lacking), None)
        raise _not_removed(lacking) if gone is None else _lost(connection, gone)


def _named(connection: Connection, storage: str, choice: Choice) -> list[Entered]:
    """Give what ids and patterns mean; what is the id of an item is no pattern."""
    start, end = choice.start, choice.end
    if not any(map(WILD.search, choice.items)):
        check_removed(connection, storage, choice.items)
        return journal.removed(connection, storage, ids=choice.items, run=choice.run, start=start, end=end)
    left = journal.left_by(connection, storage, run=choice.run)
    ids, meant = left["id"], set[int]()
    for item in dict.fromkeys(choice.items):
        fitting = (ids == item).arg_true()
        if not len(fitting) and WILD.search(item):
            fitting = ids.str.contains(expression(item)).arg_true()
        if not len(fitting):
            raise _not_removed(item)
        meant.update(left["entry"].gather(fitting))
    return journal.removed(connection, storage, entries=sorted(meant), start=start, end=end)


def _not_removed(item: str) -> InputError:
    return InputError(
        f"field 'items' must name what was removed from the storage; '{item}' was not, by what the journal says. "
        f"{HISTORY}"
    )


def _lost(connection: Connection, entry: Entered, *, others: int = 0) -> InputError:
    """Say why an item, and others with it, can come back no more."""
    left = archived.left_at(connection, entry.entry)
    why = (
        "it was removed without a copy in an archive, and its tombstone is gone"
        if left is None
        else f"its tombstone is gone, and its copy left the archive on {left:%Y-%m-%d}"
    )
    also = f" Of the {others:,} others that are meant none can either." if others else ""
    return InputError(f"'{entry.id}' cannot be restored: {why}.{also} {HISTORY}")
