"""Folders that appear whole or not at all: written beside their place and renamed into it.

An attempt whose process is killed leaves its drafts behind. The next attempt at the same place sweeps them: each one
holds a lock, which the system takes from it however it ends, so that a draft which nobody holds is of a dead process.
"""

import errno
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

ASIDE, LOCK = ".old", ".lock"


@contextmanager
def new_folder(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Give temporary folders that take the places of `paths` when the block ends well, and vanish when it fails.

    Names are unique per attempt, so two attempts at one place never mix; the last to end stands. What attempts left
    that were killed is removed first.
    """
    with ExitStack() as held:
        drafts = tuple(held.enter_context(_draft(path)) for path in paths)
        yield drafts
        for draft, path in zip(drafts, paths, strict=True):
            _replace(path, draft)


@contextmanager
def scratch_folder(draft: Path) -> Iterator[Path]:
    """Give a folder inside a draft; it vanishes when the block ends, however it ends, at the latest with the draft."""
    with TemporaryDirectory(prefix=".scratch-", dir=draft, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Give a folder beside a place, and hold it until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    draft, handle = _held(path)
    try:
        draft.mkdir()
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        _beside(draft, LOCK).unlink(missing_ok=True)
        os.close(handle)


def _held(path: Path) -> tuple[Path, int]:
    """Name a draft and lock its name; where the storage knows no locks, nothing is swept either."""
    while True:
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        lock = _beside(draft, LOCK)
        handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        if _is_at(lock, handle):
            return draft, handle
        os.close(handle)  # swept before it was locked


def _sweep(path: Path) -> None:
    """Remove what attempts at a place left that were killed."""
    pattern = re.compile(rf"(\.{re.escape(path.name)}\.[0-9a-f]{{8}})(?:{re.escape(ASIDE)}|{re.escape(LOCK)})?")
    found = (pattern.fullmatch(each.name) for each in path.parent.iterdir())
    for name in sorted({match[1] for match in found if match}):
        with suppress(OSError):  # it is at work, or belongs to somebody else
            _remove(path, path.with_name(name))


def _remove(path: Path, draft: Path) -> None:
    """Remove a draft that nobody holds; what it had moved aside comes back where nothing has taken its place.

    Raises:
        OSError: Somebody holds it.
    """
    lock, aside = _beside(draft, LOCK), _beside(draft, ASIDE)
    handle = os.open(lock, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(lock, handle):
            return  # another sweeper was here, and the name may belong to somebody by now
        if aside.exists() and not path.exists():
            aside.rename(path)
        for left in (draft, aside):
            shutil.rmtree(left, ignore_errors=True)
        lock.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _replace(path: Path, draft: Path) -> None:
    """Put `draft` in the place of `path`. What lay there is moved aside first: half deleted it would look whole."""
    aside = _beside(draft, ASIDE)
    try:
        while True:
            # Another attempt may put its result there at any time; the one that ends later stands.
            shutil.rmtree(aside, ignore_errors=True)
            with suppress(FileNotFoundError):
                path.rename(aside)
            try:
                draft.rename(path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            else:
                break
    except BaseException:
        with suppress(OSError):  # there was nothing, or another attempt's result stands by now
            aside.rename(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _is_at(lock: Path, handle: int) -> bool:
    """Tell whether an open lock is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), lock.stat())
    except FileNotFoundError:
        return False


def _beside(draft: Path, suffix: str) -> Path:
    return draft.with_name(draft.name + suffix)
