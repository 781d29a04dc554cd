"""The journal: every item that a run deals with, and how far it has come. It is written before a storage is touched."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, insert, select, update

from sparkhu_retention.applying.step import State
from sparkhu_retention.database.buried import ENTRIES, PAGE
from sparkhu_retention.database.earlier import waits_for
from sparkhu_retention.database.slices import slices
from sparkhu_retention.database.tables import ACTIVE, Entry, Run


class Entered(NamedTuple):
    """An item in the journal: what the plan said of it, and

    - `entry`: its number; `run`: the run, which marks what it buries; `batch`: counted from 1 in the run.
    - `state`: where it stands (`sparkhu_retention.applying.step.State`), since `changed_at`.
    - `purge_at`: the end of the grace period; null before it is buried.
    - `said`: why it failed or came back.
    """  # noqa: D415

    entry: int
    run: str
    batch: int
    storage: str
    id: str
    dataset: str
    line: str | None
    start: datetime | None
    end: datetime | None
    rows: int | None
    bytes: int | None
    content: str
    tags: list[str]
    action: str
    policy: str
    policy_version: int
    due: datetime | None
    state: str
    entered_at: datetime
    changed_at: datetime
    purge_at: datetime | None
    said: str | None


class Ran(NamedTuple):
    """A run: `state` is `running`, `done`, `failed` or `killed`; `counts` has items, rows and bytes by what it did."""

    id: str
    plan: str | None
    storage: str
    archive: str | None
    by: str
    token: int
    started_at: datetime
    ended_at: datetime | None
    state: str
    said: str | None
    counts: dict[str, Any]


def enter(
    connection: Connection, actions: pl.DataFrame, *, run: str, batch: int, storage: str, at: datetime
) -> list[Entered]:
    """Write down that a run is about to deal with items (schema `ACTIONS`), and give them with their numbers.

    Items that are in the hands of a run are left out, and those that this plan has dealt with. Where a run has an
    earlier copy of an item in hand, the item comes as one that failed, and `said` tells what it waits for.
    """
    done, waiting = _taken(connection, actions, run=run, storage=storage, at=at)
    rows: list[dict[str, Any]] = [
        {
            **{name: row[name] for name in ("id", "line", "start", "end", "rows", "bytes", "action", "due")},
            "dataset": row["dataset"] or "",
            "content": row["content"] or "",
            "tags": list(row["tags"] or ()),
            "policy": row["policy"] or "",
            "policy_version": row["policy_version"] or 0,
            "run": run,
            "batch": batch,
            "storage": storage,
            "state": State.FAILED.value if row["id"] in waiting else State.PLANNED.value,
            "entered_at": at,
            "changed_at": at,
            "said": waiting.get(row["id"]),
        }
        for row in actions.iter_rows(named=True)
        if row["id"] not in done
    ]
    if rows:
        connection.execute(insert(Entry), rows)
    return of_batch(connection, run, batch)


def move(
    connection: Connection,
    entries: Iterable[Entered],
    state: State,
    *,
    at: datetime,
    said: str | None = None,
    purge_at: Sequence[datetime] | None = None,
) -> list[Entered]:
    """Bring entries to a state; give them as they are then."""
    moved = [entry._replace(state=state.value, changed_at=at, said=said) for entry in entries]
    if purge_at is not None:
        moved = [entry._replace(purge_at=until) for entry, until in zip(moved, purge_at, strict=True)]
    if not moved:
        return moved
    change = (
        update(Entry.__table__)  # type: ignore[arg-type]
        .where(Entry.entry == bindparam("number"))
        .values(state=bindparam("to"), changed_at=at, said=said, purge_at=bindparam("until"))
    )
    connection.execute(change, [{"number": one.entry, "to": one.state, "until": one.purge_at} for one in moved])
    return moved


def of_batch(connection: Connection, run: str, batch: int) -> list[Entered]:
    """Give the entries of a batch."""
    return _read(connection, _all().where(Entry.run == run, Entry.batch == batch).order_by(Entry.entry))


def in_hand(connection: Connection, storage: str, states: Iterable[str] = ACTIVE) -> list[Entered]:
    """Give the entries of a storage that a run has begun with and none has ended."""
    asked = _all().where(Entry.storage == storage, Entry.state.in_([str(state) for state in states]))
    return _read(connection, asked.order_by(Entry.entry))


def removed(
    connection: Connection,
    storage: str,
    *,
    ids: Sequence[str] | None = None,
    run: str | None = None,
    entries: Sequence[int] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[Entered]:
    """Give for each item of a storage the newest entry by which it has left its place, whatever became of it since.

    Args:
        connection: A transaction.
        storage: URI of the storage.
        ids: These items alone; null: all.
        run: Only what this run has removed last; null: any.
        entries: These of `left_by` alone, by their numbers; null: all.
        start: Only what ends after it; null: whatever it covers.
        end: Only what starts before it; null: whatever it covers.
    """
    meets = _all().where(*_meeting(start, end))
    found: list[Entered] = []
    if entries is not None:
        asked = [meets.where(Entry.entry.in_(some)) for some in slices(entries)]
    else:
        asked = [
            meets.where(*_left(storage, run, some)) for some in ([None] if ids is None else slices(sorted(set(ids))))
        ]
    for each in asked:
        found += _read(connection, each)
    return sorted(found, key=lambda entry: entry.entry)


def left_by(connection: Connection, storage: str, *, run: str | None = None) -> pl.DataFrame:
    """Give `entry` and `id` of what `removed` gives, in order of the entries."""
    asked = select(Entry.entry, Entry.id).where(*_left(storage, run, None)).order_by(Entry.entry)
    parts = connection.execute(asked.execution_options(yield_per=PAGE)).partitions()
    schema = {"entry": pl.Int64(), "id": pl.String()}
    frames = [pl.DataFrame([tuple(row) for row in part], schema=schema, orient="row") for part in parts]
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def _left(storage: str, run: str | None, ids: Sequence[str] | None) -> list[ColumnElement[bool]]:
    """Choose the newest entry by which each item has left its place."""
    left = (Entry.storage == storage) & Entry.purge_at.is_not(None)
    if run is not None:
        left &= Entry.id.in_(select(Entry.id).where(Entry.storage == storage, Entry.run == run))
    if ids is not None:
        left &= Entry.id.in_(ids)
    newest = Entry.entry.in_(select(func.max(Entry.entry)).where(left).group_by(Entry.id))
    return [newest] if run is None else [newest, Entry.run == run]


def _meeting(start: datetime | None, end: datetime | None) -> list[ColumnElement[bool]]:
    """Choose what covers anything of `[start, end)`; what has no date meets none, an instant where it lies within."""
    if start is None and end is None:
        return []
    found: list[ColumnElement[bool]] = [Entry.start.is_not(None), Entry.end.is_not(None)]
    if start is not None:
        found.append((Entry.end > start) | (Entry.start >= start))
    if end is not None:
        found.append(Entry.start < end)
    return found


def history(
    connection: Connection,
    *,
    after: int = 0,
    limit: int = 100,
    storage: str | None = None,
    run: str | None = None,
    state: str | None = None,
    id: str | None = None,  # noqa: A002 - its name in the table
) -> list[Entered]:
    """List entries behind the number `after`, the oldest first."""
    asked = _all().where(Entry.entry > after).order_by(Entry.entry).limit(limit)
    for column, wanted in ((Entry.storage, storage), (Entry.run, run), (Entry.state, state), (Entry.id, id)):
        if wanted is not None:
            asked = asked.where(column == wanted)
    return _read(connection, asked)


def begin(connection: Connection, run: Ran) -> None:
    """Write down that a run begins; those of its storage that were running have been killed."""
    killed = update(Run).where(Run.storage == run.storage, Run.state == "running")
    connection.execute(killed.values(state="killed", ended_at=run.started_at))
    connection.execute(insert(Run).values(**run._asdict()))


def end(
    connection: Connection, run: str, state: str, *, at: datetime, said: str | None, counts: dict[str, Any]
) -> None:
    """Write down how a run ended."""
    connection.execute(update(Run).where(Run.id == run).values(state=state, ended_at=at, said=said, counts=counts))


def runs(connection: Connection, *, limit: int = 100, storage: str | None = None, id: str | None = None) -> list[Ran]:  # noqa: A002
    """List runs, the newest first."""
    asked = select(Run.__table__).order_by(Run.started_at.desc(), Run.token.desc()).limit(limit)
    for column, wanted in ((Run.storage, storage), (Run.id, id)):
        if wanted is not None:
            asked = asked.where(column == wanted)
    return [Ran(*row) for row in connection.execute(asked)]


def frame(entries: Sequence[Entered]) -> pl.DataFrame:
    """Give entries in a frame of the schema `ENTRIES`."""
    named: dict[str, list[Any]] = {
        name: [getattr(entry, name) for entry in entries] for name in ENTRIES if name != "holds"
    }
    return pl.DataFrame({**named, "holds": [[] for _ in entries]}, schema=ENTRIES)


def _all() -> Select[Any]:
    return select(Entry.__table__)


def _read(connection: Connection, asked: Select[Any]) -> list[Entered]:
    return [Entered(*row) for row in connection.execute(asked)]


def _taken(
    connection: Connection, actions: pl.DataFrame, *, run: str, storage: str, at: datetime
) -> tuple[set[str], dict[str, str]]:
    """Tell which items are dealt with, and what others wait for: those that were written anew since."""
    plan = select(Run.plan).where(Run.id == run).scalar_subquery()
    is_ours = Entry.run.in_(select(Run.id).where(Run.plan == plan))
    asked = select(Entry.id, Entry.content, Entry.state, Entry.purge_at, is_ours.label("is_ours")).where(
        Entry.storage == storage, Entry.state.in_(ACTIVE) | (is_ours & (Entry.state == State.PURGED))
    )
    contents = dict(actions.select("id", pl.col("content").fill_null("")).iter_rows())
    done: set[str] = set()
    waiting: dict[str, str] = {}
    for some in slices(list(contents)):
        for row in connection.execute(asked.where(Entry.id.in_(some))):
            if row.is_ours or row.content == contents[row.id]:
                done.add(row.id)
            else:
                waiting[row.id] = waits_for(row.state, row.purge_at, at)
    return done, waiting
