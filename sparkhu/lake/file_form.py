"""The form of a lake's files, and reading one after comparing it with what its version says of it."""

import io
import json
import uuid
from collections.abc import Mapping
from typing import Final

import polars as pl

from sparkhu.errors import SparkhuError
from sparkhu.lake.purging import check_not_purged
from sparkhu.lake.records import SCHEMA_VERSION, checksum
from sparkhu.lake.storage import NoSuchFile, Storage

ROWS_PER_GROUP: Final = 1 << 18
"""Rows of a row group: few enough that a reader of some series or days passes over most of a large file."""
RETURNED: Final = "returned/"
WAY_OUT: Final = "Restore it from a backup, or read another version."


def encoded(rows: pl.DataFrame, rows_per_group: int = ROWS_PER_GROUP) -> bytes:
    """Write rows as a Parquet file, compressed by zstd."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", row_group_size=rows_per_group)
    return buffer.getvalue()


def read_whole(storage: Storage, path: str, sha256: str, size: int | None, what: str) -> bytes:
    """Read a file and compare it with what its version says of it.

    Args:
        storage: Where the lake lies.
        path: Of the file.
        sha256: Its checksum.
        size: Its bytes; null: not known.
        what: It, in words, for messages.

    Raises:
        SparkhuError: It is missing, was purged, or is damaged.
    """
    try:
        data = storage.read(path)
    except NoSuchFile:
        check_not_purged(storage, [path])
        raise SparkhuError(f"{what} is missing. {WAY_OUT}") from None
    if not is_whole(storage, path, sha256, data):
        if size is not None and len(data) != size:
            raise SparkhuError(f"{what} is damaged: it has {len(data)} bytes, {size} were written. {WAY_OUT}")
        raise SparkhuError(f"{what} is damaged: its checksum is not the one that was written. {WAY_OUT}")
    return data


def is_whole(storage: Storage, path: str, sha256: str, data: bytes) -> bool:
    """Tell whether a file holds what its version says, or what it has come back from an archive with."""
    found = checksum(data)
    return found == sha256 or found in _returned(storage, path)


def note_returned(storage: Storage, checksums: Mapping[str, str]) -> None:
    """Write down that files have come back from an archive with the same rows in other bytes.

    Versions of before know them by the checksums of the first bytes; this says which others are theirs as well.

    Args:
        storage: Where the lake lies.
        checksums: Of the new bytes, by path.
    """
    record = {"schema_version": SCHEMA_VERSION, "files": dict(checksums)}
    storage.write(f"{RETURNED}{uuid.uuid4().hex}.json", json.dumps(record, separators=(",", ":")).encode())


def _returned(storage: Storage, path: str) -> set[str]:
    """Give the checksums that a file has come back with."""
    records = (json.loads(storage.read(file.path)) for file in storage.listed(RETURNED))
    return {record["files"][path] for record in records if path in record["files"]}
