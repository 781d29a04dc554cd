"""Plans, kept in parts: each is Parquet of consecutive actions, so that a page of a million is read from one or two."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy import Connection, delete, insert, select

from sparkhu.errors import InputError
from sparkhu_retention.database import audit
from sparkhu_retention.database.tables import Plan, PlanPart, Run
from sparkhu_retention.planning.action import ACTIONS

ROWS_PER_PART = 50_000
AT_ONCE = 100


class Planned(NamedTuple):
    """What is known of a plan, without its actions.

    Attributes:
        id: Its name.
        storage: URI of the storage.
        kind: The storage's kind.
        made_at: When it was made.
        made_by: By whom.
        rows: Its actions.
        policies: The version of each policy that it names.
        summary: Counts for people.
    """

    id: str
    storage: str
    kind: str
    made_at: datetime
    made_by: str
    rows: int
    policies: dict[str, int]
    summary: dict[str, Any]


def save(
    connection: Connection,
    id: str,  # noqa: A002 - its name in the table
    frames: Iterable[pl.DataFrame],
    *,
    storage: str,
    kind: str,
    at: datetime,
    by: str,
    summary: Mapping[str, Any] | None = None,
) -> Planned:
    """Keep a plan; its frames (schema `ACTIONS`) are written a part at a time.

    Returns:
        What is known of it.
    """
    rows, policies = 0, {}
    for part in _parts(frames):
        values = {"plan": id, "first": rows, "rows": part.height, "data": _parquet(part)}
        connection.execute(insert(PlanPart).values(**values))
        rows += part.height
        named = part.select("policy", "policy_version").drop_nulls().unique()
        policies.update(dict(named.rows()))
    counted = json.loads(json.dumps(summary or {}, default=str))
    plan = Planned(id, storage, kind, at, by, rows, policies, counted)
    connection.execute(insert(Plan).values(**plan._asdict()))
    told: dict[str, Any] = {"plan": id, "kind": kind, "rows": rows, "policies": policies}
    audit.append(connection, "planned", at=at, who=by, storage=storage, **told)
    return plan


def find(connection: Connection, id: str) -> Planned:  # noqa: A002 - its name in the table
    """Give a plan.

    Raises:
        InputError: There is none of that name.
    """
    row = connection.execute(select(Plan.__table__).where(Plan.id == id)).first()
    if row is None:
        raise InputError(f"there is no plan '{id}'. List the plans, or make one.")
    return Planned(*row)


def listed(connection: Connection, *, limit: int = 100, storage: str | None = None) -> list[Planned]:
    """List plans, the newest first."""
    asked = select(Plan.__table__).order_by(Plan.made_at.desc(), Plan.id).limit(limit)
    if storage is not None:
        asked = asked.where(Plan.storage == storage)
    return [Planned(*row) for row in connection.execute(asked)]


def forget(connection: Connection, *, before: datetime, at: datetime, by: str) -> int:
    """Remove plans that were made before a time, but for those that a run goes on with; the log says which.

    What was done stands in the journal and the audit log, neither of which needs the plan.

    Returns:
        How many were removed: 100 at most, which outruns those that are made.
    """
    going_on = select(Run.plan).where(Run.state == "running", Run.plan.is_not(None))
    asked = select(Plan.id).where(Plan.made_at < before, Plan.id.not_in(going_on)).order_by(Plan.id).limit(AT_ONCE)
    old = list(connection.scalars(asked))
    if old:
        connection.execute(delete(PlanPart).where(PlanPart.plan.in_(old)))
        connection.execute(delete(Plan).where(Plan.id.in_(old)))
        audit.append(connection, "plans removed", at=at, who=by, plans=old)
    return len(old)


def parts(connection: Connection, id: str) -> Iterator[pl.DataFrame]:  # noqa: A002 - its name in the table
    """Read the actions of a plan, a part at a time."""
    firsts = connection.scalars(select(PlanPart.first).where(PlanPart.plan == id).order_by(PlanPart.first)).all()
    for first in firsts:
        yield _part(connection, id, first)


def page(connection: Connection, id: str, *, first: int = 0, limit: int = 100) -> pl.DataFrame:  # noqa: A002
    """Read some actions of a plan: `limit` rows from the row `first`, counted from 0."""
    wanted = select(PlanPart.first).where(
        PlanPart.plan == id, PlanPart.first < first + limit, PlanPart.first + PlanPart.rows > first
    )
    frames = [pl.DataFrame(schema=ACTIONS)]
    for start in connection.scalars(wanted.order_by(PlanPart.first)).all():
        part = _part(connection, id, start)
        frames.append(part.slice(max(first - start, 0), first + limit - max(first, start)))
    return pl.concat(frames)


def _parts(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        for part in frame.select(list(ACTIONS)).iter_slices(ROWS_PER_PART):
            waiting.append(part)
            if sum(each.height for each in waiting) >= ROWS_PER_PART:
                yield pl.concat(waiting)
                waiting = []
    if waiting:
        yield pl.concat(waiting)


def _parquet(part: pl.DataFrame) -> bytes:
    data = io.BytesIO()
    part.write_parquet(data, compression="zstd")
    return data.getvalue()


def _part(connection: Connection, plan: str, first: int) -> pl.DataFrame:
    data = connection.scalar(select(PlanPart.data).where(PlanPart.plan == plan, PlanPart.first == first))
    return pl.read_parquet(io.BytesIO(data or b"")).cast(ACTIONS)
