"""The other end of the archive: what a policy says is removed from there, by a plan of its own.

Files are removed first and written down as gone then: a run that is killed in between is followed by one that removes
them again, which is no matter, and none is left behind.
"""

from collections.abc import Iterator

import polars as pl
from sqlalchemy import Connection, func, select

from sparkhu_retention.applying.executor import Outcome, outcome
from sparkhu_retention.applying.guarding import held_back
from sparkhu_retention.applying.running import Running, Work, objects, running_as
from sparkhu_retention.applying.settling import recover
from sparkhu_retention.applying.step import State
from sparkhu_retention.database import archived, audit, plans
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.database.tables import ArchivedFile, Entry
from sparkhu_retention.items import ITEMS
from sparkhu_retention.planning.action import DELETE

AT_ONCE = 50_000
EXPIRED = "expired"
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


def expire(work: Work, plan: str) -> Outcome:
    """Apply a plan of what lies in the archive, as the only runner.

    Args:
        work: What the run needs.
        plan: A plan of what `archived_items` lists.

    Returns:
        How much was removed from the archive (`expired`), and what something needs now (`held`).

    Raises:
        Busy: Another runner is at work; nothing was done.
        SparkhuError: An archive or the database failed; what is left is removed by the next run.
    """
    with running_as(work, plan) as running:
        recover(running)
        first = 0
        while True:
            with work.database.reading() as connection:
                part = plans.page(connection, plan, first=first, limit=plans.ROWS_PER_PART)
            if not part.height:
                return outcome(running)
            first += part.height
            for batch in part.filter(pl.col("action") == DELETE).iter_slices(work.batch_items):
                _expire(running, batch)


def _expire(running: Running, batch: pl.DataFrame) -> None:
    running.lease.renew()
    uri = running.storage.uri
    with running.work.database.reading() as connection:
        entries = _entries(connection, batch)
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
