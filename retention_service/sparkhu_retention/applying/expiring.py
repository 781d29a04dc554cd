"""The other end of the archive: what a policy says is removed from there, by a plan of its own.

Files are removed first and written down as gone then: a run that is killed in between is followed by one that removes
them again, which is no matter, and none is left behind. Where a policy wants a downsample, a copy goes only once that
was written, and is read back whole.
"""

from collections.abc import Iterator, Sequence

import polars as pl
from sqlalchemy import Connection, func, select

from sparkhu_retention.applying.executor import Outcome, outcome
from sparkhu_retention.applying.grouping import by_reason
from sparkhu_retention.applying.guarding import held_back
from sparkhu_retention.applying.reading_back import Failing, lost_downsamples, warn_of_kept
from sparkhu_retention.applying.running import Running, Work, objects, running_as
from sparkhu_retention.applying.settling import recover
from sparkhu_retention.applying.step import NOT_EXPIRED, State
from sparkhu_retention.database import archived, audit, downsampled, plans
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.database.tables import ArchivedFile, Entry
from sparkhu_retention.items import ITEMS
from sparkhu_retention.planning.action import DELETE

AT_ONCE = 50_000
EXPIRED = "expired"
WAY_OUT = "The archived copy is kept; restore it, and it is downsampled anew when it goes."
ENDED = (State.PURGED, State.RESTORED, State.FAILED)
"""Nothing of an item is under way; of one that failed, or came back, the archive may have a copy still."""


def archived_items(connection: Connection, storage: str) -> Iterator[pl.DataFrame]:
    """List the items of a storage that lie in an archive and in no tombstone, in frames of the schema `ITEMS`.

    Those that are back in the storage are among them. An item that left the storage several times is there as often;
    `content` is the number of its entry in the journal.
    """
    size = func.sum(ArchivedFile.bytes).label("bytes")
    there = (ArchivedFile.storage == storage) & ArchivedFile.gone_at.is_(None)
    files = select(ArchivedFile.entry, size).where(there).group_by(ArchivedFile.entry).subquery()
    asked = select(Entry.__table__, files.c.bytes.label("archived")).join(files, files.c.entry == Entry.entry)
    rows = connection.execute(asked.where(Entry.state.in_(ENDED)).order_by(Entry.entry)).mappings()
    while some := rows.fetchmany(AT_ONCE):
        told = [{**row, "content": str(row["entry"]), "bytes": row["archived"], "holds": []} for row in some]
        yield pl.DataFrame([{name: row[name] for name in ITEMS} for row in told], schema=ITEMS)


def archived_downsamples(connection: Connection, storage: str) -> pl.DataFrame:
    """Tell which of these items were downsampled: `content` as `archived_items` gives it, `to` and `by`."""
    return downsampled.frame(connection, storage).select(pl.col("entry").cast(pl.String).alias("content"), "to", "by")


def expire(work: Work, plan: str) -> Outcome:
    """Apply a plan of what lies in the archive, as the only runner.

    Args:
        work: What the run needs.
        plan: A plan of what `archived_items` lists.

    Returns:
        How much was removed from the archive (`expired`), what something needs now (`held`), and what stays because
        its downsample is not whole (`failed`).

    Raises:
        Busy: Another runner is at work; nothing was done.
        SparkhuError: An archive or the database failed; what is left is removed by the next run.
    """
    with running_as(work, plan) as running:
        recover(running)
        first, failing = 0, Failing()
        while True:
            with work.database.reading() as connection:
                part = plans.page(connection, plan, first=first, limit=plans.ROWS_PER_PART)
            if not part.height:
                return outcome(running)
            first += part.height
            for batch in part.filter(pl.col("action") == DELETE).iter_slices(work.batch_items):
                _expire(running, batch, failing)


def _expire(running: Running, batch: pl.DataFrame, failing: Failing) -> None:
    running.lease.renew()
    uri = running.storage.uri
    with running.work.database.reading() as connection:
        entries = _entries(connection, batch)
    entries = _downsampled(running, entries, failing)
    back = held_back(running, entries, "archive")
    if back:
        running.count("held", [entry for entry in entries if entry.entry in back])
    going = [entry for entry in entries if entry.entry not in back]
    if not going:
        return
    with running.work.database.reading() as connection:
        files = archived.of_entries(connection, going)
        empty = archived.emptied(connection, files)
    for archive in sorted({file.archive for file in files}):
        running.archive_at(archive).files.remove([file.path for file in files if file.archive == archive])
    for archive, folder in empty:
        running.archive_at(archive).sweep(folder)
    with running.lease.writing() as connection:
        at = running.work.clock()
        archived.forget(connection, [entry.entry for entry in going], at=at)
        by, told = running.work.by, objects(going, files)
        audit.append(connection, EXPIRED, at=at, who=by, run=running.run, storage=uri, objects=told)
    running.count(EXPIRED, going)


def _downsampled(running: Running, entries: Sequence[Entered], failing: Failing) -> list[Entered]:
    """Leave out what is kept because its downsample was lost, or cannot be read."""
    lost = lost_downsamples(running, entries, failing)
    if lost:
        reasons = warn_of_kept(running, lost, "removed from the archive", WAY_OUT)
        by_reason(entries, reasons, lambda some, why: _keep(running, some, why))
    return [entry for entry in entries if entry.entry not in lost]


def _keep(running: Running, entries: Sequence[Entered], why: str) -> None:
    at, by, uri = running.work.clock(), running.work.by, running.storage.uri
    with running.lease.writing() as connection:
        told = objects(entries, archived.of_entries(connection, entries))
        audit.append(connection, NOT_EXPIRED, at=at, who=by, run=running.run, storage=uri, objects=told, said=why)
    running.count("failed", entries)


def _entries(connection: Connection, batch: pl.DataFrame) -> list[Entered]:
    """Give the entries of a batch that lie in the archive still, under the policies and dates that the plan names."""
    planned = batch.select("content", "policy", "policy_version", "due").rows()
    named = {int(content): rest for content, *rest in planned}
    asked = select(Entry.__table__).where(Entry.entry.in_(sorted(named)), Entry.state.in_(ENDED))
    rows = [Entered(*row) for row in connection.execute(asked.order_by(Entry.entry))]
    there = {file.entry for file in archived.of_entries(connection, rows)}
    return [
        row._replace(**dict(zip(("policy", "policy_version", "due"), named[row.entry], strict=True)))
        for row in rows
        if row.entry in there
    ]
