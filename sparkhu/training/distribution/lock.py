"""The lock of a job: one process runs it, and its workers end where that process is gone.

It is no lock on the job's folder (`sparkhu.folder_locks`), for workers look at it from their own processes: a file says
which holder it has, since they must end under another one as well. And as one of them has it for the instant in which
it finds out that its own is gone, whoever takes it waits that long.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

from sparkhu.errors import InputError, SparkhuError

LOCK: Final = "launcher.lock"
HOLDER: Final = "SPARKHU_LAUNCHED"
"""Is in the environment of workers that end where the lock has another holder, or none."""
ORPHANED: Final = 3
POLL_SECONDS: Final = 0.5


@contextmanager
def locked(folder: Path) -> Iterator[str]:
    """Hold the lock of a job, and give a name of this holder that no other one has.

    Raises:
        InputError: Another process holds it.
        SparkhuError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+b")
    except OSError as error:
        raise SparkhuError(f"the job in '{folder}' cannot be locked: {error}. Give a folder to write in.") from error
    with file:
        _take(file, folder)
        holder = uuid4().hex
        file.truncate(0)
        file.write(holder.encode())
        file.flush()
        yield holder


def _take(file: IO[bytes], folder: Path) -> None:
    """Take the lock; a worker that has no holder any more has it for an instant, before it ends."""
    until = time.monotonic() + POLL_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise InputError(
                    f"another process runs the job in '{folder}'. Wait for it, or give another folder."
                ) from error
            time.sleep(POLL_SECONDS / 10)
        except OSError as error:
            raise SparkhuError(
                f"the job in '{folder}' cannot be locked: {error}. Give a folder on a file system that knows locks."
            ) from error
        else:
            return


def end_with_holder(folder: Path, holder: str) -> None:
    """End this process, from a thread of its own, as soon as the lock of a job has another holder or none."""
    threading.Thread(target=_watch, args=(folder / LOCK, holder), daemon=True).start()


def _watch(lock: Path, holder: str) -> None:
    with lock.open("r+b") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                if file.read().decode() not in (holder, ""):
                    break
                time.sleep(POLL_SECONDS)
    os._exit(ORPHANED)
