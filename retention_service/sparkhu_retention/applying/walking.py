"""Walk a plan, batch by batch: archive, verify, bury. Each step is in the journal before the next one begins."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl
from sqlalchemy import Connection

from sparkhu.errors import SparkhuError
from sparkhu_retention.applying.archive import manifest_of
from sparkhu_retention.applying.downsampling import write_downsamples
from sparkhu_retention.applying.failures import MOST_REFUSED, ItemRefused, alert, as_error, of_items
from sparkhu_retention.applying.guarding import held_back
from sparkhu_retention.applying.leases import LeaseLost
from sparkhu_retention.applying.running import Running
from sparkhu_retention.applying.settling import let_go, take_as_buried
from sparkhu_retention.applying.step import CHANGED, HELD, LET_GO, State
from sparkhu_retention.applying.verify import verify
from sparkhu_retention.database import archived, journal
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.planning.action import ARCHIVE, DELETE
from sparkhu_retention.storages.protocol import Changed


def walk(running: Running, parts: Iterable[pl.DataFrame]) -> None:
    """Do what a plan says with its items.

    Args:
        running: The run.
        parts: The actions (schema `ACTIONS`); those that keep an item, or that something holds, are passed over.

    An item that the storage cannot deal with, such as one that must not be read, stays and is counted as failed; an
    alert tells of it, and the others go on.

    Raises:
        SparkhuError: A storage or the archive failed. What the batch had begun was taken back, so far as the storage
            can be reached; else the next run takes it back.
    """
    for part in parts:
        for batch in _batches(part, running.work.batch_items, running.work.batch_bytes):
            _walk_batch(running, batch)


def _batches(part: pl.DataFrame, items: int, size: int) -> Iterator[pl.DataFrame]:
    """Cut actions into batches of one action and policy each, that are neither long nor large."""
    acting = part.filter(pl.col("action").is_in([ARCHIVE, DELETE]))
    for _, group in acting.group_by("action", "policy", "policy_version", maintain_order=True):
        so_far = group.select(pl.col("bytes").fill_null(0).cum_sum()).to_series()
        first = 0
        while first < group.height:
            before = so_far[first - 1] if first else 0
            fitting = int((so_far.slice(first) - before <= size).sum())
            height = max(1, min(items, fitting))
            yield group.slice(first, height)
            first += height


def _walk_batch(running: Running, actions: pl.DataFrame) -> None:
    running.batch += 1
    number = running.batch
    entries = _entered(running, actions, number)
    try:
        entries = _without_held(running, entries, downsampled=False)
        if entries and _prepare(running, entries, number):
            entries = _without_held(running, _of_batch(running, number))
        if entries:
            _bury(running, entries)
            running.refused = 0
    except (Changed, ItemRefused) as error:
        if len(entries) == 1:
            _leave(running, number, entries, error)
            return
        _take_back(running, number, f"taken up again, as one of its batch could not be dealt with: {error}", LET_GO)
        left = actions.filter(pl.col("id").is_in([entry.id for entry in entries]))
        for half in left.iter_slices(-(-left.height // 2)):
            _walk_batch(running, half)
    except LeaseLost:
        raise
    except SparkhuError as error:
        _fail(running, number, entries, error)
        raise
    except OSError as error:
        failure = as_error(error)
        _fail(running, number, entries, failure)
        raise failure from error


def _entered(running: Running, actions: pl.DataFrame, number: int) -> list[Entered]:
    """Write a batch down; what was written where an earlier copy waits in its tombstone is held, and left out."""
    at, uri = running.work.clock(), running.storage.uri
    with running.lease.writing() as connection:
        entered = journal.enter(connection, actions, run=running.run, batch=number, storage=uri, at=at)
        waiting = {entry.entry: entry.said or "" for entry in entered if entry.state == State.FAILED}
        held = _hold(running, connection, entered, waiting)
        entries = [entry for entry in entered if entry.entry not in waiting]
        if entries and entries[0].action == ARCHIVE:
            folder = running.archive.folder(uri, running.run, number)
            where = {"archive": running.archive.uri, "run": running.run}
            archived.open_attempt(connection, folder, **where, batch=number, at=at)
    if held:
        running.count(HELD, held)
    return entries


def _prepare(running: Running, entries: Sequence[Entered], number: int) -> bool:
    """Downsample and archive a batch; tell whether that took its time, so that what must stay is to be asked again."""
    is_downsampled = write_downsamples(running, entries)
    is_archived = entries[0].action == ARCHIVE
    if is_archived:
        _archive(running, entries, number)
    return is_downsampled or is_archived


def _leave(running: Running, number: int, entries: Sequence[Entered], error: SparkhuError) -> None:
    """Leave an item where it is, and go on; not where one after the other is refused."""
    if isinstance(error, Changed):
        _take_back(running, number, str(error), CHANGED)
        running.count(CHANGED, entries)
        return
    _take_back(running, number, str(error), State.FAILED)
    running.count("failed", entries)
    running.refused += 1
    if running.refused == MOST_REFUSED:
        raise error
    alert(error, storage=running.storage.uri, run=running.run)


def _fail(running: Running, number: int, entries: Sequence[Entered], error: SparkhuError) -> None:
    """Take back what a batch has begun; where the storage cannot be reached, the next run does."""
    running.count("failed", entries)
    try:
        _take_back(running, number, str(error), State.FAILED)
    except SparkhuError as second:
        alert(second, storage=running.storage.uri, run=running.run)


def _of_batch(running: Running, batch: int) -> list[Entered]:
    """Give the entries of a batch that nothing has left its place of."""
    begun = (State.PLANNED, State.ARCHIVED, State.VERIFIED)
    with running.work.database.reading() as connection:
        return [entry for entry in journal.of_batch(connection, running.run, batch) if entry.state in begun]


def _without_held(running: Running, entries: Sequence[Entered], *, downsampled: bool = True) -> list[Entered]:
    """Leave out what must stay, as is known now; not `downsampled`: it is about to be."""
    if not entries:
        return []
    running.lease.renew()
    back = held_back(running, entries, downsampled=downsampled)
    if back:
        with running.lease.writing() as connection:
            held = _hold(running, connection, entries, back)
            if len(held) == len(entries):
                numbers = {entry.batch for entry in held}
                archived.abandon_attempts(connection, running.run, numbers, at=running.work.clock())
        running.count(HELD, held)
    return [entry for entry in entries if entry.entry not in back]


def _hold(
    running: Running, connection: Connection, entries: Sequence[Entered], reasons: dict[int, str]
) -> list[Entered]:
    """Write down that those of the entries stay that have a reason; `reasons` has words by number."""
    held: list[Entered] = []
    for reason in dict.fromkeys(reasons.values()):
        some = [entry for entry in entries if reasons.get(entry.entry) == reason]
        held += running.move(connection, some, State.FAILED, said=f"{HELD}: {reason}", what=HELD)
    return held


def _archive(running: Running, entries: Sequence[Entered], number: int) -> None:
    """Export a batch, write it to the archive, and read it back from there."""
    archive, storage, run = running.archive, running.storage, running.run
    folder = archive.folder(storage.uri, run, number)
    with running.scratch() as scratch:
        with of_items():
            exported = list(storage.export({entry.id: entry.content for entry in entries}, scratch))
        at = running.work.clock()
        manifest = manifest_of(exported, storage=storage.uri, kind=storage.kind, run=run, batch=number, at=at)
        archive.write(folder, exported, scratch, manifest)
    files = archive.kept(folder, exported, {entry.id: entry.entry for entry in entries}, storage.uri, at)
    with running.lease.writing() as connection:
        archived.keep_files(connection, files)
        moved = running.move(connection, entries, State.ARCHIVED, files=files, folder=folder)
    with running.scratch() as scratch:
        verify(archive, folder, manifest, entries, scratch)
    with running.lease.writing() as connection:
        running.move(connection, moved, State.VERIFIED, files=files)


def _bury(running: Running, entries: Sequence[Entered]) -> None:
    with of_items():
        running.storage.bury({entry.id: entry.content for entry in entries}, running.run)
    take_as_buried(running, entries)
    if entries[0].action == ARCHIVE:
        running.count("archived", entries)


def _take_back(running: Running, number: int, said: str, what: str) -> None:
    """Take back what a batch has begun; what of it was buried is put back."""
    left = _of_batch(running, number)
    if not left:
        return
    running.lease.renew()
    wanted = {entry.id for entry in left}
    there = sorted(one.id for one in running.storage.buried() if one.mark == running.run and one.id in wanted)
    if there:
        running.storage.unbury(there, running.run)
    let_go(running, left, said, what=what)
