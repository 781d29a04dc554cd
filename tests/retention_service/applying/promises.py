"""What must hold whatever happens to data under retention.

- Nothing that anything needs, that no policy in force removes, that is not due, or that is one of the newest versions
  is ever purged, nor before its grace has passed; nothing leaves the archive before its time there.
- Nothing is lost: each content lies in its place, in a tombstone or in the archive, unless a policy removed it.
- What should be gone is gone in the end, and the bytes and rows of the accounts are those of the files.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from sqlalchemy import Connection

from sparkhu_retention.applying.step import State
from sparkhu_retention.database import archived, audit, holds, journal, policy_versions
from sparkhu_retention.database.archived import File
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.policies.policy import Policy
from tests.retention_service.applying.world import World


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def day_of(name: str) -> datetime:
    return datetime.strptime(name[4:14], "%Y-%m-%d").replace(tzinfo=UTC)


class Promises:
    """Looks at a world while it is changed.

    Args:
        world: The world.
    """

    def __init__(self, world: World) -> None:
        self.world, self.root, self.database = world, world.root, world.database
        self.contents: dict[tuple[str, str], bytes] = {}
        """What was written and may not be lost, by name and checksum."""
        self.purges: dict[int, int] = {}
        self.expired: set[str] = set()
        """Files that were removed from the archive: their time there was over, or their items stayed in their place."""
        self.asked_back: set[str] = set()
        """Items that were buried when somebody asked for them: they stay until their holds are lifted."""
        self.skew = timedelta()
        """How far the clock of who runs is ahead."""
        self.in_purge = self.is_away = False
        """Whether files of tombstones are being purged; whether the archive cannot be reached."""

    @property
    def now(self) -> datetime:
        """The time by the clock of who runs."""
        return self.world.now + self.skew

    def removed(self, path: str) -> None:
        """Look at a file that is about to be removed: of tombstones and of the archive, only one that may go."""
        place, *parts = Path(path).relative_to(self.root).parts
        if place == "archive" and "data" in parts:
            self._expires("/".join(parts))
        if place == "live" and parts[0] == "_tombstones" and parts[1] != ".drafts" and self.in_purge:
            self._is_purged(parts[1], "/".join(parts[2:-1]), Path(path).read_bytes())

    def _is_purged(self, mark: str, name: str, data: bytes) -> None:
        with self.database.reading() as connection:
            (entry,) = [one for one in journal.history(connection, run=mark, id=name) if one.state == State.PURGING]
            self._may_go(connection, name)
            policy = self._policy(connection)
            files = archived.of_entries(connection, [entry])
        assert policy.period or policy.floor or policy.keep_newest, "no policy removes it"
        assert entry.purge_at is not None
        assert entry.purge_at <= self.now, "its time of grace is not over"
        assert entry.due is not None
        assert entry.due <= self.now, "it is not due"
        if policy.period and not policy.floor:
            end = pl.Series([day_of(name) + timedelta(1)], dtype=pl.Datetime("us", "UTC"))
            assert policy.period.after(end, policy.zone)[0] <= self.now, "it is not due by the policy in force"
        self._newer_ones_stay(name, policy.keep_newest or 0)
        if entry.action == "delete":
            self.contents.pop((name, checksum(data)), None)
        else:
            assert [self._archived(file) for file in files] == [data]
        self.purges[entry.entry] = self.purges.get(entry.entry, 0) + 1
        assert self.purges[entry.entry] == 1, "purged twice"

    def _expires(self, path: str) -> None:
        with self.database.reading() as connection:
            found = [file for file in archived.listed(connection) if file.path == path]
            if not found:  # swept: nothing came of it
                return
            (entry,) = [one for one in journal.history(connection, id=found[0].id) if one.entry == found[0].entry]
            if entry.state == State.FAILED and entry.purge_at is None:  # it never left its place
                self.expired.add(path)
                return
            self._may_go(connection, entry.id)
            policy = self._policy(connection)
        assert entry.state in (State.PURGED, State.RESTORED, State.FAILED), "its tombstone counts on it"
        assert policy.delete_after is not None, "no policy removes it from the archive"
        end = pl.Series([entry.end], dtype=pl.Datetime("us", "UTC"))
        assert policy.delete_after.after(end, policy.zone)[0] <= self.now, "its time in the archive is not over"
        self.expired.add(path)
        if (entry.id, found[0].sha256) not in self._there():
            self.contents.pop((entry.id, found[0].sha256), None)

    def _may_go(self, connection: Connection, name: str) -> None:
        """See that nothing needs an item."""
        assert name not in self.asked_back, "somebody asked for it"
        start, end = day_of(name), day_of(name) + timedelta(1)
        assert not any(
            (each.start is None or each.start < end) and (each.end is None or start < each.end)
            for each in self.world.needs
        ), f"{name} goes and is needed"
        standing = holds.standing(connection)
        assert not any(name in (each.ids or ()) for each in standing), f"{name} goes and is held"

    def _policy(self, connection: Connection) -> Policy:
        newest = policy_versions.newest(connection, "old")
        assert newest is not None
        assert newest.document is not None, "no policy removes it"
        policy = Policy.model_validate(newest.document)
        assert not policy.no_policy, "there is no policy"
        return policy

    def _newer_ones_stay(self, name: str, keep: int) -> None:
        line = name.rpartition("/")[2]
        ends = {day_of(one) for one, _ in self._there() if one.endswith(f"/{line}")}
        assert sum(day_of(name) < end for end in ends) >= keep, f"{name} is one of the newest {keep}"

    def _there(self) -> set[tuple[str, str]]:
        """List what lies in its place or in a tombstone."""
        there = {(name, checksum(data)) for name, data in self.world.live().items()}
        tombstones = self.root / "live" / "_tombstones"
        for path in tombstones.rglob("*@*"):
            there.add(("/".join(path.relative_to(tombstones).parts[1:-1]), checksum(path.read_bytes())))
        return there

    def nothing_is_lost(self) -> None:
        """See that all that was written lies somewhere."""
        lost = self.contents.keys() - self._there()
        if lost:
            with self.database.reading() as connection:
                kept = {(file.id, file.sha256): file for file in self._lying(archived.listed(connection))}
            for one in lost:
                assert one in kept, f"{one[0]} is lost"
                assert checksum(self._archived(kept[one])) == one[1]

    def gone_for_good(self, ids: Iterable[str]) -> list[str]:
        """Give those of some items that left their tombstones and of which the archive has nothing."""
        with self.database.reading() as connection:
            newest = {one.id: one for one in journal.history(connection, limit=100_000)}
            kept = {file.entry for file in self._lying(archived.listed(connection))}
        return [one for one in ids if newest[one].state == State.PURGED and newest[one].entry not in kept]

    def _archived(self, file: File) -> bytes:
        return (self.root / ("away" if self.is_away else "archive") / file.path).read_bytes()

    def _lying(self, files: Iterable[File]) -> list[File]:
        """Leave out what was removed from the archive and not written down, for the run was killed."""
        return [file for file in files if file.path not in self.expired]

    def accounts_balance(self) -> None:
        """See that database, archive and audit log say the same."""
        with self.database.reading() as connection:
            assert journal.in_hand(connection, self.world.storage.uri) == []
            assert audit.broken_at(connection) is None
            files = self._lying(archived.listed(connection))
            rows = audit.read(connection, limit=100_000)
            entries: dict[int, Entered] = {one.entry: one for one in journal.history(connection, limit=100_000)}
        lying = [one for one in self.world.archive.files.listed("") if not one.path.startswith(".drafts")]
        stored = {one.path: one.bytes for one in lying if "/data/" in one.path}
        assert stored == {file.path: file.bytes for file in files}, "the archive is not what the database says"
        folders = [one.path.removesuffix("/manifest.json") for one in lying if one.path.endswith("manifest.json")]
        told = {
            f"{folder}/{file.path}": (file.bytes, file.rows)
            for folder in folders
            for file in self.world.archive.manifest(folder).files
        }
        left = {path: said for path, said in told.items() if path not in self.expired}
        assert left == {file.path: (file.bytes, file.rows) for file in files}, "manifests say something else"
        for file in files:
            assert file.bytes == entries[file.entry].bytes
            assert entries[file.entry].rows in (None, file.rows)
        purged = [one["entry"] for row in rows if row["what"] == "purged" for one in row["detail"]["objects"]]
        assert len(purged) == len(set(purged)), "an entry is purged twice"
        ended = {number for number, one in entries.items() if one.state == State.PURGED}
        assert all("; but " in (entries[number].said or "") for number in ended - set(purged))
        assert all(entries[number].state in (State.PURGED, State.RESTORED) for number in purged)
