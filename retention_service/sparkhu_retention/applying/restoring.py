"""Restore items: from their tombstones before the purge, from the archive after it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sparkhu.errors import InputError
from sparkhu_retention.applying.executor import Outcome, outcome
from sparkhu_retention.applying.restorable import check_removed, restorable
from sparkhu_retention.applying.running import Running, Work, running_as
from sparkhu_retention.applying.settling import bring_back, recover
from sparkhu_retention.applying.step import State
from sparkhu_retention.database import archived, holds, journal
from sparkhu_retention.database.journal import Entered


def restore(work: Work, ids: Sequence[str] | None = None, *, run: str | None = None, hold: bool = True) -> Outcome:
    """Bring items back, as the only runner.

    Args:
        work: What the run needs; its archive is where purged items lie.
        ids: The items; null: all that `run` has removed.
        run: The run whose items come back; null: whichever removed them last.
        hold: Place a hold on them, so that the next run does not remove them again; lift it when they may go.

    Returns:
        How many are back (`restored`), and how many could not be brought back (`failed`).

    Raises:
        Busy: Another runner is at work; nothing was done.
        InputError: Neither items nor a run are named, or one of the items is not removed; no run has begun.
        SparkhuError: A storage, the archive or the database failed.
    """
    if ids is None and run is None:
        raise InputError("ids or run must name what is to come back.")
    uri = work.storage.uri
    if ids is not None:
        with work.database.reading() as connection:
            check_removed(connection, uri, ids)
    with running_as(work, None) as running:
        recover(running)
        with running.lease.writing() as connection:
            wanted = restorable(connection, journal.removed(connection, uri, ids=ids, run=run))
        with _held(running, wanted if hold else []):
            bring_back(running, wanted, f"restored by {work.by}")
        return outcome(running)


@contextmanager
def _held(running: Running, entries: Sequence[Entered]) -> Iterator[None]:
    """Hold items from before they come back until somebody lifts the hold, those that did not come back among them.

    Nothing is purged or expired that was asked back, so a restore that failed can be done again. Only what cannot come
    back, as it is gone and no archive has it, is let go in the end.
    """
    if not entries:
        yield
        return
    work, ids = running.work, [entry.id for entry in entries]
    uri = work.storage.uri
    with running.lease.writing() as connection:
        why = f"restored by {work.by}"
        placed = holds.place(connection, why, at=work.clock(), by=work.by, storage=uri, ids=ids)
    yield
    with running.lease.writing() as connection:
        there = journal.removed(connection, uri, ids=ids)
        gone = [entry for entry in there if entry.state in (State.PURGED, State.FAILED)]
        kept = {file.entry for file in archived.of_entries(connection, gone)}
        lost = {entry.id for entry in gone if entry.entry not in kept}
        holds.narrow(connection, placed, [each for each in ids if each not in lost], at=work.clock(), by=work.by)
