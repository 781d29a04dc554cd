"""Files: what tells that one changed, copies of them with checksums, and how one appears whole."""

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from sparkhu.errors import SparkhuError
from sparkhu_retention.storages.protocol import Exported
from sparkhu_retention.storages.renaming import rename_over_nothing, sync
from sparkhu_retention.storages.tombstones import occupied

WRITTEN, RIGHTS = "written_ns", "rights"
PLAIN = 0o777
"""Rights that change nothing of who runs a file."""


def content_of(path: Path) -> str | None:
    """Give the fingerprint of a file; null where there is none."""
    status = status_of(path)
    return None if status is None else fingerprint(status)


def size_of(path: Path) -> int:
    """Give the bytes that go free when a file is removed: none where it has another name as well."""
    status = path.stat()
    return status.st_size if status.st_nlink == 1 else 0


def copied(item: str, path: Path, copy: Path, folder: Path) -> Exported:
    """Copy a file into a folder and tell what was copied."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as source, copy.open("xb") as target:
        while part := source.read(1 << 20):
            digest.update(part)
            size += target.write(part)
        status = os.fstat(source.fileno())
    kept = {WRITTEN: str(status.st_mtime_ns), RIGHTS: f"{stat.S_IMODE(status.st_mode) & PLAIN:03o}"}
    return Exported(item, copy.relative_to(folder).as_posix(), rows_of(copy), size, digest.hexdigest(), kept)


def give_back(kept: Mapping[str, str], path: Path) -> None:
    """Give a copy of a file the time when that was written and the rights that it had; those of its owner are left."""
    if RIGHTS in kept:
        path.chmod(int(kept[RIGHTS], 8) & PLAIN)
    if WRITTEN in kept:
        os.utime(path, ns=(time.time_ns(), int(kept[WRITTEN])))


def exported_of(item: str, path: Path, folder: Path) -> Exported:
    """Tell what was exported into a file of a folder."""
    return Exported(item, path.relative_to(folder).as_posix(), rows_of(path), path.stat().st_size, checksum_of(path))


def rows_of(path: Path) -> int | None:
    """Count the rows of a Parquet file from its footer; null of another file, or where it is no whole one."""
    if path.suffix != ".parquet":
        return None
    try:
        return int(pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError):
        return None


def checksum_of(path: Path) -> str:
    """Give the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def appear(source: Path, sha256: str, path: Path, draft: Path, kept: Mapping[str, str]) -> None:
    """Let a copy of `source` appear at `path`, whole or not at all, and over nothing, with what was kept of it.

    Raises:
        SparkhuError: The copy is not what `sha256` says, or something else lies at `path`.
    """
    if os.path.lexists(path):
        if path.is_symlink() or not path.is_file() or checksum_of(path) != sha256:
            raise occupied(path)
        return
    try:
        with source.open("rb") as given, draft.open("xb") as file:
            shutil.copyfileobj(given, file, 1 << 20)
            file.flush()
            give_back(kept, draft)
            os.fsync(file.fileno())
        if checksum_of(draft) != sha256:
            raise SparkhuError(f"'{source}' is damaged: its checksum is not that of '{path}'. Nothing was put back.")
        try:
            rename_over_nothing(draft, path)
        except FileExistsError:
            raise occupied(path) from None
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def status_of(path: Path) -> os.stat_result | None:
    """Look at a file; null where there is none, also where there is a folder or a symbolic link."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def fingerprint(status: os.stat_result) -> str:
    """Tell a file's content by its size, the time when it was written and its inode."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"
