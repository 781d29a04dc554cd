"""The objects below a prefix of a bucket, in the few requests that retention makes."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.storages.s3_access import MISSING, connect, told
from sparkhu_retention.storages.s3_conditions import CONFLICT, REFUSED
from sparkhu_retention.storages.s3_locks import has_locks, holds_of

PART = 1 << 20
NO_TAGS = {"NotImplemented", "MethodNotAllowed", "InvalidRequest", "NoSuchTagSet", *MISSING}
"""What an endpoint answers that has no tags for an object, or knows of none."""
HEADERS = ("content-type", "content-encoding", "content-language", "content-disposition", "cache-control")
METADATA, TAG = "x-amz-meta-", "tag:"
"""How what is kept of an object is named, beside those headers."""
OCTETS = "application/octet-stream"
ENABLED, SUSPENDED = "Enabled", "Suspended"


@dataclass(frozen=True)
class Found:
    """An object, or one version of it.

    Attributes:
        path: From the prefix.
        content: Its entity tag; empty of a delete marker.
        bytes: Its size.
        at: When it was written, UTC.
        version: Its version; empty where the bucket has none.
        is_newest: Whether readers who name no version get it.
        is_marker: Whether it says that the object is deleted.
    """

    path: str
    content: str
    bytes: int
    at: datetime
    version: str = ""
    is_newest: bool = True
    is_marker: bool = False


@dataclass(frozen=True)
class Downloaded:
    """A copy of an object.

    Attributes:
        content: The entity tag of the object.
        bytes: Its size.
        sha256: Its checksum.
        kept: Its headers and metadata, by name.
    """

    content: str
    bytes: int
    sha256: str
    kept: dict[str, str]


class Objects:
    """A prefix in a bucket.

    Args:
        uri: `s3://bucket/prefix`.

    Raises:
        InputError: The URI names no bucket, there is no such bucket, or the sign-in is refused.
        SparkhuError: The endpoint fails.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self.bucket, _, prefix = uri.removeprefix("s3://").rstrip("/").partition("/")
        if not self.bucket or not uri.startswith("s3://"):
            raise InputError(f"uri must be s3://bucket/prefix, got '{uri}'")
        self._root = f"{prefix}/" if prefix else ""
        self._client: Any = connect()
        self._careful: Any = connect(over_nothing=True)
        with told("look at", self.uri):
            self.has_versions: bool = self._client.get_bucket_versioning(self.bucket).status in (ENABLED, SUSPENDED)

    def keeps_versions(self) -> bool:
        """Ask whether the bucket keeps versions of what is written and removed now; its owner may change that."""
        with told("look at", self.uri):
            return bool(self._client.get_bucket_versioning(self.bucket).status == ENABLED)

    def place(self, path: str) -> str:
        """Give the URI of an object."""
        return f"{self.uri}/{path}"

    def key(self, path: str) -> str:
        """Give the key of an object in its bucket."""
        return self._root + path

    def listed(self, prefix: str = "", *, deep: bool = True) -> Iterator[Found]:
        """List the objects whose path begins with `prefix`; not deep: none of the folders below it."""
        with told("list", self.place(prefix)):
            for each in self._client.list_objects(self.bucket, prefix=self.key(prefix), recursive=deep):
                if not each.is_dir:
                    yield self._found(each)

    def versions(self, path: str) -> list[Found]:
        """List all versions of an object and its delete markers."""
        with told("list the versions of", self.place(path)):
            some = self._client.list_objects(self.bucket, prefix=self.key(path), include_version=True, recursive=True)
            return [self._found(each) for each in some if each.object_name == self.key(path)]

    def find(self, path: str) -> Found | None:
        """Find the newest version of an object; null where readers find none."""
        from minio.error import S3Error

        with told("look at", self.place(path)):
            try:
                there = self._client.stat_object(self.bucket, self.key(path))
            except S3Error as error:
                if error.code in MISSING:
                    return None
                raise
            return self._found(there)

    def write(self, path: str, data: bytes) -> None:
        """Write a small object."""
        from io import BytesIO

        with told("write", self.place(path)):
            self._client.put_object(self.bucket, self.key(path), BytesIO(data), len(data))

    def upload(self, source: Path, path: str, kept: Mapping[str, str]) -> bool:
        """Write an object from a file, over nothing, with headers and tags; false: one is there already.

        An endpoint that does not heed conditions writes over what has come there in the last moment.
        """
        from minio.commonconfig import Tags

        metadata = {name: value for name, value in kept.items() if name in HEADERS[1:] or name.startswith(METADATA)}
        options: dict[str, Any] = {"content_type": kept.get(HEADERS[0], OCTETS), "metadata": metadata}
        tags = {name.removeprefix(TAG): value for name, value in kept.items() if name.startswith(TAG)}
        if tags:
            options["tags"] = Tags.new_object_tags()
            options["tags"].update(tags)
        place = (self.bucket, self.key(path), str(source))
        return self._appeared("write", path, lambda client: client.fput_object(*place, **options))

    def copy(self, source: str, target: str, content: str = "", version: str = "") -> bool:
        """Copy an object, or a version of it, with metadata and tags; false: its content is no longer `content`."""
        from minio.commonconfig import CopySource
        from minio.error import S3Error

        origin = CopySource(self.bucket, self.key(source), version_id=version or None, match_etag=content or None)
        with told("copy", self.place(source)):
            try:
                self._client.copy_object(self.bucket, self.key(target), origin)
            except S3Error as error:
                if error.code in {REFUSED, *MISSING}:
                    return False
                raise
        return True

    def copy_over_nothing(self, source: str, target: str) -> bool:
        """Copy an object as `upload` writes one; false: the target is there already, or the source is gone."""
        from minio.commonconfig import CopySource

        origin = CopySource(self.bucket, self.key(source))
        return self._appeared("write", target, lambda client: client.copy_object(self.bucket, self.key(target), origin))

    def remove(self, path: str, version: str = "") -> None:
        """Remove an object, or one version of it; one that is gone is no matter."""
        from minio.error import S3Error

        with told("remove", self.place(path)):
            try:
                self._client.remove_object(self.bucket, self.key(path), version_id=version or None)
            except S3Error as error:
                if error.code not in MISSING:
                    raise

    def erase(self, path: str) -> None:
        """Remove an object with all versions that it has."""
        if not self.has_versions:
            self.remove(path)
            return
        for each in self.versions(path):
            self.remove(path, each.version)

    def download(self, path: str, target: Path) -> Downloaded | None:
        """Copy an object into a file, and tell of it; null where there is none."""
        from minio.error import InvalidResponseError, S3Error

        digest, size = hashlib.sha256(), 0
        with told("read", self.place(path)):
            try:
                answer = self._client.get_object(self.bucket, self.key(path))
            except S3Error as error:
                if error.code in MISSING:
                    return None
                raise
            except InvalidResponseError:  # some endpoints say no more of it than that it failed
                if self.find(path) is None:
                    return None
                raise
            try:
                with target.open("wb") as file:
                    for part in answer.stream(PART, decode_content=False):  # as stored, whatever its encoding
                        digest.update(part)
                        size += file.write(part)
                told_size = int(answer.headers.get("content-length", size))
                tag = str(answer.headers.get("etag", "")).strip('"')
                kept = _kept(answer.headers)
            finally:
                answer.close()
                answer.release_conn()
        if size != told_size:
            raise SparkhuError(f"cannot read '{self.place(path)}': it broke off after {size:,} bytes. Run it again.")
        return Downloaded(tag, size, digest.hexdigest(), kept)

    def tags(self, path: str) -> dict[str, str]:
        """Give the tags of an object by name; none where the endpoint knows no tags."""
        from xml.etree.ElementTree import ParseError

        from minio.error import S3Error

        found: dict[str, str] = {}
        with told("read the tags of", self.place(path)):
            try:
                found = self._client.get_object_tags(self.bucket, self.key(path)) or {}
            except S3Error as error:
                if error.code not in NO_TAGS:
                    raise
            except (ParseError, ValueError):  # some endpoints answer with the object itself
                pass
        return dict(found)

    def can_lock(self) -> bool:
        """Tell whether the bucket may hold objects back; only one that keeps versions can."""
        if not self.keeps_versions():
            return False
        with told("look at", self.uri):
            return has_locks(self._client, self.bucket)

    def holds(self, path: str, now: datetime, version: str = "") -> list[str]:
        """Give what of the bucket forbids to remove an object, or one version of it, now."""
        with told("look at", self.place(path)):
            return holds_of(self._client, self.bucket, self.key(path), now, version)

    def _appeared(self, action: str, path: str, write: Callable[[Any], object]) -> bool:
        """Write over nothing; false: something is there.

        Without the condition where the endpoint knows none, or takes the folder `x` of an object `x/y` for an object.
        """
        from minio.error import S3Error

        with told(action, self.place(path)):
            try:
                write(self._careful)
            except S3Error as error:
                if error.code in {CONFLICT, *MISSING} or (error.code == REFUSED and self.find(path)):
                    return False
                if error.code not in (REFUSED, "NotImplemented"):
                    raise
                write(self._client)
        return True

    def _found(self, each: Any) -> Found:
        path = str(each.object_name).removeprefix(self._root)
        # Listings say 'true', an answer about one object says nothing.
        is_newest = str(each.is_latest or "true").lower() == "true"
        return Found(
            path=path,
            content=str(each.etag or "").strip('"'),
            bytes=int(each.size or 0),
            at=each.last_modified.astimezone(UTC),
            version=str(each.version_id or ""),
            is_newest=is_newest,
            is_marker=bool(each.is_delete_marker),
        )


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Give those headers of an object that are put back with it."""
    told = {name.lower(): str(value) for name, value in headers.items()}
    return {
        name: value
        for name, value in told.items()
        if (name in HEADERS or name.startswith(METADATA)) and value.isascii() and value.isprintable()
    }
