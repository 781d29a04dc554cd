"""Runs as the database has them: those of before the service began, and of every process that shares the database."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, func, select

from sparkhu.sources.secrets import redacted
from sparkhu_retention.applying.leases import is_held
from sparkhu_retention.database import journal
from sparkhu_retention.database.journal import Ran
from sparkhu_retention.database.tables import Plan, Run
from sparkhu_retention.planning.action import ARCHIVE, DELETE
from sparkhu_retention.service.answers import Counted, Failure, RunAnswer, RunState
from sparkhu_retention.service.applied import failures_of
from sparkhu_retention.service.operations import NoSuch

Name = Callable[[str | None], str | None]
"""Names the storage of a root."""


def find(connection: Connection, run: str, name: Name, now: datetime) -> RunAnswer:
    """Give a run.

    Raises:
        NoSuch: There is none of that name.
    """
    found = journal.runs(connection, id=run)
    if not found:
        raise NoSuch(f"there is no run '{run}': none of that name came to its turn; GET /v1/runs lists them")
    told = _answer(connection, found[0], name, now)
    return told.model_copy(update={"failures": [*failures_of(connection, run), *told.failures]})


def listed(connection: Connection, name: Name, now: datetime, *, limit: int) -> list[RunAnswer]:
    """List runs, the newest first, each without the items that it could not deal with."""
    return [_answer(connection, ran, name, now) for ran in journal.runs(connection, limit=limit)]


def last_successes(connection: Connection) -> dict[str, datetime]:
    """Tell by root when a run of a storage last ended with nothing that it could not deal with."""
    failed = Run.counts["failed"]["items"].as_integer()
    well = (Run.state == "done") & (failed.is_(None) | (failed == 0))
    rows = connection.execute(select(Run.storage, func.max(Run.ended_at)).where(well).group_by(Run.storage))
    return {uri: at for uri, at in rows if at is not None}


def _answer(connection: Connection, ran: Ran, name: Name, now: datetime) -> RunAnswer:
    said = [] if ran.said is None else [Failure(item=None, detail=redacted(ran.said))]
    return RunAnswer(
        id=ran.id,
        kind="restore" if ran.plan is None else "apply",
        storage=name(ran.storage) or "",
        plan=ran.plan,
        by=ran.by,
        state=_state(connection, ran, now),
        began_at=ran.started_at,
        ended_at=ran.ended_at,
        items=_items(connection, ran),
        done={what: Counted(**counted) for what, counted in ran.counts.items()},
        failures=said,
    )


def _state(connection: Connection, ran: Ran, now: datetime) -> RunState:
    """Tell how a run stands; one that was killed is written down as running until the next one finds that out."""
    if ran.state == "done" and ran.counts.get("failed", {}).get("items"):
        return RunState.FAILED
    if ran.state == "running" and not is_held(connection, ran.token, now):
        return RunState.KILLED
    return RunState(ran.state)


def _items(connection: Connection, ran: Ran) -> int | None:
    """Count what a run had to deal with, by its plan; null where there is none, or none any more."""
    totals = connection.scalar(select(Plan.summary["totals"]).where(Plan.id == ran.plan))
    return None if totals is None else sum(each["items"] for each in totals if each["action"] in (ARCHIVE, DELETE))
