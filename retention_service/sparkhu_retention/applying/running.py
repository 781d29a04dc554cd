"""What a run works with, and what it has done so far."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

import polars as pl
from sqlalchemy import Connection

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.applying.archive import Archive
from sparkhu_retention.applying.failures import alert
from sparkhu_retention.applying.leases import LASTS, RunnerLease, held
from sparkhu_retention.applying.step import State
from sparkhu_retention.database import audit, journal, policy_versions
from sparkhu_retention.database.archived import File, of_entries
from sparkhu_retention.database.journal import Entered, Ran
from sparkhu_retention.database.opening import Database
from sparkhu_retention.items import INSTANT
from sparkhu_retention.needs.need import Need
from sparkhu_retention.policies.policy import Policy
from sparkhu_retention.storages.protocol import RetainedStorage


class Counts(TypedDict):
    """How much a run has dealt with in one way; `rows` are null where no item is known to have any."""

    items: int
    rows: int | None
    bytes: int


def nothing() -> Counts:
    """Count nothing."""
    return {"items": 0, "rows": None, "bytes": 0}


@dataclass(frozen=True)
class Work:
    """What a run needs.

    Attributes:
        database: The service's.
        storage: The storage that is retained.
        archive: Where its items are archived; null: nothing can be.
        needs: Asks anew what still needs data of the storage, beside the holds in the database.
        by: Who runs it, for the audit log.
        clock: Tells the time, UTC.
        scratch: Folder for what is on its way to the archive; null: the system's.
        batch_items: Most items of a batch.
        batch_bytes: Bytes after which a batch takes no further item.
        lease_lasts: How long the lease counts without being renewed.
        beat: Whether a thread renews it.
        told: Is told what was done so far, by kind: items, rows, bytes.
        storages: The URIs of all storages by name, as policies may name them.
        run: The run's name, which no other run has; null: one is made.
    """

    database: Database
    storage: RetainedStorage
    archive: Archive | None
    needs: Callable[[], Sequence[Need]]
    by: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    scratch: Path | None = None
    batch_items: int = 1000
    batch_bytes: int = 1 << 30
    lease_lasts: timedelta = LASTS
    beat: bool = True
    told: Callable[[dict[str, Any]], None] = lambda _: None
    storages: Mapping[str, str] = field(default_factory=dict)
    run: str | None = None


@dataclass
class Asking:
    """What is asked before anything is done: of the storage, of the database, and of what needs data.

    Attributes:
        work: What a run needs.
        listed: What `sparkhu_retention.planning.newest.versions` gave of all that lies in the storage, where a plan has
            just listed it; null: it is listed when it is asked for.
        kept: The versions that policies keep as the newest (`sparkhu_retention.planning.keeping.KEPT`); null: they were
            not asked for yet.
    """

    work: Work
    listed: Sequence[pl.DataFrame] | None = field(default=None, kw_only=True)
    kept: pl.DataFrame | None = field(default=None, kw_only=True)
    _policies: dict[tuple[str, int], Policy] = field(default_factory=dict, kw_only=True)

    @property
    def storage(self) -> RetainedStorage:
        """The storage that is retained."""
        return self.work.storage

    def policy(self, name: str, version: int) -> Policy:
        """Give a version of a policy, such as the one that a plan saw."""
        if (name, version) not in self._policies:
            with self.work.database.reading() as connection:
                found = policy_versions.history(connection, name)
            document = next((each.document for each in found if each.version == version), None)
            if document is None:
                raise InputError(f"there is no version {version} of the policy '{name}'. Plan anew.")
            self._policies[name, version] = Policy.model_validate(document)
        return self._policies[name, version]

    def needs(self) -> Sequence[Need]:
        """Ask what needs data of the storage now."""
        return self.work.needs()


@dataclass
class Running(Asking):
    """A run that holds the lease.

    Attributes:
        lease: The lease.
        run: Its name, which marks what it buries.
        counts: Items, rows and bytes by what was done; rows are null where no item is known to have any.
        batch: The batch that it is at, from 1.
        refused: How many items the storage could not deal with since the last that it could.
    """

    lease: RunnerLease
    run: str
    counts: dict[str, Counts] = field(default_factory=lambda: defaultdict(nothing))
    batch: int = 0
    refused: int = 0

    @property
    def archive(self) -> Archive:
        """The archive.

        Raises:
            InputError: There is none.
        """
        if self.work.archive is None:
            raise InputError(
                f"archive must be given: a policy archives items of '{self.storage.uri}'. Write the field 'archive' of "
                "that storage into the storages' file, or `without_archive: true` into the policy."
            )
        return self.work.archive

    def archive_at(self, uri: str) -> Archive:
        """Open the archive that something lies in, which may be another than the one that is written to now."""
        here = self.work.archive
        return here if here is not None and here.uri == uri else Archive(uri)

    def count(self, what: str, entries: Iterable[Entered]) -> None:
        """Add entries to what was done."""
        counted = self.counts[what]
        for entry in entries:
            counted["items"] += 1
            counted["bytes"] += entry.bytes or 0
            if entry.rows is not None:
                counted["rows"] = entry.rows + (counted["rows"] or 0)
        self.work.told(self.counted())

    def counted(self) -> dict[str, Counts]:
        """Give what was done so far."""
        return {what: counted.copy() for what, counted in self.counts.items()}

    def move(
        self,
        connection: Connection,
        entries: Sequence[Entered],
        state: State,
        *,
        said: str | None = None,
        purge_at: Sequence[datetime] | None = None,
        files: Sequence[File] | None = None,
        what: str | None = None,
        **detail: Any,
    ) -> list[Entered]:
        """Bring entries to a state, and say so in the audit log, in the state's word or in another."""
        at = self.work.clock()
        moved = journal.move(connection, entries, state, at=at, said=said, purge_at=purge_at)
        if moved:
            known = files if files is not None else of_entries(connection, moved)
            told = {"objects": objects(moved, known), **detail, **({"said": said} if said else {})}
            where = {"run": self.run, "storage": self.storage.uri}
            audit.append(connection, what or state.value, at=at, who=self.work.by, **where, **told)
        return moved

    def purge_at(self, entries: Sequence[Entered]) -> list[datetime]:
        """Give the end of the grace period of what is buried now."""
        now = pl.Series([self.work.clock()], dtype=INSTANT)
        policies = [self.policy(entry.policy, entry.policy_version) for entry in entries]
        return [policy.grace.after(now, policy.zone)[0] for policy in policies]

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder that is removed when the block ends."""
        if self.work.scratch is not None:
            self.work.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="retention-", dir=self.work.scratch) as folder:
            yield Path(folder)


@contextmanager
def running_as(work: Work, plan: str | None) -> Iterator[Running]:
    """Run as the only runner; how it ends is written down, and a failure raises an alert.

    Raises:
        Busy: Another runner is at work.
    """
    database, uri = work.database, work.storage.uri
    with held(database, work.by, lasts=work.lease_lasts, beat=work.beat) as lease:
        at = work.clock()
        run = work.run or f"{at:%Y%m%dt%H%M%S}-{lease.token}"
        archive = work.archive.uri if work.archive else None
        with lease.writing() as connection:
            journal.begin(connection, Ran(run, plan, uri, archive, work.by, lease.token, at, None, "running", None, {}))
            audit.append(connection, "run began", at=at, who=work.by, run=run, storage=uri, plan=plan)
        running = Running(work, lease, run)
        try:
            yield running
        except Exception as error:
            _end(running, "failed", f"{alert(error, storage=uri, run=run)}: {error}")
            raise
        _end(running, "done", None)


def _end(running: Running, state: str, said: str | None) -> None:
    """Write down how a run ended; one that lost its lease, or its database, leaves that to the next."""
    at, counts = running.work.clock(), running.counted()
    where = {"run": running.run, "storage": running.storage.uri}
    try:
        with running.lease.writing() as connection:
            journal.end(connection, running.run, state, at=at, said=said, counts=counts)
            audit.append(connection, f"run {state}", at=at, who=running.work.by, **where, counts=counts, said=said)
    except SparkhuError:
        if state == "done":
            raise


def objects(entries: Sequence[Entered], files: Sequence[File]) -> list[dict[str, Any]]:
    """Say entries as the audit log keeps them: which objects, under which policy, and where they are archived."""
    archived: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for file in files:
        archived[file.entry].append({"path": file.path, "bytes": file.bytes, "sha256": file.sha256})
    told = []
    for entry in entries:
        said: dict[str, Any] = {name: getattr(entry, name) for name in ("entry", "id", "content", "rows", "bytes")}
        said |= {"policy": entry.policy, "version": entry.policy_version, "mark": entry.run}
        told.append(said | ({"archived": archived[entry.entry]} if entry.entry in archived else {}))
    return told
