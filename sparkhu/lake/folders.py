"""A lake in a local folder: files are written aside, made durable and renamed; a lock guards the swap."""

import errno
import fcntl
import hashlib
import os
import random
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sparkhu.durable_folders import sync_folder
from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake.storage import PART, NoSuchFile, Stored

DRAFTS = ".drafts"
LOCK = "current.lock"
LOCK_SECONDS = 60.0


class Folder:
    """A folder of this machine, or one that it mounts.

    Args:
        uri: The folder; it need not exist yet.
        drafts_beside: Whether a file is drafted beside its place, and not below `.drafts`: what a killed writer leaves
            is then found by where it was writing to.

    Example:
        >>> Folder("/data/lake").place("versions/0.json")
        '/data/lake/versions/0.json'
    """

    def __init__(self, uri: str, *, drafts_beside: bool = False) -> None:
        self.uri = uri
        self.folder = Path(uri).absolute()
        self._drafts_beside = drafts_beside
        self.options: dict[str, str] | None = None
        self.notes: tuple[str, ...] = ()

    def read(self, path: str) -> bytes:
        """Read a file; `NoSuchFile` when there is none."""
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchFile(f"there is no file '{self.place(path)}'") from None
        except OSError as error:
            raise _failure("read", self.place(path), error) from error

    def read_tagged(self, path: str) -> tuple[bytes, str]:
        """Read a file, with the checksum of its content."""
        data = self.read(path)
        return data, _tag(data)

    def write(self, path: str, data: bytes) -> None:
        """Write a new file; it appears whole or not at all, and lasts when this returns."""
        target = self.folder / path
        try:
            _make_folder(target.parent)
            self._put(target, [data])
        except OSError as error:
            raise _failure("write", str(target), error) from error

    def parts(self, path: str) -> Iterator[bytes]:
        """Read a file a part at a time; `NoSuchFile` when there is none."""
        try:
            with (self.folder / path).open("rb") as file:
                while part := file.read(PART):
                    yield part
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchFile(f"there is no file '{self.place(path)}'") from None
        except OSError as error:
            raise _failure("read", self.place(path), error) from error

    def put(self, path: str, source: Path) -> None:
        """Write a new file from one of this machine, as `write` does, a part at a time."""
        target = self.folder / path
        try:
            _make_folder(target.parent)
            with source.open("rb") as given:
                self._put(target, iter(lambda: given.read(PART), b""))
        except OSError as error:
            raise _failure("write", str(target), error) from error

    def swap(self, path: str, tag: str | None, data: bytes) -> bool:
        """Write `path` if it still has `tag` (null: if there is none)."""
        target = self.folder / path
        try:
            _make_folder(target.parent)
            with self._locked():
                there = _tag(target.read_bytes()) if target.exists() else None
                if there != tag:
                    return False
                self._put(target, [data])
        except OSError as error:
            raise _failure("write", str(target), error) from error
        return True

    def listed(self, prefix: str) -> list[Stored]:
        """List the files whose path begins with `prefix`, in order of path."""
        found = []
        for folder, _, names in os.walk(self.folder / prefix.rpartition("/")[0]):
            for path in (Path(folder) / name for name in names):
                relative = path.relative_to(self.folder).as_posix()
                with suppress(FileNotFoundError):
                    status = path.stat()
                    found.append(Stored(relative, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC)))
        return sorted((each for each in found if each.path.startswith(prefix)), key=lambda each: each.path)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files; those that are gone already are no matter."""
        for path in paths:
            try:
                (self.folder / path).unlink(missing_ok=True)
            except OSError as error:
                raise _failure("remove", self.place(path), error) from error

    def now(self) -> datetime:
        """Tell this machine's time, which stamps the files."""
        return datetime.now(UTC)

    def place(self, path: str) -> str:
        """Give the absolute path of a file."""
        return str(self.folder / path)

    def _put(self, target: Path, parts: Iterable[bytes]) -> None:
        draft = self._draft(target)
        try:
            with draft.open("xb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)

    def _draft(self, target: Path) -> Path:
        if self._drafts_beside:
            return target.with_name(f"{DRAFTS}-{uuid.uuid4().hex}")
        drafts = self.folder / DRAFTS
        _make_folder(drafts)
        return drafts / uuid.uuid4().hex

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lake's lock; the system lets go of it when its holder ends, however it ends."""
        handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while not _try_lock(handle):
                if time.monotonic() > deadline:
                    raise SparkhuError(
                        f"'{self.place(LOCK)}' has been held by another program for {LOCK_SECONDS:g} s. "
                        "Nothing was changed. End that program, or wait for it."
                    )
                time.sleep(random.uniform(0.001, 0.02))
            yield
        finally:
            os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each of them durable."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
        sync_folder(folder.parent)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def _failure(action: str, path: str, error: OSError) -> SparkhuError:
    said = error.strerror or type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SparkhuError(f"cannot {action} '{path}': {said}. Nothing was changed. Free some space and run it again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return InputError(f"cannot {action} '{path}': {said}. Give a folder that may be used.")
    return SparkhuError(f"cannot {action} '{path}': {said}. Nothing was changed.")
