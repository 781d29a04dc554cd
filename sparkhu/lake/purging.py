"""What retention has removed from a lake for good, written down so that a version which refers to it can say so.

LAKE/purged/<mark>-<id>.json    the files of one purge, with what their manifests said of them
"""

import json
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from sparkhu.errors import SparkhuError
from sparkhu.lake.records import (
    CURRENT,
    SCHEMA_VERSION,
    BuriedFile,
    Commit,
    DataFile,
    Manifest,
    read_commit,
    read_file,
    read_manifest,
)
from sparkhu.lake.storage import AT_ONCE, Storage, each

PURGED = "purged/"
KEPT_RECORDS = 256


@dataclass(frozen=True)
class Purge:
    """Files that were removed together.

    Attributes:
        mark: Of the run that buried them.
        at: When, UTC.
        archive: Where they were archived; empty where that is not known.
        files: The files by path.
    """

    mark: str
    at: datetime
    archive: str
    files: Mapping[str, "PurgedFile"]


@dataclass(frozen=True)
class PurgedFile:
    """A file that was removed.

    Attributes:
        table: The table that it belonged to.
        file: What the manifest said of it.
        is_superseded: Whether it was no part of the table any more when it was buried.
    """

    table: str
    file: DataFile
    is_superseded: bool


def purge_files(storage: Storage, files: Mapping[str, Sequence[BuriedFile]], mark: str, archive: str = "") -> int:
    """Remove files that were buried; write down first which.

    Args:
        storage: Where the lake lies.
        files: Per table those to be removed; what is gone already is no matter.
        mark: Of the run that buried them.
        archive: Where they were archived, for messages.

    Returns:
        Bytes that this has freed.
    """
    gone = [PurgedFile(table, one.file, one.is_superseded) for table, some in files.items() for one in some]
    sizes = stored_sizes(storage, [one.file.path for one in gone])
    left = [asdict(one) for one in gone if one.file.path in sizes]
    if left:
        stamp = storage.now().isoformat()
        record = {"schema_version": SCHEMA_VERSION, "mark": mark, "at": stamp, "archive": archive, "files": left}
        data = json.dumps(record, default=lambda value: value.isoformat(), separators=(",", ":")).encode()
        storage.write(f"{PURGED}{mark}-{uuid.uuid4().hex}.json", data)
        storage.remove(sizes)
    return sum(sizes.values())


def purges(storage: Storage) -> Iterator[Purge]:
    """Read what was purged from a lake, purge by purge, the newest first; no more is read than is asked for.

    Raises:
        SparkhuError: The storage fails, or a record is damaged.
    """
    there = sorted(storage.listed(PURGED), key=lambda file: (file.modified, file.path), reverse=True)
    for first in range(0, len(there), AT_ONCE):
        paths = [file.path for file in there[first : first + AT_ONCE]]
        yield from each(partial(_read, _Place(storage)), paths)


def check_readable(storage: Storage, table: str, version: int, files: Collection[DataFile]) -> None:
    """Refuse files of a version that were purged and have not come back.

    What the newest version has was not purged, so records are read only where another file is missing.

    Args:
        storage: Where the lake lies.
        table: The table that the files belong to.
        version: Number of the version that they are read of.
        files: The files.

    Raises:
        SparkhuError: One was; the message is that of `check_not_purged`.
    """
    newest = _newest(storage)
    if not files or (newest is not None and newest.version == version) or not storage.listed(PURGED):
        return
    there = _manifest(storage, newest, table).files if newest is not None else ()
    retired = {file.path for file in files} - {file.path for file in there}
    missing = retired - stored_sizes(storage, sorted(retired)).keys()
    if missing:
        check_not_purged(storage, missing)


def check_not_purged(storage: Storage, missing: Collection[str]) -> None:
    """Refuse missing files that were purged.

    Raises:
        SparkhuError: One was; the message says when, by which run, and what can be done.
    """
    for purge in purges(storage):
        gone = sorted(purge.files.keys() & set(missing))
        if gone:
            table = purge.files[gone[0]].table
            where = f", after it was archived at '{purge.archive}'" if purge.archive else ""
            raise SparkhuError(
                f"the file '{storage.place(gone[0])}' of the table '{table}' was purged by retention on "
                f"{purge.at:%Y-%m-%d} (run '{purge.mark}'){where}. Restore it from the archive: sparkhu retention "
                "restore; or read a version that does without it."
            )


def stored_sizes(storage: Storage, paths: Sequence[str]) -> dict[str, int]:
    """Give the sizes of those files that are there."""
    wanted, folders = set(paths), sorted({path.rpartition("/")[0] for path in paths})
    found = each(lambda folder: storage.listed(f"{folder}/"), folders)
    return {file.path: file.bytes for some in found for file in some if file.path in wanted}


def _newest(storage: Storage) -> Commit | None:
    """Read the newest commit; null where it cannot be read now, as while it is overwritten bit by bit."""
    try:
        return read_commit(storage.read(CURRENT), f"'{storage.place(CURRENT)}'")
    except SparkhuError:
        return None


def _manifest(storage: Storage, commit: Commit, table: str) -> Manifest:
    entry = commit.tables.get(table)
    if entry is None:
        return Manifest()
    return read_manifest(storage.read(entry.manifest), f"the manifest '{storage.place(entry.manifest)}'")


@dataclass(frozen=True)
class _Place:
    """A storage, told from others by its URI: records never change, so one that was read is known."""

    storage: Storage

    def __hash__(self) -> int:
        return hash(self.storage.uri)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Place) and other.storage.uri == self.storage.uri


@lru_cache(KEPT_RECORDS)
def _read(place: _Place, path: str) -> Purge:
    data = place.storage.read(path)
    try:
        content: dict[str, Any] = json.loads(data)
        files = [PurgedFile(**{**one, "file": read_file(one["file"])}) for one in content["files"]]
        at = datetime.fromisoformat(content["at"])
        named = {one.file.path: one for one in files}
        return Purge(str(content["mark"]), at, str(content["archive"]), named)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SparkhuError(f"'{place.storage.place(path)}' is damaged ({error}). Restore it from a backup.") from error
