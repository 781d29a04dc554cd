"""Settle what is under way: what a killed run has left, and what must come back.

| a killed run left | and the next |
| --- | --- |
| planned, archived or verified, not buried | lets it go: nothing has left its place; the archive is swept of it |
| the same, but the storage has it buried, or is about to | takes it as buried, or back where something needs it now |
| purging | purges on, or brings it back where something needs it now |
| restoring | brings it back |
| buried, and no journal knows of it | brings it back: a runner that had lost its lease was late |
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.applying.failures import EVERYWHERE, alert, as_error, kind_of
from sparkhu_retention.applying.grouping import batches, by_mark, by_reason, halves
from sparkhu_retention.applying.guarding import held_back
from sparkhu_retention.applying.running import Asking, Running, objects
from sparkhu_retention.applying.step import CHANGED, HELD, LET_GO, NOT_BACK, SWEPT, State
from sparkhu_retention.database import archived, audit, journal
from sparkhu_retention.database.archived import File
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.storages.protocol import Changed

BEGUN = (State.PLANNED, State.ARCHIVED, State.VERIFIED)
Marked = set[tuple[str, str]]


def recover(running: Running) -> None:
    """Finish or take back what earlier runs have left, and sweep what they wrote to the archive in vain."""
    with running.lease.writing() as connection:
        left = journal.in_hand(connection, running.storage.uri)
    there = tombstones(running)
    _put_back_strays(running, there - {(entry.id, entry.run) for entry in left})
    begun = [entry for entry in left if entry.state in BEGUN]
    _finish_burying(running, [entry for entry in begun if (entry.id, entry.run) in there])
    let_go(running, [entry for entry in begun if (entry.id, entry.run) not in there], "its run was killed before")
    bring_back(running, [entry for entry in left if entry.state == State.RESTORING], "its restoring was cut short")
    _sweep(running)


def return_needed(running: Running) -> None:
    """Bring back what is buried and must stay: something needs it now, or its policy was changed or removed."""
    with running.lease.writing() as connection:
        buried = journal.in_hand(connection, running.storage.uri, [State.BURIED, State.PURGING])
    back = held_back(running, buried)
    by_reason(buried, back, lambda some, why: bring_back(running, some, why))


def bring_back(running: Running, entries: Sequence[Entered], why: str) -> list[Entered]:
    """Bring items back: from their tombstones, or from the archive where a run has purged them.

    Args:
        running: The run.
        entries: Buried, purging, restoring or purged.
        why: In words, for the journal.

    Returns:
        Those that are back.
    """
    back: list[Entered] = []
    there = tombstones(running) if entries else set()
    for marked in by_mark(entries).values():
        for some in batches(marked, running.work.batch_items):
            before = {entry.entry: entry.state for entry in some}
            with running.lease.writing() as connection:
                restoring = running.move(connection, some, State.RESTORING, said=why)
                files = archived.of_entries(connection, restoring)
            known = {file.entry for file in files}
            # Something else may lie where a purged item lay; only what the archive holds tells whether it is back.
            purged = [entry for entry in restoring if (entry.id, entry.run) not in there and entry.entry in known]
            gone = {entry.entry for entry in purged}
            back += _unburied(running, [entry for entry in restoring if entry.entry not in gone], there, before, why)
            for fetched in batches(purged, running.work.batch_items, running.work.batch_bytes):
                back += _put_back(running, fetched, files, before, why)
    return back


def tombstones(running: Running) -> Marked:
    """Give id and mark of all that is buried in the storage."""
    return {(one.id, one.mark) for one in running.storage.buried()}


def _unburied(
    running: Running, entries: Sequence[Entered], there: Marked, before: dict[int, str], why: str
) -> list[Entered]:
    """Bring items back from their tombstones; one that cannot be does not keep the others from it."""
    if not entries:
        return []
    try:
        running.storage.unbury([entry.id for entry in entries], entries[0].run)
    except SparkhuError as error:
        if len(entries) > 1:
            return [one for entry in entries for one in _unburied(running, [entry], there, before, why)]
        (entry,) = entries
        if (entry.id, entry.run) in there:
            return stays(running, entry, State.BURIED, error, why)
        was = before[entry.entry]
        ended = State.FAILED if was == State.BURIED else State.PURGED
        return stays(running, entry, ended, error, why, what="purged" if was == State.PURGING else NOT_BACK)
    return _are_back(running, entries, why)


def _put_back(
    running: Running, entries: Sequence[Entered], files: Sequence[File], before: dict[int, str], why: str
) -> list[Entered]:
    """Bring items back from the archive, together; one that cannot be does not keep the others from it."""
    wanted = {entry.entry for entry in entries}
    by_archive: dict[str, list[File]] = defaultdict(list)
    for file in files:
        if file.entry in wanted:
            by_archive[file.archive].append(file)
    try:
        with running.scratch() as scratch:
            fetched = [
                file for uri, some in by_archive.items() for file in running.archive_at(uri).fetch(some, scratch)
            ]
            running.storage.put_back(fetched, scratch)
    except (SparkhuError, OSError) as failed:
        error = as_error(failed) if isinstance(failed, OSError) else failed
        if len(entries) > 1 and kind_of(error) != "network":
            return [one for half in halves(entries) for one in _put_back(running, half, files, before, why)]
        for entry in entries:
            ended = State.FAILED if before[entry.entry] == State.BURIED else State.PURGED
            stays(running, entry, ended, error, why)
        return []
    return _are_back(running, entries, why)


def stays(
    running: Running, entry: Entered, state: State, error: SparkhuError, why: str, *, what: str = NOT_BACK
) -> list[Entered]:
    """Write down that an item could not be brought back; an alert tells of it, and others go on."""
    with running.lease.writing() as connection:
        running.move(connection, [entry], state, said=f"{why}; but {error}", what=what)
    running.count("failed", [entry])
    alert(error, storage=running.storage.uri, run=running.run)
    return []


def _are_back(running: Running, entries: Sequence[Entered], why: str) -> list[Entered]:
    with running.lease.writing() as connection:
        back = running.move(connection, entries, State.RESTORED, said=why)
    running.count("restored", back)
    return back


def _finish_burying(running: Running, entries: Sequence[Entered]) -> None:
    """Bury to its end what a run was killed with, but put back what must stay by now, or has changed."""
    for mark, some in by_mark(entries).items():
        running.lease.renew()
        held = _held_back(running, some)
        refused = _bury_on(running, mark, [entry for entry in some if entry.entry not in held])
        # Only now, as what is let go takes the archive's folder of its batch with it, unless others are buried.
        back = _put_back_begun(running, [entry for entry in some if entry.entry in held | refused])
        for what, reasons in ((HELD, held), (CHANGED, refused)):
            those = [entry for entry in back if entry.entry in reasons]
            by_reason(those, reasons, partial(let_go, running, what=what))
            if those:
                running.count(what, those)


def _held_back(running: Running, entries: Sequence[Entered]) -> dict[int, str]:
    """Find what must stay, as `held_back` does: all of it where policies in force contradict each other."""
    try:
        # Asked apart from this run, which keeps what it finds to be the newest: not before all of it is settled.
        held = held_back(Asking(running.work), entries)
    except InputError as error:
        held = dict.fromkeys((entry.entry for entry in entries), str(error))
    return {entry: f"{HELD}: {reason}" for entry, reason in held.items()}


def _bury_on(running: Running, mark: str, entries: Sequence[Entered]) -> dict[int, str]:
    """Bury what the storage still has as it was planned; give the reasons of what it refuses, by number."""
    if not entries:
        return {}
    try:
        running.storage.bury({entry.id: entry.content for entry in entries}, mark)
    except Changed as error:
        if len(entries) == 1:
            return {entries[0].entry: str(error)}
        first, second = halves(entries)
        return _bury_on(running, mark, first) | _bury_on(running, mark, second)
    take_as_buried(running, entries)
    return {}


def _put_back_begun(running: Running, entries: Sequence[Entered]) -> list[Entered]:
    """Put items back, and give those that are; what cannot be, as its place is taken, say, counts as buried."""
    back, buried = [], []
    for entry in entries:
        try:
            running.storage.unbury([entry.id], entry.run)
        except SparkhuError as error:
            if kind_of(error) in EVERYWHERE:
                raise
            alert(error, storage=running.storage.uri, run=running.run)
            buried.append(entry)
        else:
            back.append(entry)
    take_as_buried(running, buried)
    return back


def take_as_buried(running: Running, entries: Sequence[Entered]) -> None:
    """Write down that items are buried; their time of grace begins."""
    if not entries:
        return
    until = running.purge_at(entries)
    with running.lease.writing() as connection:
        for run, batch in {(entry.run, entry.batch) for entry in entries}:
            archived.keep_attempts(connection, run, batch)
        running.move(connection, entries, State.BURIED, purge_at=until)
    running.count("buried", entries)


def let_go(running: Running, entries: Sequence[Entered], said: str, *, what: str = LET_GO) -> None:
    """Write down that items stay where they are: nothing of them has left its place."""
    if not entries:
        return
    with running.lease.writing() as connection:
        running.move(connection, entries, State.FAILED, said=said, what=what)
        for run, batches in _batches(entries).items():
            archived.abandon_attempts(connection, run, batches, at=running.work.clock())


def _put_back_strays(running: Running, strays: Marked) -> None:
    """Bring back what no journal has as buried; the order is that of the names, so that runs can be told again."""
    by_mark: dict[str, list[str]] = defaultdict(list)
    for id_, mark in sorted(strays):
        by_mark[mark].append(id_)
    for mark, ids in by_mark.items():
        running.lease.renew()
        for one in ids:
            said = "back"
            try:
                running.storage.unbury([one], mark)
            except SparkhuError as error:
                said = str(error)
                alert(error, storage=running.storage.uri, run=running.run)
            where = {"run": running.run, "storage": running.storage.uri}
            with running.lease.writing() as connection:
                at = running.work.clock()
                audit.append(connection, "stray", at=at, who=running.work.by, **where, id=one, mark=mark, said=said)


def _sweep(running: Running) -> None:
    """Sweep what runs wrote to the archive and nothing came of."""
    if running.work.archive is None:
        return
    now = running.work.clock()
    with running.lease.writing() as connection:
        for run, batch in archived.open_batches(connection, running.storage.uri, running.run):
            archived.abandon_attempts(connection, run, [batch], at=now)
        folders = archived.abandoned(connection, running.archive.uri, at=now)
    for folder in folders:
        running.archive.sweep(folder)
    _sweep_copies(running)


def _sweep_copies(running: Running) -> None:
    """Sweep the copies of items that stayed where they are, from folders that hold others of their batch."""
    with running.work.database.reading() as connection:
        entries = archived.in_vain(connection, running.storage.uri, running.archive.uri)
    for some in batches(entries, running.work.batch_items):
        with running.work.database.reading() as connection:
            files = archived.of_entries(connection, some)
            empty = archived.emptied(connection, files)
        running.archive.files.remove([file.path for file in files])
        for _, folder in empty:
            running.archive.sweep(folder)
        with running.lease.writing() as connection:
            at = running.work.clock()
            archived.forget(connection, [entry.entry for entry in some], at=at)
            where = {"run": running.run, "storage": running.storage.uri}
            audit.append(connection, SWEPT, at=at, who=running.work.by, **where, objects=objects(some, files))


def _batches(entries: Iterable[Entered]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        found[entry.run].add(entry.batch)
    return found
