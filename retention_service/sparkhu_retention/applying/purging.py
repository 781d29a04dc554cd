"""Purge what is due. A tombstone is the last copy but that in the archive, which is therefore read to its end first.

So is what an item was downsampled to, which of one that is removed without an archive is all that stays.
"""

from collections import defaultdict
from collections.abc import Sequence

from sparkhu.errors import SparkhuError
from sparkhu_retention.applying.archive import Damaged
from sparkhu_retention.applying.failures import EVERYWHERE, MOST_REFUSED, alert, kind_of
from sparkhu_retention.applying.grouping import batches, by_mark, by_reason, halves
from sparkhu_retention.applying.guarding import held_back
from sparkhu_retention.applying.reading_back import Failing, lost_downsamples, unreadable, warn_of_kept
from sparkhu_retention.applying.running import Running
from sparkhu_retention.applying.settling import bring_back, stays, tombstones
from sparkhu_retention.applying.step import NOT_PURGED, State
from sparkhu_retention.database import archived, journal
from sparkhu_retention.database.archived import File
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.planning.action import ARCHIVE
from sparkhu_retention.storages.protocol import Changed

WAY_OUT = "The live copy is kept in its tombstone; restore it."


def purge_due(running: Running) -> None:
    """Purge what has been buried for as long as its policy says.

    What its archive does not hold whole stays in its tombstone and is counted as failed; an alert tells of it, and the
    others go.
    """
    with running.lease.writing() as connection:
        waiting = journal.in_hand(connection, running.storage.uri, [State.BURIED, State.PURGING])
    now = running.work.clock()
    due = [entry for entry in waiting if entry.purge_at is not None and entry.purge_at <= now]
    if not due:
        return
    there = tombstones(running)
    lost = [entry for entry in due if entry.state == State.BURIED and (entry.id, entry.run) not in there]
    _give_up(running, lost)
    gone, failing = {entry.entry for entry in lost}, Failing()
    for mark, entries in by_mark(entry for entry in due if entry.entry not in gone).items():
        for some in batches(entries, running.work.batch_items):
            _purge(running, mark, _whole(running, some, failing))
    running.refused = 0


def _give_up(running: Running, lost: Sequence[Entered]) -> None:
    if not lost:
        return
    with running.lease.writing() as connection:
        running.move(connection, lost, State.FAILED, said="its tombstone is gone; nothing was purged")
    running.count("failed", lost)
    error = SparkhuError(f"{len(lost)} tombstones are gone from the storage")
    alert(error, storage=running.storage.uri, run=running.run)


def _whole(running: Running, entries: Sequence[Entered], failing: Failing) -> list[Entered]:
    """Give the entries that may be purged, for all that the archive has of them; the others stay."""
    with running.work.database.reading() as connection:
        files = archived.of_entries(connection, entries)
    known = {file.entry for file in files}
    broken: dict[int, SparkhuError] = {
        entry.entry: Damaged(f"no archive has '{entry.id}', which was to be archived.")
        for entry in entries
        if entry.action == ARCHIVE and entry.entry not in known
    }
    by_archive: dict[str, list[File]] = defaultdict(list)
    for file in files:
        by_archive[file.archive].append(file)
    for uri, some in by_archive.items():
        errors = unreadable(running, uri, some, failing)
        broken |= {file.entry: errors[file.path] for file in some if file.path in errors}
    broken |= lost_downsamples(running, [entry for entry in entries if entry.entry not in broken], failing)
    if broken:
        reasons = warn_of_kept(running, broken, "purged", WAY_OUT)
        by_reason(entries, reasons, lambda some, why: _keep(running, some, why))
    return [entry for entry in entries if entry.entry not in broken]


def _keep(running: Running, entries: Sequence[Entered], why: str) -> None:
    for state in dict.fromkeys(entry.state for entry in entries):
        some = [entry for entry in entries if entry.state == state]
        with running.lease.writing() as connection:
            running.move(connection, some, State(state), said=why, what=NOT_PURGED)
    running.count("failed", entries)


def _purge(running: Running, mark: str, entries: Sequence[Entered]) -> None:
    if not entries:
        return
    with running.lease.writing() as connection:
        entries = running.move(connection, entries, State.PURGING)
    back = held_back(running, entries)
    # Nothing stands between the last look at what is needed and the purge.
    _purge_all(running, mark, [entry for entry in entries if entry.entry not in back])
    by_reason(entries, back, lambda some, why: bring_back(running, some, why))


def _purge_all(running: Running, mark: str, entries: Sequence[Entered]) -> None:
    if not entries:
        return
    try:
        freed = running.storage.purge([entry.id for entry in entries], mark)
    except SparkhuError as error:
        if kind_of(error) in EVERYWHERE:
            raise
        if len(entries) > 1:
            for half in halves(entries):
                _purge_all(running, mark, half)
            return
        _refuse(running, entries[0], error)
        return
    running.refused = 0
    with running.lease.writing() as connection:
        running.move(connection, entries, State.PURGED, freed=freed)
    running.count("purged", entries)


def _refuse(running: Running, entry: Entered, error: SparkhuError) -> None:
    """Leave an item that the storage does not purge; not where one after the other is refused."""
    # Where somebody has written to a tombstone nothing is purged, now or later; else it is tried again.
    state = State.FAILED if isinstance(error, Changed) else State.PURGING
    stays(running, entry, state, error, "it was due to be purged", what=NOT_PURGED)
    running.refused += not isinstance(error, Changed)
    if running.refused == MOST_REFUSED:
        raise error
