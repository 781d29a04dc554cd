"""What a lake asks of the place that it lies in: whole files, written once, and one that is swapped."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from sparkhu.errors import InputError, SparkhuError

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 8
PART = 8 << 20
"""Bytes of a part of a file that is read a part at a time."""


class NoSuchFile(SparkhuError):  # noqa: N818 - says what is the matter
    """There is no file of that name in the storage."""


@dataclass(frozen=True)
class Stored:
    """A file in the storage: its path from the lake's root, its size, and when it was written."""

    path: str
    bytes: int
    modified: datetime


class Storage(Protocol):
    """A folder or a bucket. Paths are relative to the lake's root, their parts joined with `/`.

    Every method raises `SparkhuError` when the storage fails, and `InputError` when it refuses the sign-in or is not
    there; the message names the file and holds no secret.

    Attributes:
        uri: The lake's root.
        options: What Polars needs to reach it, beside the URI; null where nothing.
        notes: What a publisher should know of it, such as that it lacks compare-and-swap.
    """

    uri: str
    options: dict[str, str] | None
    notes: tuple[str, ...]

    def read(self, path: str) -> bytes:
        """Read a file; `NoSuchFile` when there is none."""

    def read_tagged(self, path: str) -> tuple[bytes, str]:
        """Read a file, with a tag that changes when the file does."""

    def write(self, path: str, data: bytes) -> None:
        """Write a new file; it appears whole or not at all, and lasts when this returns."""

    def swap(self, path: str, tag: str | None, data: bytes) -> bool:
        """Write `path` if it still has `tag` (null: if there is none). False: another was first, or it is unsure."""

    def parts(self, path: str) -> Iterator[bytes]:
        """Read a file a part at a time, as it may be larger than memory; `NoSuchFile` when there is none."""

    def put(self, path: str, source: Path) -> None:
        """Write a new file from one of this machine, as `write` does, a part at a time."""

    def listed(self, prefix: str) -> list[Stored]:
        """List the files whose path begins with `prefix`, in order of path."""

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files; those that are gone already are no matter."""

    def now(self) -> datetime:
        """Tell the time by the clock that stamps the files."""

    def place(self, path: str) -> str:
        """Give the path or URI by which other programs find a file."""


def open_storage(uri: str) -> Storage:
    """Find the storage that a URI means: a local folder, or `s3://bucket/prefix`.

    Raises:
        InputError: It is neither.
    """
    from sparkhu.lake.folders import Folder

    scheme, separator, rest = uri.partition("://")
    if not uri.strip():
        raise InputError("the lake is empty. Give a folder or s3://bucket/prefix.")
    if not separator:
        return Folder(uri)
    if scheme == "file":
        return Folder(rest)
    if scheme == "s3":
        from sparkhu.lake.objects import Objects

        return Objects(uri)
    raise InputError(f"a lake lies in a folder or under s3://bucket/prefix, got '{scheme}://…'.")


def each(work: Callable[[T], R], items: Iterable[T], *, at_once: int = AT_ONCE) -> Iterator[R]:
    """Do `work` for every item, several at a time: most of it is waiting for the storage. Results keep the order."""
    todo = list(items)
    if len(todo) <= 1:
        return map(work, todo)
    return _threaded(work, todo, at_once)


def _threaded(work: Callable[[T], R], items: list[T], at_once: int) -> Iterator[R]:
    with ThreadPoolExecutor(min(at_once, len(items)), thread_name_prefix="lake") as pool:
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)
