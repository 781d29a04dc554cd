"""A lock on a folder itself: no file is left in it, and the system takes the lock from its holder however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkhu.errors import InputError


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
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(refusal) from error
    else:
        yield
    finally:
        os.close(handle)


def is_held(folder: Path) -> bool:
    """Tell whether a process holds a folder now; nobody holds one that is not there."""
    if not folder.is_dir():
        return False
    try:
        with held(folder, ""):
            return False
    except InputError:
        return True
