"""Tombstones of a folder: an item is renamed away in one step, and its new name says when and what it was.

    ROOT/_tombstones/<mark>/<item>/<content>@<instant>

A rename is all that a burial consists of, so a run that is killed leaves the item in the one place or in the other.
"""

import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.storages.failures import told
from sparkhu_retention.storages.ids import TOMBSTONES, checked_id, checked_mark
from sparkhu_retention.storages.protocol import Buried, Changed
from sparkhu_retention.storages.renaming import make_folder, rename_over_nothing, sync

PURGING = ".purging"
DRAFTS = ".drafts"
STALE_SECONDS = 86_400.0
"""After so long a draft is no longer written to."""
logger = logging.getLogger(__name__)
_NAME = re.compile(r"(?P<content>[0-9a-f-]+)@(?P<at>\d{8}T\d{12}Z)")
_STAMP = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class Tomb:
    """Where a buried item lies, and what its name says."""

    path: Path
    content: str
    at: datetime


class Tombstones:
    """The tombstones below a folder.

    Args:
        root: The folder.
        content: Gives what `content` is of a file or folder; null where there is none.
        size: Gives the bytes that go free when a file or folder is removed.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(self, root: str, content: Callable[[Path], str | None], size: Callable[[Path], int]) -> None:
        self.root = Path(root).absolute()
        if not self.root.is_dir():
            raise InputError(f"uri must be a folder that is there, got '{root}'")
        if (self.root / TOMBSTONES).is_symlink():
            raise InputError(f"uri must be a folder whose '{TOMBSTONES}' is no symbolic link, got '{root}'")
        self._content, self._size = content, size

    def place(self, item: str) -> Path:
        """Give where an item lies.

        Raises:
            InputError: Its item leads out of the root, by its text or over a symbolic link.
        """
        path = self.root / checked_id(item, str(self.root))
        real = self.root.resolve()
        with told("look at", path):
            if path.parent.resolve() != real / path.parent.relative_to(self.root) or path.is_symlink():
                raise InputError(
                    f"id must lie below '{self.root}', got '{item}': a symbolic link leads away from there."
                )
        return path

    def bury(self, contents: Mapping[str, str], mark: str) -> None:
        """Rename items away, all of them or none."""
        todo = {}
        for item, content in contents.items():
            path = self.place(item)
            there = self.find(item, mark)
            if there is not None and there.content == content:
                self._finish(path, there)
                continue
            if there is not None or self.content(path) != content:
                raise changed(item, self.root)
            todo[item] = path
        stamp = datetime.now(UTC).strftime(_STAMP)
        done: list[tuple[Path, Path]] = []
        for item, path in todo.items():
            tomb = self._folder(item, mark) / f"{contents[item]}@{stamp}"
            with told("bury", path):
                make_folder(tomb.parent)
                path.rename(tomb)
            done.append((path, tomb))
            if self.content(tomb) != contents[item]:  # it was written to in the last moment
                for before, after in reversed(done):
                    self._back(after, before)
                raise changed(item, self.root)
        self._synced(done)

    def buried(self) -> Iterator[Buried]:
        """List all tombstones."""
        top = self.root / TOMBSTONES
        if not top.is_dir():
            return
        with told("list", top):
            marks = sorted(path for path in top.iterdir() if path.name not in (PURGING, DRAFTS))
        for mark in marks:
            for folder, names, files in os.walk(mark):
                found = [name for name in (*names, *files) if _NAME.fullmatch(name)]
                names[:] = [name for name in names if name not in found]
                for tomb in (_tomb(Path(folder) / name) for name in sorted(found)):
                    item = tomb.path.parent.relative_to(mark).as_posix()
                    yield Buried(item, mark.name, tomb.at, self._size(tomb.path))

    def unbury(self, ids: Sequence[str], mark: str) -> None:
        """Rename items back."""
        done = []
        for item in ids:
            path, tomb = self.place(item), self.find(item, mark)
            if tomb is None:
                if self.content(path) is None:
                    raise purged(item, self.root)
                continue
            with told("put back", path):
                make_folder(path.parent)
                self._back(tomb.path, path)
            done.append((tomb.path, path))
        self._synced(done)
        self._tidy(tomb for tomb, _ in done)

    def purge(self, ids: Sequence[str], mark: str) -> int:
        """Remove tombstones for good, and give the bytes that this freed."""
        self._sweep()
        freed, gone = 0, []
        for item in ids:
            self.place(item)
            tomb = self.find(item, mark)
            if tomb is None:
                continue
            if self.content(tomb.path) != tomb.content:
                raise Changed(f"'{tomb.path}' was written to after it was buried. It is left there: see what it holds.")
            size = self._size(tomb.path)
            with told("purge", tomb.path):
                self._remove(tomb.path)
            freed += size
            gone.append(tomb.path)
        self._synced([(path, path) for path in gone])
        self._tidy(gone)
        return freed

    def find(self, item: str, mark: str) -> Tomb | None:
        """Find the tombstone of an item."""
        folder = self._folder(item, mark)
        with told("list", folder):
            try:
                names = os.listdir(folder)  # noqa: PTH208 - names are all that is needed
            except (FileNotFoundError, NotADirectoryError):
                return None
        found = sorted(name for name in names if _NAME.fullmatch(name))
        return _tomb(folder / found[-1]) if found else None

    def content(self, path: Path) -> str | None:
        """Give what `content` is of a file or folder; null where there is none."""
        with told("look at", path):
            return self._content(path)

    def draft(self) -> Path:
        """Give a path that nothing lies at, on the same file system as all items."""
        folder = self.root / TOMBSTONES / DRAFTS
        make_folder(folder)
        return folder / uuid.uuid4().hex

    def _folder(self, item: str, mark: str) -> Path:
        return self.root / TOMBSTONES / checked_mark(mark) / checked_id(item, str(self.root))

    def _finish(self, path: Path, tomb: Tomb) -> None:
        """Take an item away that a run which was killed while it put it back has left in both places."""
        with told("bury", path):
            if path.is_file() and path.samefile(tomb.path):
                path.unlink()
                sync(path.parent)

    def _back(self, tomb: Path, path: Path) -> None:
        """Rename back, over nothing: where something lies, it stays."""
        try:
            rename_over_nothing(tomb, path)
        except FileExistsError:
            raise occupied(path) from None

    def _remove(self, path: Path) -> None:
        if not path.is_dir():
            path.unlink()
            return
        # Half a folder would no longer be what its name says, so it goes at once and is cleared out of sight.
        gone = self.root / TOMBSTONES / PURGING / uuid.uuid4().hex
        make_folder(gone.parent)
        path.rename(gone)
        shutil.rmtree(gone)

    def _sweep(self) -> None:
        """Remove what killed runs were about to remove, and what they have left half written."""
        top, begun = self.root / TOMBSTONES, time.time() - STALE_SECONDS
        for path in (*(top / PURGING).glob("*"), *(top / DRAFTS).glob("*")):
            try:
                if path.parent.name == DRAFTS and path.lstat().st_mtime > begun:
                    continue
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            except OSError as error:  # what is due now is no less due for it
                said = error.strerror or type(error).__name__
                logger.warning("cannot remove '%s', which no run needs: %s", path, said)

    def _synced(self, moved: Sequence[tuple[Path, Path]]) -> None:
        for folder in {path.parent for paths in moved for path in paths}:
            with told("write", folder):
                sync(folder)

    def _tidy(self, tombs: Iterator[Path] | Sequence[Path]) -> None:
        """Remove the folders that tombstones have left empty."""
        top = self.root / TOMBSTONES
        for folder in {path.parent for path in tombs}:
            for each in (folder, *folder.parents):
                if each == top:
                    break
                try:
                    each.rmdir()
                except OSError:
                    break


def changed(item: str, root: object) -> Changed:
    """Say that an item is no longer what was planned."""
    return Changed(f"'{item}' of '{root}' is gone or was changed after it was planned. It is left alone; plan again.")


def purged(item: str, root: object) -> SparkhuError:
    """Say that an item is no longer buried."""
    return SparkhuError(f"'{item}' of '{root}' is not buried any more: it was purged. Restore it from the archive.")


def occupied(path: object) -> SparkhuError:
    """Say that something lies where an item is to be put back."""
    return SparkhuError(f"'{path}' is there again, as something else. Move that away, then put the item back.")


def _tomb(path: Path) -> Tomb:
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise AssertionError("unreachable")
    return Tomb(path, name["content"], datetime.strptime(name["at"], _STAMP).replace(tzinfo=UTC))
