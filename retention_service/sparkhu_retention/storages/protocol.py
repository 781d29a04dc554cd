"""What retention asks of a storage, in four verbs beside listing: export, bury, unbury, purge.

Every verb takes the ids of items and is idempotent: what was done already is no matter, so a run that was killed at any
point does it again. `content` guards the first: an item that changed since it was planned is refused, not touched.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import polars as pl

from sparkhu.errors import SparkhuError


class Changed(SparkhuError):  # noqa: N818 - says what is the matter
    """An item is no longer what the plan saw; it is left alone, and the next plan sees it anew."""


@dataclass(frozen=True)
class Exported:
    """A file of an archive: what an item holds, in a form that other programs read.

    Attributes:
        id: The item.
        path: The file, from the folder that was given.
        rows: Its rows; null where it has none.
        bytes: Its size.
        sha256: Its checksum.
        kept: What else is put back with it, by name: when a file was written and who may read it, an object's tags.
    """

    id: str
    path: str
    rows: int | None
    bytes: int
    sha256: str
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Buried:
    """An item that has left every reader's path and can still be put back.

    Attributes:
        id: The item.
        mark: Of the run that buried it.
        at: When, UTC.
        bytes: Its size.
    """

    id: str
    mark: str
    at: datetime
    bytes: int


class RetainedStorage(Protocol):
    """A place whose items policies are about.

    Every method raises `SparkhuError` when the storage fails and `InputError` when an id lies outside of its root or
    the sign-in is refused; the message names the item and holds no secret.

    Attributes:
        uri: The root.
        kind: Such as `folder`, `s3`, `lake`, `mlflow`, `features`, `runs`.
    """

    uri: str
    kind: str

    def items(self) -> Iterator[pl.DataFrame]:
        """List the items, in frames of the schema `ITEMS`; what is buried is not among them."""

    def export(self, contents: Mapping[str, str], folder: Path) -> Iterator[Exported]:
        """Write what items hold into a folder of this machine: tables as Parquet, anything else byte for byte.

        Args:
            contents: For each id the `content` that the plan saw.
            folder: Empty, to be written to.

        Raises:
            Changed: An item is no longer what the plan saw.
        """

    def bury(self, contents: Mapping[str, str], mark: str) -> None:
        """Take items out of every reader's path at once; their bytes stay.

        Args:
            contents: For each id the `content` that the plan saw.
            mark: Of the run that buries; what is buried under it already is no matter.

        Raises:
            Changed: An item is no longer what the plan saw; nothing of the call was done.
        """

    def buried(self) -> Iterator[Buried]:
        """List what is buried and not purged."""

    def unbury(self, ids: Sequence[str], mark: str) -> None:
        """Put buried items back where they were; what is back already is no matter.

        Raises:
            SparkhuError: Another item lies there now, or the item was purged: restore it from the archive.
        """

    def purge(self, ids: Sequence[str], mark: str) -> int:
        """Remove buried items for good; what is gone already is no matter.

        Returns:
            Bytes that were freed by this call.
        """

    def put_back(self, archived: Iterable[Exported], folder: Path) -> None:
        """Write items anew from what `export` gave, lying in `folder`, where they are gone from the storage."""
