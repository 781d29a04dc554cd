"""A small world for tests of applying: a folder with files, an archive, a database with policies, and a clock."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu_retention.applying.archive import Archive
from sparkhu_retention.applying.executor import Outcome, apply
from sparkhu_retention.applying.running import Work
from sparkhu_retention.database import journal, plans, policy_versions
from sparkhu_retention.database.opening import Database
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.action import ACTIONS, ARCHIVE
from sparkhu_retention.policies.policy import document_of, policy_of
from sparkhu_retention.storages.folder import Folder
from sparkhu_retention.storages.protocol import RetainedStorage

START = datetime(2025, 1, 1, tzinfo=UTC)
GRACE = timedelta(days=7)
ARCHIVED = {"name": "old", "archive_after": "1 year"}
REMOVED = {"name": "old", "without_archive": True, "delete_after": "1 year"}


@dataclass
class World:
    """Everything that a run needs, and hands to change it from outside."""

    root: Path
    database: Database
    now: datetime = START
    needs: list[Need] = field(default_factory=list)
    plans: int = 0
    archive_uri: str = ""

    def __post_init__(self) -> None:
        (self.root / "live").mkdir(parents=True, exist_ok=True)
        self.database.clock = lambda: self.now
        self.storage: RetainedStorage = Folder(str(self.root / "live"), dates="day={date}")

    @property
    def archive(self) -> Archive:
        return Archive(self.archive_uri or str(self.root / "archive"))

    def work(self, **changes: Any) -> Work:
        made = Work(self.database, self.storage, self.archive, lambda: list(self.needs), "ann", lambda: self.now)
        return replace(made, beat=False, **changes)

    def write(self, name: str, data: bytes = b"some bytes\n") -> str:
        path = self.root / "live" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    def policy(self, document: dict[str, Any] | None, name: str = "old") -> int:
        told = None if document is None else document_of(policy_of(document))
        with self.database.writing() as connection:
            return policy_versions.save(connection, name, told, at=self.now, by="ann")

    def actions(self, *ids: str, action: str = ARCHIVE, policy: str = "old") -> pl.DataFrame:
        items = pl.concat(self.storage.items()) if ids else pl.DataFrame(schema=ACTIONS)
        with self.database.reading() as connection:
            newest = policy_versions.newest(connection, policy)
        assert newest is not None
        named = {"action": action, "policy": policy, "policy_version": newest.version, "reason": "old"}
        columns = [pl.lit(value).alias(name) for name, value in named.items()]
        columns += [pl.lit(self.now).alias("due"), pl.lit([], pl.List(pl.String)).alias("held_by")]
        chosen = items.filter(pl.col("id").is_in(list(ids))).sort("id")
        return chosen.with_columns(columns).select(list(ACTIONS)).cast(dict(ACTIONS))

    def plan(self, *ids: str, action: str = ARCHIVE, policy: str = "old") -> str:
        self.plans += 1
        name = f"plan-{self.plans}"
        frame = self.actions(*ids, action=action, policy=policy)
        where = {"storage": self.storage.uri, "kind": self.storage.kind}
        with self.database.writing() as connection:
            plans.save(connection, name, [frame], **where, at=self.now, by="ann")
        return name

    def apply(self, plan: str | None = None, **changes: Any) -> Outcome:
        return apply(self.work(**changes), plan)

    def live(self) -> dict[str, bytes]:
        root = self.root / "live"
        files = (path for path in root.rglob("*") if path.is_file() and "_tombstones" not in path.parts)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(files)}

    def buried(self) -> set[str]:
        return {one.id for one in self.storage.buried()}

    def archived(self) -> list[str]:
        return [file.path for file in self.archive.files.listed("") if not file.path.startswith(".drafts")]

    def states(self) -> dict[str, str]:
        with self.database.reading() as connection:
            return {entry.id: entry.state for entry in journal.history(connection, limit=100_000)}

    def said(self, id_: str) -> str:
        with self.database.reading() as connection:
            return journal.history(connection, id=id_)[-1].said or ""


def counted(outcome: Outcome) -> dict[str, int]:
    return {what: counts["items"] for what, counts in outcome.counts.items()}
