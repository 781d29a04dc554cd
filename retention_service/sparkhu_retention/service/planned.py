"""Plans of the database: made of a storage, listed, and read page by page."""

import secrets
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, func, select

from sparkhu_retention.applying.failures import as_error
from sparkhu_retention.applying.step import State
from sparkhu_retention.database import plans
from sparkhu_retention.database.opening import Database
from sparkhu_retention.database.tables import Entry, Plan, PlanPart, Run
from sparkhu_retention.places import Place
from sparkhu_retention.planning.summary import ORDER, added_up, held_back, kept, totals
from sparkhu_retention.service.answers import Counted, Page, PlanAnswer, PlannedItem
from sparkhu_retention.service.notes import notes
from sparkhu_retention.service.operations import NoSuch

SHOWN: Final = list(PlannedItem.model_fields)
MOST_TOLD: Final = 200
"""So many of those who hold, and so many reasons, are kept with a plan."""
LISTED: Final = ("held", "kept", "returning")
SUMMED: Final = ("totals", "held", "kept", "returning", "notes")
ARCHIVE_TIER: Final = "archive"
"""The kind of a plan that is of a storage's archive."""
LONGEST_NAME: Final = 40
LAST: Final = timedelta(days=90)
"""How long plans are kept."""
NOTHING: Final = Counted(items=0, rows=None, bytes=0)


def plan_id(storage: str, at: datetime) -> str:
    """Name a plan: by when it was made, so that names are in order of time, and of what."""
    return f"{at:%Y%m%dT%H%M%S%f}-{storage[:LONGEST_NAME]}-{secrets.token_hex(2)}"


def make(
    database: Database,
    parts: Iterable[pl.DataFrame],
    *,
    storage: Place,
    kind: str,
    at: datetime,
    by: str,
    returning: Callable[[], pl.DataFrame | None] = lambda: None,
    file: Path | None = None,
) -> plans.Planned:
    """Keep a plan whose parts (schema `ACTIONS`) are still to come.

    `returning` tells, when all parts have come, what a run puts back first; `file` is where the storage is described.

    They are gathered in a folder of this machine first: they come as fast as the storage lists them, and whoever writes
    to the database keeps others from it. Plans of more than 90 days ago are removed.

    Raises:
        SparkhuError: The storage cannot be listed, this machine's disk is full, or the database fails.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="sparkhu-plan-") as folder:
            files, summary = _gathered(parts, Path(folder))
            back = returning()
            summary["returning"] = [] if back is None else back.to_dicts()
            told = [] if kind == ARCHIVE_TIER else notes(summary, storage, kind, file)
            summary = _cut(summary, told)
            frames, name = (pl.read_parquet(file) for file in files), plan_id(storage.name, at)
            with database.writing() as connection:
                plans.forget(connection, before=at - LAST, at=at, by=by)
                return plans.save(
                    connection, name, frames, storage=storage.uri, kind=kind, at=at, by=by, summary=summary
                )
    except OSError as error:
        raise as_error(error) from error


def _gathered(parts: Iterable[pl.DataFrame], folder: Path) -> tuple[list[Path], dict[str, Any]]:
    files, sums, holders, reasons = [], [], [], []
    for number, part in enumerate(parts):
        files.append(folder / f"{number}.parquet")
        part.write_parquet(files[-1], compression="lz4")
        sums.append(totals(part))
        holders.append(held_back(part))
        reasons.append(kept(part))
    held = sorted(_added(holders), key=lambda each: (-each["bytes"], each["held_by"]))
    done = sorted(_added(sums), key=lambda each: (each["policy"] is None, each["policy"], ORDER[each["action"]]))
    stays = sorted(_added(reasons), key=lambda each: (each["policy"] is None, each["policy"], each["reason"]))
    return files, {"totals": done, "held": held, "kept": stays}


def _cut(summary: Mapping[str, list[dict[str, Any]]], told: Sequence[str]) -> dict[str, Any]:
    """Keep the first of each list that may be long, and say among the notes of which there are more."""
    long = {name: len(summary[name]) for name in LISTED if len(summary[name]) > MOST_TOLD}
    more = [f"'{name}' lists the first {MOST_TOLD} of {number:,}" for name, number in long.items()]
    return {**summary, **{name: summary[name][:MOST_TOLD] for name in long}, "notes": [*told, *more]}


def _added(parts: Sequence[pl.DataFrame]) -> list[dict[str, Any]]:
    return added_up(parts).to_dicts() if parts else []


def listed(connection: Connection, *, after: str | None, limit: int) -> list[plans.Planned]:
    """List plans, the newest first, and one more than asked for where there are more."""
    asked = select(Plan.__table__).order_by(Plan.id.desc()).limit(limit + 1)
    if after is not None:
        asked = asked.where(Plan.id < after)
    return [plans.Planned(*row) for row in connection.execute(asked)]


def find(connection: Connection, plan: str) -> plans.Planned:
    """Give a plan.

    Raises:
        NoSuch: There is none of that name.
    """
    if connection.scalar(select(Plan.id).where(Plan.id == plan)) is None:
        raise NoSuch(f"there is no plan '{plan}'; sparkhu retention plan makes one")
    return plans.find(connection, plan)


def applied_at(connection: Connection, plan: str) -> datetime | None:
    """Tell when a plan was first applied."""
    began: datetime | None = connection.scalar(select(func.min(Run.started_at)).where(Run.plan == plan))
    return began


def past_grace(connection: Connection, now: datetime) -> dict[str, Counted]:
    """Tell by storage what is buried and past its grace: a run purges it, whatever its plan says."""
    counts = (func.count(), func.sum(Entry.rows), func.sum(Entry.bytes))
    due = Entry.state.in_([State.BURIED.value, State.PURGING.value]) & (Entry.purge_at <= now)
    found = connection.execute(select(Entry.storage, *counts).where(due).group_by(Entry.storage))
    return {
        uri: Counted(items=items, rows=None if rows is None else int(rows), bytes=int(size or 0))
        for uri, items, rows, size in found
    }


def answer(planned: plans.Planned, storage: str, began: datetime | None, past: Mapping[str, Counted]) -> PlanAnswer:
    """Answer with a plan; `past` is what `past_grace` told."""
    summed = {name: planned.summary.get(name, []) for name in SUMMED}
    of_archive = planned.kind == ARCHIVE_TIER
    return PlanAnswer(
        id=planned.id,
        storage=storage,
        tier="archive" if of_archive else "live",
        made_at=planned.made_at,
        made_by=planned.made_by,
        applied_at=began,
        past_grace=NOTHING if of_archive else past.get(planned.storage, NOTHING),
        **summed,
    )


def page(connection: Connection, plan: str, *, action: str | None, after: int, limit: int) -> Page[PlannedItem]:
    """Read items of a plan, those of one action or all, behind the row `after`."""
    asked = select(PlanPart.first, PlanPart.rows).where(PlanPart.plan == plan, PlanPart.first + PlanPart.rows > after)
    found: list[dict[str, Any]] = []
    for first, rows in connection.execute(asked.order_by(PlanPart.first)).all():
        if len(found) > limit:
            break
        part = plans.page(connection, plan, first=first, limit=rows).with_row_index("row", first)
        wanted = part.filter(pl.col("row") >= after)
        if action is not None:
            wanted = wanted.filter(pl.col("action") == action)
        found += wanted.select("row", *SHOWN).head(limit + 1 - len(found)).to_dicts()
    following = str(found[limit]["row"]) if len(found) > limit else None
    items = [PlannedItem(**{name: row[name] for name in SHOWN}) for row in found[:limit]]
    return Page(items=items, next=following)
