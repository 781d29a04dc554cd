"""Folders whose entries outlast a crash of the machine."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Bring the entries of a folder to the disk: a new name in it, or that of a file which was renamed into it, lasts.

    Raises:
        OSError: Storage fails.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
