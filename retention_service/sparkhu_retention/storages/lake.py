"""The tables of a Sparkhu lake: its data files, taken out of their tables by a commit."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import polars as pl

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import Bury, Change, DataFile, Forget, PutBack, Unbury, Version, open_lake
from sparkhu.lake.file_form import is_whole, note_returned
from sparkhu.lake.purging import PurgedFile, purge_files, purges, stored_sizes
from sparkhu.lake.records import TABLES, BuriedFile, checksum
from sparkhu.lake.retiring import NotInTable
from sparkhu.lake.storage import NoSuchFile, Storage
from sparkhu_retention.storages.failures import told
from sparkhu_retention.storages.ids import checked_id, checked_mark
from sparkhu_retention.storages.lake_archive import archived_form, lake_form
from sparkhu_retention.storages.listing import frames
from sparkhu_retention.storages.protocol import Buried, Changed, Exported
from sparkhu_retention.storages.tombstones import changed, purged

CURRENT, SUPERSEDED = "current", "superseded"
_ID = re.compile(r"tables/(?P<table>[a-z][a-z0-9_]*)/data/[\w-]+/\d+-[0-9a-f]{32}\.parquet")
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class _Known:
    """A data file, its table, and whether the newest version has it."""

    table: str
    file: DataFile
    state: str

    @property
    def content(self) -> str:
        return self.file.sha256 if self.state == CURRENT else f"{SUPERSEDED}-{self.file.sha256}"


class LakeFiles:
    """The data files of a lake's tables, each an item.

    Files that the newest version has are tagged `state=current`; those that only older versions have, because a later
    run published their interval anew, `state=superseded`: of them `line` tells the partition and bucket, so that the
    newest N of before can be kept. What is buried has left the newest version; versions of before refer to it until it
    is purged, and then say so.

    Args:
        uri: The lake, a folder or `s3://bucket/prefix`.
        archive: Where its files are archived, for the message of a version whose files were purged.

    Raises:
        InputError: There is no such lake, or the storage refuses the sign-in.
        SparkhuError: The storage fails.
    """

    kind = "lake"

    def __init__(self, uri: str, *, archive: str = "") -> None:
        self.uri = uri
        self._archive = archive
        self._lake = open_lake(uri)

    def items(self) -> Iterator[pl.DataFrame]:
        """List the files; what is buried is not among them."""
        newest = self._lake.version()
        known = [*_current(newest), *self._superseded(newest)]
        return frames(map(_row, known), ("id", "dataset", "line", "start", "end", "rows", "bytes", "content", "tags"))

    def export(self, contents: Mapping[str, str], folder: Path) -> Iterator[Exported]:
        """Write files with larger row groups, where they have several."""
        newest = self._lake.version()
        for item, known in self._found(contents, newest).items():
            if known is None or known.content != contents[item]:
                raise changed(item, self.uri)
            data = archived_form(self._read(newest.storage, known.file), known.file)
            target = folder / item
            with told("export", target):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
            yield Exported(item, item, known.file.rows, len(data), checksum(data))

    def bury(self, contents: Mapping[str, str], mark: str) -> None:
        """Commit that the newest version is without the files."""
        checked_mark(mark)
        newest = self._lake.version()
        already = {each.file.path: each for _, each in _buried(newest) if each.mark == mark}
        todo: dict[str, list[_Known]] = {}
        for item, known in self._found({item: "" for item in contents if item not in already}, newest).items():
            if known is None or known.content != contents[item]:
                raise changed(item, self.uri)
            todo.setdefault(known.table, []).append(known)
        now = newest.storage.now()
        changes: dict[str, Change] = {
            table: Bury(
                tuple(each.file for each in some if each.state == CURRENT),
                tuple(each.file for each in some if each.state == SUPERSEDED),
                mark,
                now,
            )
            for table, some in todo.items()
        }
        try:
            self._commit(changes, mark, f"{sum(map(len, todo.values())):,} files were buried", newest)
        except NotInTable as error:
            raise Changed(str(error)) from error

    def buried(self) -> Iterator[Buried]:
        """List what the newest manifests say is buried."""
        for _, each in _buried(self._lake.version()):
            yield Buried(each.file.path, each.mark, each.at, each.file.bytes)

    def unbury(self, ids: Sequence[str], mark: str) -> None:
        """Commit that the newest version has the files again."""
        checked_mark(mark)
        newest = self._lake.version()
        there = {each.file.path: (table, each) for table, each in _buried(newest) if each.mark == mark}
        self._check_live([item for item in map(self._id, ids) if item not in there], newest)
        wanted = [item for item in ids if item in there]
        sizes = stored_sizes(newest.storage, wanted)
        todo: dict[str, list[str]] = {}
        for item in wanted:
            if item not in sizes:
                raise purged(item, self.uri)
            todo.setdefault(there[item][0], []).append(item)
        changes: dict[str, Change] = {table: Unbury(tuple(some), mark) for table, some in todo.items()}
        self._commit(changes, mark, f"{len(wanted):,} buried files were put back", newest)

    def purge(self, ids: Sequence[str], mark: str) -> int:
        """Remove buried files, and commit that they are no longer buried."""
        checked_mark(mark)
        newest = self._lake.version()
        wanted = {self._id(item) for item in ids}
        todo: dict[str, list[BuriedFile]] = {}
        for table, each in _buried(newest):
            if each.mark == mark and each.file.path in wanted:
                todo.setdefault(table, []).append(each)
        freed = purge_files(newest.storage, todo, mark, self._archive)
        changes: dict[str, Change] = {
            table: Forget([each.file.path for each in some], mark) for table, some in todo.items()
        }
        self._commit(changes, mark, f"{sum(map(len, todo.values())):,} files were purged", newest)
        return freed

    def put_back(self, archived: Iterable[Exported], folder: Path) -> None:
        """Write purged files anew where they were, and commit them; versions of before have them again, too."""
        given = {self._id(each.id): each for each in archived}
        newest = self._lake.version()
        current = {each.file.path for each in _current(newest)}
        todo: dict[str, list[DataFile]] = {}
        for item, gone in self._purged(given.keys() - current, newest).items():
            source = folder / given[item].path
            with told("read", source):
                data = source.read_bytes()
            if checksum(data) != given[item].sha256:
                raise SparkhuError(f"'{source}' is damaged: its checksum is not that of '{item}'. It was not put back.")
            whole = lake_form(data, gone.file)
            file = replace(gone.file, sha256=checksum(whole), bytes=len(whole))
            if file.sha256 != gone.file.sha256:
                note_returned(newest.storage, {item: file.sha256})
            newest.storage.write(item, whole)
            if not gone.is_superseded:
                todo.setdefault(gone.table, []).append(file)
        changes: dict[str, Change] = {table: PutBack(tuple(some)) for table, some in todo.items()}
        note = f"{sum(map(len, todo.values())):,} files came back from the archive"
        self._commit(changes, "archive", note, newest)

    def _commit(self, changes: Mapping[str, Change], mark: str, note: str, newest: Version) -> None:
        if changes:
            self._lake.commit(changes, run=f"retention-{mark}", note=note, based_on=newest)

    def _read(self, storage: Storage, file: DataFile) -> bytes:
        try:
            data = storage.read(file.path)
        except NoSuchFile:
            raise changed(file.path, self.uri) from None
        if not is_whole(storage, file.path, file.sha256, data):
            raise SparkhuError(
                f"'{storage.place(file.path)}' is damaged: its checksum is not the one that was written. It is not "
                "archived. Restore it from a backup."
            )
        return data

    def _found(self, contents: Mapping[str, str], newest: Version) -> dict[str, _Known | None]:
        """Find the files that ids name; null: neither the newest version has it nor an older one that can be read."""
        for item in contents:
            self._id(item)
        known = {each.file.path: each for each in _current(newest)}
        if not contents.keys() <= known.keys():
            known |= {each.file.path: each for each in self._superseded(newest)}
        return {item: known.get(item) for item in contents}

    def _superseded(self, newest: Version) -> Iterator[_Known]:
        """Find the files that are there and that only older versions have; these are read as far back as is needed."""
        named = {each.file.path for each in _current(newest)} | {each.file.path for _, each in _buried(newest)}
        left = {file.path for file in newest.storage.listed(TABLES) if _ID.fullmatch(file.path)} - named
        if not left:
            return
        read: set[str] = set()
        for version in self._lake.history():
            for table, entry in version.tables.items():
                if entry.manifest in read:
                    continue
                read.add(entry.manifest)
                manifest = version.manifest(table)
                for file in (*manifest.files, *(each.file for each in manifest.buried)):
                    if file.path in left:
                        left.discard(file.path)
                        yield _Known(table, file, SUPERSEDED)
            if not left:
                return

    def _check_live(self, ids: Sequence[str], newest: Version) -> None:
        for item, known in self._found(dict.fromkeys(ids, ""), newest).items():
            if known is None:
                raise purged(item, self.uri)

    def _purged(self, ids: set[str], newest: Version) -> dict[str, PurgedFile]:
        """Find what was written down of files when they were purged last; those that are as they were are left out.

        Raises:
            SparkhuError: One was never purged from this lake, or is buried still.
        """
        found: dict[str, PurgedFile] = {}
        for purge in purges(newest.storage) if ids else ():
            found = {item: purge.files[item] for item in ids & purge.files.keys()} | found  # the newest come first
        for _, each in _buried(newest):
            if each.file.path in ids:
                raise SparkhuError(f"'{each.file.path}' of '{self.uri}' is buried. Put it back from its tombstone.")
        for item, known in self._found(dict.fromkeys(ids - found.keys(), ""), newest).items():
            if known is None:
                raise SparkhuError(f"'{item}' was never purged from '{self.uri}'. Name the lake that it comes from.")
        return found

    def _id(self, item: str) -> str:
        if not _ID.fullmatch(checked_id(item, self.uri)):
            raise InputError(f"id must name a data file of a table of '{self.uri}', got '{item}'")
        return item


def _row(known: _Known) -> tuple[object, ...]:
    file = known.file
    end = None if file.last is None else file.last + _INSTANT
    line = f"{known.table}/{file.partition}/{file.bucket}" if known.state == SUPERSEDED else ""
    tags = [f"partition={file.partition}", f"bucket={file.bucket}", f"state={known.state}"]
    return file.path, known.table, line, file.first, end, file.rows, file.bytes, known.content, tags


def _current(newest: Version) -> Iterator[_Known]:
    for table in newest.tables:
        for file in newest.manifest(table).files:
            yield _Known(table, file, CURRENT)


def _buried(newest: Version) -> Iterator[tuple[str, BuriedFile]]:
    for table in newest.tables:
        for each in newest.manifest(table).buried:
            yield table, each
