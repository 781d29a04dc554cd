"""Verify a batch: everything is read again from the archive before anything leaves the storage."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import polars as pl

from sparkhu.errors import SparkhuError
from sparkhu.lake.storage import NoSuchFile, each
from sparkhu_retention.applying.archive import AT_ONCE, Archive, Manifest, ManifestFile
from sparkhu_retention.database.journal import Entered


class NotVerified(SparkhuError):  # noqa: N818 - says what is the matter
    """What the archive holds is not what was to be archived."""


def verify(archive: Archive, folder: str, wanted: Manifest, entries: Sequence[Entered], scratch: Path) -> None:
    """Read a batch back from the archive: its manifest, and of each file the size, the checksum and the rows.

    Args:
        archive: Where it lies.
        folder: Its folder.
        wanted: What was to be written.
        entries: The items that it holds.
        scratch: A folder of this machine for tables while they are read.

    Raises:
        NotVerified: Something is missing, or differs; the message names it.
    """
    if archive.manifest(folder) != wanted:
        raise NotVerified(f"the manifest in '{archive.files.place(folder)}' is not the one that was written.")
    held: dict[str, list[ManifestFile]] = defaultdict(list)
    for file in wanted.files:
        held[file.item].append(file)
    for entry in entries:
        files = held.get(entry.id)
        if not files:
            raise NotVerified(f"the archive holds nothing of '{entry.id}'.")
        rows = sum(file.rows or 0 for file in files)
        if entry.rows is not None and any(file.rows is not None for file in files) and rows != entry.rows:
            raise NotVerified(f"the archive holds {rows:,} rows of '{entry.id}', which has {entry.rows:,}.")

    def check(file: ManifestFile) -> None:
        path = f"{folder}/{file.path}"
        if file.rows is None or not path.endswith(".parquet"):
            _check(archive, path, file, [])
            return
        with NamedTemporaryFile(dir=scratch, suffix=".parquet") as copy:
            _check(archive, path, file, [copy])
            copy.flush()
            _check_rows(archive.files.place(path), file, copy.name)

    for _ in each(check, wanted.files, at_once=AT_ONCE):
        pass


def _check(archive: Archive, path: str, file: ManifestFile, copies: Sequence[IO[bytes]]) -> None:
    place, digest, size = archive.files.place(path), hashlib.sha256(), 0
    try:
        for part in archive.files.parts(path):
            digest.update(part)
            size += len(part)
            for copy in copies:
                copy.write(part)
    except NoSuchFile:
        raise NotVerified(f"'{place}' is not in the archive.") from None
    if size != file.bytes or digest.hexdigest() != file.sha256:
        raise NotVerified(f"'{place}' is damaged: {size:,} bytes with another checksum than '{file.item}'.")


def _check_rows(place: str, file: ManifestFile, copy: str) -> None:
    """Read all values of a table, a part at a time: its footer alone would say how many rows it should have."""
    table = pl.scan_parquet(copy, glob=False, hive_partitioning=False)
    counted = table.select(pl.len(), pl.all().null_count().name.prefix("nulls of "))
    try:
        rows = int(counted.collect(engine="streaming")["len"][0])
    except pl.exceptions.PolarsError as error:
        raise NotVerified(f"'{place}' cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    if rows != file.rows:
        raise NotVerified(f"'{place}' has {rows:,} rows, and should have {file.rows:,}.")
