"""Retention on a database of its own, in this process: what the command uses, and what the service serves."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from sparkhu.errors import SparkhuError
from sparkhu_retention.applying.running import Work
from sparkhu_retention.database import audit, holds, policy_versions
from sparkhu_retention.database.opening import Database, open_database
from sparkhu_retention.database.plans import Planned
from sparkhu_retention.database.tables import Hold
from sparkhu_retention.needs.need import Need
from sparkhu_retention.places import Place, read_places
from sparkhu_retention.planning.action import ARCHIVE, DELETE
from sparkhu_retention.service import answering, held, past_runs, planned, recorded
from sparkhu_retention.service.answers import (
    Counted,
    HistoryEntry,
    HoldAnswer,
    HoldRequest,
    Page,
    PlanAnswer,
    PlannedItem,
    PolicyAnswer,
    RestoreRequest,
    RunAnswer,
    StorageAnswer,
    Tier,
)
from sparkhu_retention.service.applied import Begun, run_id
from sparkhu_retention.service.enforcing import crossing_in_force, no_policy, put_into_force, take_out_of_force
from sparkhu_retention.service.making import make_plan
from sparkhu_retention.service.opening import FoundKinds, check_no_password, needs_of, opened_place
from sparkhu_retention.service.operations import PAGE, NoSuch, Watch
from sparkhu_retention.service.paging import cursor
from sparkhu_retention.service.settings import RetentionSettings


class Embedded:
    """`sparkhu_retention.service.operations.Operations` in this process.

    Args:
        database: What the service remembers.
        places: The storages by name.
        now: Tells the time, UTC.
        file: Where the storages are described; null: nowhere.

    Raises:
        InputError: The address of a storage has a password in it.
    """

    def __init__(
        self,
        database: Database,
        places: Mapping[str, Place],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        file: Path | None = None,
    ) -> None:
        check_no_password(places.values())
        self.database, self.places, self.now, self.file = database, places, now, file
        self.uris = {name: place.uri for name, place in places.items()}
        self._kinds = FoundKinds()

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def check(self) -> None:
        """See that the database answers."""
        with self.database.reading() as connection:
            policy_versions.in_force(connection)

    def storages(self, *, kinds: bool = False) -> list[StorageAnswer]:
        """List the storages."""
        return [
            answering.storage(place, self._kinds.of(place) if kinds else place.kind) for place in self.places.values()
        ]

    def policies(self) -> list[PolicyAnswer]:
        """List the policies in force."""
        with self.database.reading() as connection:
            found = policy_versions.in_force(connection)
        return [answering.policy(version) for version in found]

    def crossing(self) -> list[str]:
        """Say which policies in force are of equal rank."""
        return crossing_in_force(self.database, self.uris)

    def versions(self, name: str) -> list[PolicyAnswer]:
        """List all versions of a policy, the newest first."""
        with self.database.reading() as connection:
            found = policy_versions.history(connection, name)
        if not found:
            raise no_policy(name)
        return answering.policy_history(found)

    def set_policy(self, document: Mapping[str, Any], *, by: str) -> PolicyAnswer:
        """Put a policy into force."""
        return self.set_policies([document], by=by)[0]

    def set_policies(self, documents: Sequence[Mapping[str, Any]], *, by: str) -> list[PolicyAnswer]:
        """Put policies into force, all or none; refused where two are about the very same, or a refresh reads it."""
        return put_into_force(self.database, documents, self.uris, self._needs(), at=self.now(), by=by)

    def remove_policy(self, name: str, *, by: str) -> PolicyAnswer:
        """Take a policy out of force; the removal is a version too."""
        return take_out_of_force(self.database, name, self.uris, at=self.now(), by=by)

    def holds(self, *, released: bool = False) -> list[HoldAnswer]:
        """List the holds."""
        asked = select(Hold.__table__).order_by(Hold.placed_at, Hold.id)
        with self.database.reading() as connection:
            rows = connection.execute(asked if released else asked.where(Hold.lifted_at.is_(None))).all()
        return [answering.hold(holds.Placed(*row), self._name) for row in rows]

    def hold(self, wanted: HoldRequest, *, by: str) -> HoldAnswer:
        """Place a hold."""
        place = self._place(wanted.storage) if wanted.storage else None
        placed = held.place(self.database, place, wanted, at=self.now(), by=by)
        there = None if place is None else held.items_now(self.database, place, placed)
        return answering.hold(placed, self._name, there)

    def release(self, hold: str, *, by: str) -> HoldAnswer:
        """End a hold."""
        with self.database.writing() as connection:
            if connection.scalar(select(Hold.id).where(Hold.id == hold)) is None:
                raise NoSuch(f"there is no hold '{hold}'; sparkhu retention hold list shows them")
            ended = holds.lift(connection, hold, at=self.now(), by=by)
        return answering.hold(ended, self._name)

    def make_plan(self, storage: str, *, by: str, tier: Tier = "live") -> PlanAnswer:
        """Plan a storage, or its archive."""
        place = self._place(storage)
        made = make_plan(
            self.database,
            place,
            self.uris,
            tier=tier,
            needs=self._needs(),
            now=self.now(),
            by=by,
            file=self.file,
        )
        return self.plan(made.id)

    def plans(self, *, after: str | None = None, limit: int = PAGE) -> Page[PlanAnswer]:
        """List plans, the newest first."""
        with self.database.reading() as connection:
            found = planned.listed(connection, after=after, limit=limit)
            past = planned.past_grace(connection, self.now())
            shown = [self._planned(connection, each, past) for each in found[:limit]]
        return Page(items=shown, next=shown[-1].id if len(found) > limit else None)

    def plan(self, plan: str) -> PlanAnswer:
        """Give a plan's totals."""
        with self.database.reading() as connection:
            past = planned.past_grace(connection, self.now())
            return self._planned(connection, planned.find(connection, plan), past)

    def planned(
        self, plan: str, *, action: str | None = None, after: str | None = None, limit: int = PAGE
    ) -> Page[PlannedItem]:
        """List the items of a plan."""
        with self.database.reading() as connection:
            planned.find(connection, plan)
            return planned.page(connection, plan, action=action, after=cursor(after), limit=limit)

    def apply(self, plan: str, *, by: str, watch: Watch, run: str | None = None) -> RunAnswer:
        """Do what a plan says."""
        from sparkhu_retention.applying.executor import apply
        from sparkhu_retention.applying.expiring import expire

        with self.database.reading() as connection:
            found = planned.find(connection, plan)
        place = self._place(self._name(found.storage) or "")
        items = sum(total["items"] for total in found.summary["totals"] if total["action"] in (ARCHIVE, DELETE))
        begun = self._begun(place, plan, by, items, run)
        does = expire if found.kind == planned.ARCHIVE_TIER else apply
        return begun.ended(does(self._work(begun, watch), plan), self.now())

    def restorable(self, wanted: RestoreRequest) -> int:
        """Count the items that would be put back."""
        return len(self._restorable(wanted))

    def comes_back(self, storage: str, items: Sequence[str], *, run: str) -> bool:
        """Tell whether any of a storage's items that a run removed last can come back; of no such storage none can."""
        from sparkhu_retention.applying.restorable import comes_back

        if storage not in self.places:
            return False
        with self.database.reading() as connection:
            return comes_back(connection, self.places[storage].uri, items, run)

    def restore(self, wanted: RestoreRequest, *, by: str, watch: Watch, run: str | None = None) -> RunAnswer:
        """Put items back, and hold them, so that the next run does not take them again."""
        from sparkhu_retention.applying.restoring import restore

        place, ids = self._place(wanted.storage), self._restorable(wanted)
        begun = self._begun(place, None, by, len(ids), run)
        return begun.ended(restore(self._work(begun, watch), ids), self.now())

    def _restorable(self, wanted: RestoreRequest) -> list[str]:
        from sparkhu_retention.applying.restorable import Choice, chosen

        choice = Choice(wanted.items or (), wanted.run, wanted.start, wanted.end)
        with self.database.reading() as connection:
            return chosen(connection, self._place(wanted.storage).uri, choice)

    def runs(self, *, limit: int = PAGE) -> list[RunAnswer]:
        """List runs, the newest first."""
        with self.database.reading() as connection:
            return past_runs.listed(connection, self._name, self.database.now(connection), limit=limit)

    def run(self, run: str) -> RunAnswer:
        """Tell how a run ended, or that it is under way."""
        with self.database.reading() as connection:
            return past_runs.find(connection, run, self._name, self.database.now(connection))

    def last_successes(self) -> Mapping[str, datetime]:
        """Tell of each storage when a run of it last ended well."""
        with self.database.reading() as connection:
            found = past_runs.last_successes(connection)
        return {place.name: found[place.uri] for place in self.places.values() if place.uri in found}

    def _begun(self, place: Place, plan: str | None, by: str, items: int, run: str | None) -> Begun:
        now = self.now()
        return Begun(self.database, place, opened_place(place), plan, by, now, items, run or run_id(now))

    def _work(self, begun: Begun, watch: Watch) -> Work:
        return begun.work(self._needs, self.now, watch, self.uris)

    def _needs(self) -> Sequence[Need]:
        return needs_of(self.places.values())

    def history(
        self,
        *,
        storage: str | None = None,
        item: str | None = None,
        policy: str | None = None,
        after: str | None = None,
        limit: int = PAGE,
    ) -> Page[HistoryEntry]:
        """List the audit log, the newest line first."""
        uri = self._place(storage).uri if storage else None
        with self.database.reading() as connection:
            rows = recorded.lines(connection, uri, item, policy, before=cursor(after), limit=limit + 1)
        entries = [recorded.entry(row, self._name) for row in rows[:limit]]
        return Page(items=entries, next=str(entries[-1].seq) if len(rows) > limit else None)

    def check_history(self) -> int:
        """Walk the chain of hashes of the audit log, and count its lines."""
        with self.database.reading() as connection:
            broken = audit.broken_at(connection)
            if broken is not None:
                raise SparkhuError(
                    f"line {broken} of the audit log is not what was written: it, or one before it, was changed or "
                    "removed behind Sparkhu's back. Compare it with a copy of the database."
                )
            return recorded.newest(connection)

    def _planned(self, connection: Connection, found: Planned, past: Mapping[str, Counted]) -> PlanAnswer:
        began = planned.applied_at(connection, found.id)
        return planned.answer(found, self._name(found.storage) or "", began, past)

    def _place(self, name: str) -> Place:
        if name not in self.places:
            known = ", ".join(f"'{each}'" for each in self.places) or "none: its file is empty or not there"
            raise NoSuch(f"there is no storage '{name}'; there is {known}")
        return self.places[name]

    def _name(self, uri: str | None) -> str | None:
        """Name the storage of a root; one that is in the file no longer is named by its address."""
        return uri and next((place.name for place in self.places.values() if place.uri == uri), answering.shown(uri))


def open_operations(settings: RetentionSettings) -> Embedded:
    """Open retention as settings say.

    Raises:
        InputError: The file of the storages or the database cannot be used.
        SparkhuError: The database fails.
    """
    places = read_places(settings.storages_file)
    return Embedded(open_database(settings.database), places, file=settings.storages_file)
