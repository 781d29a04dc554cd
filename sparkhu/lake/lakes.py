"""A lake: Parquet tables that outlive runs, all of them committed at once.

    LAKE/current.json                          the newest commit; swapped last, it is the commit
    LAKE/versions/00000012-<id>.json           the same, for every commit: the history
    LAKE/tables/<table>/manifests/<id>.json    columns, files and published intervals of a table
    LAKE/tables/<table>/data/<partition>/<bucket>-<id>.parquet

Everything but `current.json` is written once and never changed, so a reader that holds a version sees that version,
whatever is committed meanwhile, and a publisher that is killed leaves only files that no version refers to.
"""

import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake.changes import Change
from sparkhu.lake.drafting import Draft
from sparkhu.lake.layout import Layout, Partition
from sparkhu.lake.newest import newest_version
from sparkhu.lake.records import CURRENT, VERSIONS, Commit, Interval, TableEntry, read_commit
from sparkhu.lake.staleness import Outdated, outdated
from sparkhu.lake.storage import NoSuchFile, Storage, open_storage
from sparkhu.lake.sweeping import SWEEP, ancestors, is_due, orphans, still_orphans
from sparkhu.lake.tables import OBSERVATIONS, Version

ATTEMPTS = 30
LONGEST_PAUSE_SECONDS = 2.0
SWEPT_AFTER = timedelta(hours=1)


class NoLake(InputError):  # noqa: N818 - says what is the matter
    """There is no lake in that place."""


class Lake:
    """An open lake; made by `create_lake` and `open_lake`.

    Attributes:
        uri: The folder or `s3://bucket/prefix` that it lies in.
        layout: How its tables are cut into files.
    """

    def __init__(self, storage: Storage, layout: Layout) -> None:
        self.uri = storage.uri
        self.layout = layout
        self._storage = storage

    def __repr__(self) -> str:
        return f"Lake({self.uri!r})"

    def version(self, number: int | None = None) -> Version:
        """Open a version; null: the newest.

        Raises:
            InputError: There is no such version, or another Sparkhu wrote it.
            SparkhuError: It is missing or damaged.
        """
        newest = newest_version(self._storage)
        if number is None or number == newest.number:
            return newest
        if not 0 <= number < newest.number:
            raise InputError(f"'{self.uri}' has versions 0 to {newest.number}, got {number}")
        return Version(self._commit(self._path(number, newest.commit)), self._storage, "")

    def history(self) -> list[Version]:
        """List all versions, the newest first; each can be read as the newest can."""
        newest = self.version()
        return [newest, *(Version(commit, self._storage, "") for commit in ancestors(self._storage, newest.commit))]

    def commit(
        self,
        changes: Mapping[str, Change],
        *,
        run: str,
        note: str = "",
        sources: Sequence[Mapping[str, Any]] = (),
        code: str = "",
        based_on: Version,
    ) -> Version:
        """Change tables, all at once for every reader.

        Where another publisher was first, the changes are made anew against its version.

        Args:
            changes: What to do to which table.
            run: The run that commits.
            note: What is to be remembered of it.
            sources: What the run read, with checksums.
            code: Version and fingerprint of the library that ran.
            based_on: The version that the caller has read.

        Returns:
            The new version; where there was nothing to change, the newest. Its `notes` say what was left out and why.

        Raises:
            InputError: Rows do not fit their table or interval, or the storage refuses to be written.
            SparkhuError: The storage failed, or other publishers were first too often. Whoever reads sees the lake as
                it was; what was written already is swept later.
        """
        draft = Draft(self._storage, self.layout, changes, run)
        base = based_on
        for newest in self._attempts():
            base = base if base.tag and base.commit.path == newest.commit.path else newest
            changed = draft.against(base)
            if not changed:
                return Version(base.commit, self._storage, base.tag, (*self._storage.notes, *draft.notes))
            commit = _next(base.commit, changed, run=run, note=note, sources=tuple(sources), code=code)
            version = self._publish(base, commit, changed)
            if version is not None:
                notes = (*self._storage.notes, *draft.notes, *self._tidied(version.number))
                return Version(version.commit, self._storage, version.tag, notes)
        raise AssertionError("unreachable")

    def sweep(self, older_than: timedelta = SWEPT_AFTER) -> list[str]:
        """Remove files that no version refers to: what killed publishers left.

        Where there are some, a version is committed first that announces it, so that no publisher who is at work refers
        to them later (`sparkhu.lake.sweeping`).

        Args:
            older_than: How old a file must be. Shorter than a commit takes, that one must write its files anew.

        Returns:
            The paths that were removed, from the lake's root.
        """
        found, seen = orphans(self._storage, self.version, older_than)
        if not found:
            return []
        left = still_orphans(self._storage, found, self._announced(len(found)), seen)
        self._storage.remove(left)
        return left

    def _announced(self, count: int) -> Version:
        """Commit the version that announces a sweep."""
        note = f"{count:,} files that no version refers to are to be removed"
        for base in self._attempts():
            commit = replace(_next(base.commit, {}, run=SWEEP, note=note), sweeps=base.commit.sweeps + 1)
            version = self._publish(base, commit, {})
            if version is not None:
                return version
        raise AssertionError("unreachable")

    def _attempts(self) -> Iterator[Version]:
        """Give the newest version again and again, for a swap to be tried on it; after too many times, fail."""
        for attempt in range(ATTEMPTS):
            yield newest_version(self._storage)
            time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.02 * 2**attempt)))
        raise SparkhuError(
            f"'{self.uri}' could not be changed: other publishers were first {ATTEMPTS} times. Run it again."
        )

    def _tidied(self, number: int) -> tuple[str, ...]:
        """Sweep, where it is this publisher's turn, and say what came of it; its commit stands whatever does."""
        if not is_due(number):
            return ()
        try:
            swept = self.sweep()
        except SparkhuError as error:
            return (f"what killed publishers left could not be swept: {error}",)
        return (f"{len(swept):,} files that killed publishers left were swept",) if swept else ()

    def dirty(self, table: str) -> list[Interval]:
        """List the published intervals of a table whose observations have changed since they were read."""
        return [each.interval for each in self.outdated(table)]

    def outdated(self, table: str) -> list[Outdated]:
        """List the intervals that are dirty, each with the earliest instant that has changed in what was read."""
        newest = self.version()
        observations = newest.manifest(OBSERVATIONS).files
        return outdated(newest.manifest(table).intervals, observations, self.layout.zone)

    def _publish(self, base: Version, commit: Commit, changed: Mapping[str, TableEntry]) -> Version | None:
        """Write the version and swap it in; null: another was first, and what was written for this is removed."""
        data = commit.encoded()
        self._storage.write(commit.path, data)
        try:
            swapped = self._storage.swap(CURRENT, base.tag, data) or self._has(commit)
        except SparkhuError as error:
            swapped = self._has_after(error, commit)
            if not swapped:
                raise
        if swapped:
            return Version(commit, self._storage, "")
        self._storage.remove([commit.path, *(entry.manifest for entry in changed.values())])
        return None

    def _has_after(self, error: SparkhuError, commit: Commit) -> bool:
        """Tell whether a commit arrived although its publisher was told of an error."""
        try:
            return self._has(commit)
        except SparkhuError:
            raise SparkhuError(
                f"{error} Whether version {commit.version} was committed is not known. Run it again."
            ) from error

    def _has(self, commit: Commit) -> bool:
        """Tell whether a commit is the newest one or among those before it: an answer may be lost, or be late."""
        there = newest_version(self._storage).commit
        while there.version > commit.version:
            there = self._commit(there.parent)
        return there.path == commit.path

    def _path(self, number: int, newest: Commit) -> str:
        """Find where a version lies. Publishers that came second may have left others of its number."""
        if number == newest.version:
            return newest.path
        there = [file.path for file in self._storage.listed(f"{VERSIONS}{number:08d}-")]
        if len(there) == 1:
            return there[0]
        return self._commit(self._path(number + 1, newest)).parent

    def _commit(self, path: str) -> Commit:
        what = f"'{self._storage.place(path)}'"
        try:
            return read_commit(self._storage.read(path), what)
        except NoSuchFile:
            raise SparkhuError(f"{what}, a version of the lake, is missing. Restore it from a backup.") from None


def create_lake(uri: str, *, partition: Partition = "day", buckets: int = 1, zone: str = "UTC") -> Lake:
    """Make an empty lake.

    Args:
        uri: A folder, or `s3://bucket/prefix` in a bucket that exists.
        partition: What one folder of files covers: `day`, `month` or `year`.
        buckets: Groups of series, each with files of its own: many where single series are read out of very many.
        zone: IANA zone in which days, months and years are cut.

    Raises:
        InputError: There is a lake already, the storage refuses, or a parameter has a value that it cannot have.

    Example:
        >>> create_lake("s3://plant/lake", zone="Europe/Berlin")
    """
    layout = Layout(partition, buckets, zone)
    storage = open_storage(uri)
    if is_lake(uri):
        raise _exists(uri)
    path = f"{VERSIONS}{0:08d}-{uuid.uuid4().hex}.json"
    commit = Commit(0, datetime.now(UTC), "", "created", "", path, layout, {})
    storage.write(path, commit.encoded())
    if not storage.swap(CURRENT, None, commit.encoded()) and newest_version(storage).commit.path != path:
        storage.remove([path])
        raise _exists(uri)
    return Lake(storage, layout)


def open_lake(uri: str) -> Lake:
    """Open a lake.

    Raises:
        InputError: There is none, an older or a newer Sparkhu wrote it, or the storage refuses.
        SparkhuError: It is damaged, or the storage fails.
    """
    storage = open_storage(uri)
    try:
        return Lake(storage, newest_version(storage).layout)
    except NoSuchFile:
        raise NoLake(f"'{uri}' is no lake ({CURRENT} is missing). Create one, or give its root.") from None


def is_lake(uri: str) -> bool:
    """Tell whether there is a lake; errors are those of `open_lake`."""
    try:
        open_lake(uri)
    except NoLake:
        return False
    return True


def _next(base: Commit, changed: Mapping[str, TableEntry], **told: Any) -> Commit:
    """Give the commit behind `base`; `told` is what the run says of itself."""
    number = base.version + 1
    path = f"{VERSIONS}{number:08d}-{uuid.uuid4().hex}.json"
    return Commit(
        version=number,
        committed_at=datetime.now(UTC),
        parent=base.path,
        path=path,
        layout=base.layout,
        tables={**base.tables, **changed},
        sweeps=base.sweeps,
        **told,
    )


def _exists(uri: str) -> InputError:
    return InputError(f"'{uri}' is a lake already. Open it, or give another place.")
