"""Renames that last, and that lay nothing over what is there."""

import errno
import os
from contextlib import suppress
from pathlib import Path

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK)
"""What a file system says that has no hard links, or no more of them for a file."""
IN_THE_WAY = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def rename_over_nothing(source: Path, path: Path) -> None:
    """Rename a file or folder; where something lies at `path`, it stays, also if it came there in the last moment.

    Raises:
        FileExistsError: Something lies there.
    """
    if source.is_dir():
        _rename_folder(source, path)
        return
    try:
        path.hardlink_to(source)
    except FileExistsError:
        if path.is_symlink() or not path.samefile(source):  # else a run was killed between the link and the unlink
            raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):
            raise _in_the_way(path) from None
        source.rename(path)
        return
    source.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each of them durable."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
        sync(folder.parent)


def sync(folder: Path) -> None:
    """Make what was renamed in a folder durable."""
    with suppress(FileNotFoundError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _rename_folder(source: Path, path: Path) -> None:
    if os.path.lexists(path):
        raise _in_the_way(path)
    try:
        source.rename(path)  # the system lays a folder over nothing but an empty one
    except OSError as error:
        if error.errno in IN_THE_WAY:
            raise _in_the_way(path) from None
        raise


def _in_the_way(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
