"""Who is about to read a lake: announced in it, so that nobody removes what is still to be read.

    LAKE/readers/<id>.json     who reads which span of which table, and until when that counts

An announcement counts for an hour from when it was written or renewed, by the clock of the storage. So one that a
killed reader leaves is forgotten by itself.
"""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sparkhu.errors import SparkhuError
from sparkhu.lake.storage import NoSuchFile, Storage

READERS: Final = "readers/"
SCHEMA_VERSION: Final = 1
COUNTS_FOR: Final = timedelta(hours=1)
RENEWED_AFTER: Final = COUNTS_FOR / 4


@dataclass(frozen=True)
class Reader:
    """Somebody who reads a table.

    Attributes:
        by: Who, in words.
        table: The table.
        start: The first instant that is read; null: from the first.
        end: The end, which is not read; null: to the last.
    """

    by: str
    table: str
    start: datetime | None = None
    end: datetime | None = None


class Announcement:
    """A reader's announcement in a lake; made by `announcing`."""

    def __init__(self, storage: Storage, reader: Reader) -> None:
        self._storage, self._reader = storage, reader
        self._path = f"{READERS}{uuid.uuid4().hex}.json"
        self._written: float | None = None

    def renew(self) -> None:
        """Write it, or let it count for another hour where a quarter of the last one is over.

        To be called before anything is read, and now and then from there on.

        Raises:
            SparkhuError: The storage fails.
        """
        if self._written is None or time.monotonic() - self._written > RENEWED_AFTER.total_seconds():
            self._write()

    def withdraw(self) -> None:
        """Take it back; where that fails, it is forgotten in an hour."""
        if self._written is not None:
            with suppress(SparkhuError):
                self._storage.remove([self._path])

    def _write(self) -> None:
        told = {
            "schema_version": SCHEMA_VERSION,
            "by": self._reader.by,
            "table": self._reader.table,
            "start": self._reader.start.isoformat() if self._reader.start else None,
            "end": self._reader.end.isoformat() if self._reader.end else None,
        }
        self._storage.write(self._path, f"{json.dumps(told, indent=1)}\n".encode())
        self._written = time.monotonic()


@contextmanager
def announcing(storage: Storage, reader: Reader) -> Iterator[Announcement]:
    """Keep a reader's announcement for as long as the block runs; its first `renew` writes it.

    Args:
        storage: That of the lake, as its versions name it.
        reader: Who reads what.
    """
    announcement = Announcement(storage, reader)
    try:
        yield announcement
    finally:
        announcement.withdraw()


def announced(storage: Storage) -> list[Reader]:
    """List the readers whose announcements count.

    Raises:
        SparkhuError: The storage fails, or an announcement cannot be read: another Sparkhu wrote it, or it is damaged.
    """
    since = storage.now() - COUNTS_FOR
    found = [_read(storage, file.path) for file in storage.listed(READERS) if file.modified >= since]
    return [reader for reader in found if reader is not None]


def _read(storage: Storage, path: str) -> Reader | None:
    what = f"'{storage.place(path)}', a reader's announcement,"
    try:
        told = json.loads(storage.read(path))
        if told["schema_version"] == SCHEMA_VERSION:
            return Reader(str(told["by"]), str(told["table"]), _moment(told["start"]), _moment(told["end"]))
    except NoSuchFile:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise SparkhuError(f"{what} is damaged: {error}. Remove it.") from error
    raise SparkhuError(f"{what} is of another version of Sparkhu. Update this one.")


def _moment(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
