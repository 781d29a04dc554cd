"""An archive: folders of exported files, each with a manifest that is written last and says what is in them.

    <storage>/<run>/<batch>/manifest.json
    <storage>/<run>/<batch>/data/…       what the storage exported: tables as Parquet, plain files byte for byte
    downsampled/<storage>/<run>/<batch>/ the rows of a longer period that a policy wants kept

Files lie there as the storage exported them, to the byte: what comes back has the checksums that others know it by.
"""

import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake.folders import Folder
from sparkhu.lake.storage import NoSuchFile, Storage, each, open_storage
from sparkhu_retention.database.archived import File
from sparkhu_retention.storages.files import checksum_of
from sparkhu_retention.storages.protocol import Exported

MANIFEST: Final = "manifest.json"
AT_ONCE: Final = 4
logger = logging.getLogger(__name__)


class Kept(Protocol):
    """A file that was written to an archive."""

    @property
    def path(self) -> str:
        """Where it lies, from the archive's root."""

    @property
    def sha256(self) -> str:
        """Its checksum."""

    @property
    def holds(self) -> str:
        """What it holds, in words."""


Given = TypeVar("Given", bound=Kept)


class Damaged(SparkhuError):  # noqa: N818 - says what is the matter
    """What the archive has of an item is gone, or is not what was written."""


class ManifestFile(BaseModel):
    """A file of a batch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str = Field(description="The item that it holds, or a part of it.")
    path: str = Field(description="Where it lies, from the manifest's folder.")
    rows: int | None = Field(description="Its rows; null where it has none.")
    bytes: int = Field(description="Its size.")
    sha256: str = Field(description="Its checksum.")
    kept: dict[str, str] = Field(
        default_factory=dict, description="What else comes back with it: times, rights, headers, tags."
    )


class Manifest(BaseModel):
    """What a batch of an archive holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(1, description="Version of this schema.")
    storage: str = Field(description="URI of the storage that the items were in.")
    kind: str = Field(description="Its kind, such as folder, s3, lake.")
    run: str = Field(description="The run that archived them.")
    batch: int = Field(description="Which batch of the run, from 1.")
    archived_at: datetime = Field(description="When, UTC.")
    items: int = Field(description="How many items.")
    rows: int = Field(description="The rows of all files that have any.")
    bytes: int = Field(description="The bytes of all files.")
    files: tuple[ManifestFile, ...] = Field(description="The files.")


class Archive:
    """An archive in a folder or under `s3://bucket/prefix`.

    Args:
        uri: Where it lies.
        files: What reaches it; null: what the URI means.

    Raises:
        InputError: The URI is neither.
    """

    def __init__(self, uri: str, files: Storage | None = None) -> None:
        try:
            self.files = files or _opened(uri)
        except InputError:
            raise InputError(f"archive must be a folder or s3://bucket/prefix, got '{uri}'.") from None
        self.uri = uri

    def check(self) -> None:
        """See that files can be written there, so far as that shows without writing one.

        Raises:
            SparkhuError: They cannot, or the place cannot be reached.
        """
        if not isinstance(self.files, Folder):
            self.files.now()
            return
        folder = self.files.folder
        there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise InputError(f"'{there}' is no folder that may be written to. Give one that may.")

    def folder(self, storage: str, run: str, batch: int) -> str:
        """Name the folder of a batch."""
        return f"{_slug(storage)}/{run}/{batch:06d}"

    def coarse(self, storage: str, run: str, batch: int) -> str:
        """Name the folder of what a batch was downsampled to."""
        return f"downsampled/{_slug(storage)}/{run}/{batch:06d}"

    def write(self, folder: str, exported: Sequence[Exported], scratch: Path, manifest: Manifest) -> None:
        """Write exported files and, when all of them are there, the manifest."""

        def put(file: Exported) -> None:
            if checksum_of(scratch / file.path) != file.sha256:
                raise SparkhuError(f"'{file.path}' was damaged on its way to the archive. Nothing was removed.")
            self.files.put(f"{folder}/{_data(file)}", scratch / file.path)

        for _ in each(put, exported, at_once=AT_ONCE):
            pass
        self.files.write(f"{folder}/{MANIFEST}", manifest.model_dump_json(indent=1).encode() + b"\n")

    def manifest(self, folder: str) -> Manifest:
        """Read the manifest of a folder.

        Raises:
            SparkhuError: There is none, or it cannot be read.
        """
        try:
            return Manifest.model_validate_json(self.files.read(f"{folder}/{MANIFEST}"))
        except ValidationError as error:
            place = self.files.place(f"{folder}/{MANIFEST}")
            raise SparkhuError(f"'{place}' is damaged: {error.errors()[0]['msg']}") from None

    def fetch(self, files: Iterable[File], scratch: Path) -> list[Exported]:
        """Bring files to a folder of this machine, as the storage gave them, their checksums compared.

        What else was kept of them is in the manifest; where that is damaged they come back without.

        Raises:
            SparkhuError: One is gone or damaged.
        """
        wanted = list(files)
        kept = {path: each for folder in {file.folder for file in wanted} for path, each in self._kept(folder)}

        def get(file: File) -> Exported:
            path = PurePosixPath(file.path).relative_to(f"{file.folder}/data")
            target = scratch / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as copy:
                copy.writelines(self.parts(file))
            return Exported(file.id, path.as_posix(), file.rows, file.bytes, file.sha256, kept.get(file.path, {}))

        return list(each(get, wanted, at_once=AT_ONCE))

    def _kept(self, folder: str) -> list[tuple[str, dict[str, str]]]:
        """Give what the manifest of a folder says beside checksums, by path."""
        try:
            return [(f"{folder}/{file.path}", file.kept) for file in self.manifest(folder).files]
        except SparkhuError as error:
            logger.warning("the files of '%s' come back without times, rights and tags: %s", folder, error)
            return []

    def parts(self, file: Kept) -> Iterator[bytes]:
        """Read a file a part at a time; when it has ended, its checksum is compared.

        Raises:
            Damaged: It is gone, or is not what was written.
            SparkhuError: It cannot be read.
        """
        place, digest = self.files.place(file.path), hashlib.sha256()
        try:
            for part in self.files.parts(file.path):
                digest.update(part)
                yield part
        except NoSuchFile:
            raise Damaged(f"the archive has lost '{place}', which holds {file.holds}.") from None
        if digest.hexdigest() != file.sha256:
            raise Damaged(f"'{place}' in the archive is damaged: its checksum is not that of {file.holds}.")

    def tried(self, files: Iterable[Given]) -> Iterator[tuple[Given, SparkhuError | None]]:
        """Read files to their end, in order; of each that is not whole, or cannot be read, the reason."""

        def tried(file: Given) -> tuple[Given, SparkhuError | None]:
            try:
                for _ in self.parts(file):
                    pass
            except SparkhuError as error:
                return file, error
            return file, None

        return each(tried, files, at_once=AT_ONCE)

    def sweep(self, folder: str) -> None:
        """Remove what a run has left in a folder, half-written files among it."""
        self.files.remove([stored.path for stored in self.files.listed(f"{folder}/")])

    def kept(
        self, folder: str, exported: Iterable[Exported], entries: dict[str, int], storage: str, at: datetime
    ) -> list[File]:
        """Say exported files as the database keeps them, once they were written; `entries` has numbers by item."""
        return [
            File(
                *(self.uri, f"{folder}/{_data(file)}", folder, entries[file.id], storage, file.id),
                *(file.rows, file.bytes, file.sha256, at),
            )
            for file in exported
        ]


def _opened(uri: str) -> Storage:
    """Open the place of an archive; in a folder of this machine drafts lie in the folder of their batch."""
    opened = open_storage(uri)
    return Folder(opened.uri, drafts_beside=True) if isinstance(opened, Folder) else opened


def manifest_of(
    exported: Sequence[Exported],
    *,
    storage: str,
    kind: str,
    run: str,
    batch: int,
    at: datetime,
) -> Manifest:
    """Say what a batch will hold."""
    return Manifest(
        schema_version=1,
        storage=storage,
        kind=kind,
        run=run,
        batch=batch,
        archived_at=at,
        items=len({file.id for file in exported}),
        rows=sum(file.rows or 0 for file in exported),
        bytes=sum(file.bytes for file in exported),
        files=tuple(_said(file) for file in exported),
    )


def _said(file: Exported) -> ManifestFile:
    told = {"rows": file.rows, "bytes": file.bytes, "sha256": file.sha256, "kept": dict(file.kept)}
    return ManifestFile(item=file.id, path=_data(file), **told)


def _data(file: Exported) -> str:
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise SparkhuError(f"'{file.path}' lies outside of the folder that '{file.id}' was to be exported to.")
    return f"data/{path}"


def _slug(storage: str) -> str:
    """Name a storage in a path: its last words, and a sign that tells it from others."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", storage.rpartition("://")[2]).strip("-").lower()[-40:].strip("-")
    return f"{words or 'storage'}-{hashlib.sha256(storage.encode()).hexdigest()[:8]}"
