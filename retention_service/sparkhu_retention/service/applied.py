"""Runs on the database: a plan that is applied, items that are put back."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, select

from sparkhu.sources.secrets import redacted
from sparkhu_retention.applying.step import NOT_BACK, NOT_EXPIRED, NOT_PURGED, State
from sparkhu_retention.database.opening import Database
from sparkhu_retention.database.tables import AuditRow
from sparkhu_retention.needs.need import Need
from sparkhu_retention.places import Place
from sparkhu_retention.service.answers import Counted, Failure, RunAnswer, RunState
from sparkhu_retention.service.operations import Watch
from sparkhu_retention.storages.protocol import RetainedStorage

if TYPE_CHECKING:
    from sparkhu_retention.applying.executor import Outcome
    from sparkhu_retention.applying.running import Counts, Work

MOST_FAILURES: Final = 100
FAILED: Final = (State.FAILED.value, NOT_BACK, NOT_EXPIRED, NOT_PURGED)
"""What the audit log has of items that a run could not deal with."""


@dataclass(frozen=True)
class Begun:
    """A run that has begun.

    Attributes:
        database: What the service remembers.
        place: The storage.
        storage: The same, open.
        plan: The plan that is applied; null: items are restored.
        by: Who asked.
        at: Since when.
        items: Items that it has to deal with.
        run: Its name.
    """

    database: Database
    place: Place
    storage: RetainedStorage
    plan: str | None
    by: str
    at: datetime
    items: int
    run: str

    def work(
        self,
        needs: Callable[[], Sequence[Need]],
        clock: Callable[[], datetime],
        watch: Watch,
        storages: Mapping[str, str],
    ) -> "Work":
        """Give what the run needs; `storages` has the URIs of all storages by name.

        Raises:
            InputError: The archive is no place that can be written to.
        """
        from sparkhu_retention.applying.archive import Archive
        from sparkhu_retention.applying.running import Work

        return Work(
            database=self.database,
            storage=self.storage,
            archive=None if self.place.archive is None else Archive(self.place.archive),
            needs=needs,
            by=self.by,
            clock=clock,
            told=lambda counts: watch(self.answer(counts)),
            storages=storages,
            run=self.run,
        )

    def answer(self, counts: "Mapping[str, Counts]") -> RunAnswer:
        """Tell how far it is; `counts` has items, rows and bytes by what was done."""
        return RunAnswer(
            id=self.run,
            kind="restore" if self.plan is None else "apply",
            storage=self.place.name,
            plan=self.plan,
            by=self.by,
            state=RunState.RUNNING,
            began_at=self.at,
            ended_at=None,
            items=self.items,
            done={what: Counted(**counted) for what, counted in counts.items()},
            failures=[],
        )

    def ended(self, outcome: "Outcome", at: datetime) -> RunAnswer:
        """Tell how it ended, and of the first items that it could not deal with."""
        with self.database.reading() as connection:
            failures = failures_of(connection, outcome.run)
        state = RunState.FAILED if outcome.exit_code else RunState.DONE
        told: dict[str, Any] = {"ended_at": at, "failures": failures, "state": state}
        return self.answer(outcome.counts).model_copy(update=told)


def run_id(at: datetime) -> str:
    """Name a run: by when it begins, so that names are in order of time."""
    return f"{at:%Y%m%dt%H%M%S}-{secrets.token_hex(4)}"


def failures_of(connection: Connection, run: str) -> list[Failure]:
    """Read which items a run could not deal with; those that turned out to be held, or to have changed, are none."""
    asked = select(AuditRow.detail).where(AuditRow.run == run, AuditRow.what.in_(FAILED)).order_by(AuditRow.number)
    failures: list[Failure] = []
    with connection.execute(asked.execution_options(yield_per=1)) as rows:
        for row in rows.scalars():
            told = json.loads(row)
            said, first = redacted(told.get("said", "")), told["objects"][: MOST_FAILURES - len(failures)]
            failures += [Failure(item=each["id"], detail=said) for each in first]
            if len(failures) == MOST_FAILURES:
                break
    return failures
