"""Apply a plan: settle what earlier runs have left, purge what is due, then archive, verify and bury what is due."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from sparkhu.errors import InputError
from sparkhu_retention.applying.purging import purge_due
from sparkhu_retention.applying.running import Counts, Running, Work, running_as
from sparkhu_retention.applying.settling import recover, return_needed
from sparkhu_retention.applying.walking import walk
from sparkhu_retention.database import plans


@dataclass(frozen=True)
class Outcome:
    """What a run has done.

    Attributes:
        run: Its name.
        counts: Items, rows and bytes by what was done with them: `archived`, `buried`, `purged`, `restored`, `held`
            (something needs them now), `changed` (since they were planned), `failed`.
    """

    run: str
    counts: dict[str, Counts]

    @property
    def exit_code(self) -> int:
        """1 where an item could not be dealt with, which an alert tells of; else 0."""
        failed = self.counts.get("failed")
        return int(failed is not None and failed["items"] > 0)


def apply(work: Work, plan: str | None) -> Outcome:
    """Apply a plan as the only runner, and finish first what earlier runs of the storage have left.

    A plan may be applied again after a run of it was killed: what it has dealt with is passed over.

    Args:
        work: What the run needs.
        plan: The plan; null: what is under way is settled and purged, and nothing new is begun.

    Raises:
        Busy: Another runner is at work; nothing was done.
        InputError: There is no such plan, or it is of another storage.
        SparkhuError: A storage, the archive or the database failed. An alert was raised, and the source is as it was,
            or, where the storage itself went away, is put right by the next run.
    """
    if plan is not None:
        with work.database.reading() as connection:
            planned = plans.find(connection, plan)
        if planned.storage != work.storage.uri:
            raise InputError(f"plan '{plan}' is of the storage '{planned.storage}', not of '{work.storage.uri}'.")
    with running_as(work, plan) as running:
        recover(running)
        return_needed(running)
        purge_due(running)
        if plan is not None:
            walk(running, _parts(work, plan))
        return outcome(running)


def outcome(running: Running) -> Outcome:
    """Say what a run has done so far."""
    return Outcome(running.run, running.counted())


def _parts(work: Work, plan: str) -> Iterator[pl.DataFrame]:
    """Read a plan a part at a time, none of them inside a transaction that waits for a storage."""
    first = 0
    while True:
        with work.database.reading() as connection:
            part = plans.page(connection, plan, first=first, limit=plans.ROWS_PER_PART)
        if not part.height:
            return
        yield part
        first += part.height
