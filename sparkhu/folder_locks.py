"""A lock on a folder itself: no file is left in it, and the system takes the lock from its holder however that ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkhu.errors import InputError

LOOKS, LOOK_SECONDS = 5, 0.02


@contextmanager
def held(folder: Path, refusal: str) -> Iterator[None]:
    """Hold a folder, as one process at a time can.

    Args:
        folder: The folder; it is there.
        refusal: What is said where another one holds it.

    Raises:
        InputError: Another one holds it.
        OSError: The folder cannot be opened, or its storage knows no locks.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _take(handle, folder, refusal)
        yield
    finally:
        os.close(handle)


def is_held(folder: Path) -> bool:
    """Tell whether a process holds a folder now; nobody holds one that is not there."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def _take(handle: int, folder: Path, refusal: str) -> None:
    """Lock an open folder; whoever only looks whether it is held does so for an instant, which is waited for."""
    for last in (*[False] * LOOKS, True):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if last:
                raise InputError(refusal) from error
            time.sleep(LOOK_SECONDS)
        else:
            break
    # One that was removed and made anew is another folder, and this lock is worth nothing.
    if not (folder.is_dir() and os.path.samestat(os.fstat(handle), folder.stat())):
        raise InputError(refusal)
