"""Plain files in a folder of this machine, or one that it mounts."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from sparkhu_retention.storages.export_paths import export_paths
from sparkhu_retention.storages.failures import told
from sparkhu_retention.storages.files import appear, content_of, copied, fingerprint, size_of, status_of
from sparkhu_retention.storages.ids import TOMBSTONES, is_id
from sparkhu_retention.storages.lakes_below import is_a_lake, is_lake_folder
from sparkhu_retention.storages.listing import frames
from sparkhu_retention.storages.paths import PathRule, instant
from sparkhu_retention.storages.protocol import Buried, Exported
from sparkhu_retention.storages.renaming import make_folder
from sparkhu_retention.storages.tombstones import Tombstones, changed


class Folder:
    """The files below a folder, each an item.

    A file that a symbolic link stands for is none, nor is one whose name cannot be shown, or one of a lake or among the
    tombstones of a storage below. What is buried is moved below `_tombstones` by one rename; nothing else is written to
    the folder.

    Args:
        uri: The folder.
        dates: What a file's time is, as `sparkhu_retention.storages.paths.PathRule` says.
        zone: IANA zone of days in paths.

    Raises:
        InputError: There is no such folder, it is a lake, or an option has a value that it cannot have.

    Example:
        >>> next(Folder("/data/exports", dates="day={date}").items())  # doctest: +SKIP
    """

    kind = "folder"

    def __init__(self, uri: str, *, dates: str = "modified", zone: str = "UTC") -> None:
        self.uri = uri
        self._rule = PathRule(dates, zone)
        self._tombstones = Tombstones(uri.removeprefix("file://"), content_of, size_of)
        self._root = self._tombstones.root
        with told("list", self._root):
            names = os.listdir(self._root)  # noqa: PTH208 - names are all that is needed
        if is_lake_folder(names, names):
            raise is_a_lake(uri)

    def items(self) -> Iterator[pl.DataFrame]:
        """List the files; what is buried is not among them."""
        return frames(self._rows(), ("id", "dataset", "line", "start", "end", "bytes", "content", "tags"))

    def export(self, contents: Mapping[str, str], folder: Path) -> Iterator[Exported]:
        """Copy files as they are; the copies lie as the files do, where the archive's paths can be as long."""
        for item, target in export_paths(contents).items():
            path, content = self._tombstones.place(item), contents[item]
            if self._tombstones.content(path) != content:
                raise changed(item, self.uri)
            with told("export", path):
                exported = copied(item, path, folder / target, folder)
            if self._tombstones.content(path) != content:
                raise changed(item, self.uri)
            yield exported

    def bury(self, contents: Mapping[str, str], mark: str) -> None:
        """Move files below `_tombstones`, a rename each."""
        self._tombstones.bury(contents, mark)

    def buried(self) -> Iterator[Buried]:
        """List what lies below `_tombstones`."""
        return self._tombstones.buried()

    def unbury(self, ids: Sequence[str], mark: str) -> None:
        """Move files back."""
        self._tombstones.unbury(ids, mark)

    def purge(self, ids: Sequence[str], mark: str) -> int:
        """Remove files from below `_tombstones`."""
        return self._tombstones.purge(ids, mark)

    def put_back(self, archived: Iterable[Exported], folder: Path) -> None:
        """Write files anew; each appears whole or not at all."""
        for each in archived:
            path = self._tombstones.place(each.id)
            with told("put back", path):
                make_folder(path.parent)
                appear(folder / each.path, each.sha256, path, self._tombstones.draft(), each.kept)

    def _rows(self) -> Iterator[tuple[object, ...]]:
        with told("list", self._root):
            for folder, names, files in os.walk(self._root, onerror=_raise):
                if is_lake_folder(files, names):
                    names.clear()
                    continue
                names[:] = sorted(name for name in names if name != TOMBSTONES)
                where = Path(folder).relative_to(self._root).as_posix()
                for name in sorted(files):
                    item = name if where == "." else f"{where}/{name}"
                    row = self._row(item, Path(folder) / name) if is_id(item) else None
                    if row is not None:
                        yield row

    def _row(self, item: str, path: Path) -> tuple[object, ...] | None:
        status = status_of(path)
        if status is None:
            return None
        told_of = self._rule.told(item)
        span = told_of.span
        if span is None and self._rule.is_by_writing:
            span = instant(datetime.fromtimestamp(status.st_mtime, UTC))
        start, end = span or (None, None)
        size, content = status.st_size, fingerprint(status)
        return item, told_of.dataset, told_of.line, start, end, size, content, told_of.tags


def _raise(error: OSError) -> None:
    raise error
