"""A lake on S3: an object appears whole, and a conditional write swaps the newest version in.

Endpoint, region and sign-in come from the standard `AWS_*` variables. An endpoint that ignores the conditions of a
write is found out before anything is swapped; there publishers take turns instead (`sparkhu.lake.leases`).
"""

import os
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake.leases import turn
from sparkhu.lake.storage import PART, NoSuchFile, Stored

PROBE = "conditions.txt"
PROBE_TEXT = b"Here Sparkhu asks whether this endpoint heeds the conditions of a write.\n"
READ_ATTEMPTS = 7
"""Over 6 s in all: as long as an endpoint may take to overwrite an object that it serves bit by bit."""
PER_PAGE = 1000
UPLOADED, MOST_UPLOADED = 32 << 20, 9_000
"""Bytes of a part of an object that is written a part at a time, and most parts; S3 takes 10,000."""
NOTHING_THERE = {"InvalidRange", "416"}
"""What an endpoint answers that is asked for a range of an object of no bytes."""
REFUSED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
"""What an endpoint answers when a condition does not hold, or another write is under way."""

SIGN_IN = {
    *("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "401", "403"),
    *("AuthorizationHeaderMalformed", "RequestTimeTooSkewed", "InvalidSecurity", "AllAccessDisabled"),
}
CONNECTION: dict[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "retries": {"mode": "standard", "total_max_attempts": 4},
    "request_checksum_calculation": "when_required",  # many endpoints know no newer ones; files have checksums of ours
    "response_checksum_validation": "when_required",
}
AT_ONCE: dict[str, Any] = {"connect_timeout": 2, "read_timeout": 6, "retries": {"total_max_attempts": 1}}
"""Less than the half of a lease that is left to a publisher in its turn."""

_connections: dict[tuple[Any, ...], Any] = {}
_connecting = threading.Lock()

_heeded: dict[tuple[str, str], bool] = {}
"""Whether an endpoint and bucket heed conditions; asked once in a process."""


class Objects:
    """A prefix in an S3 bucket.

    Args:
        uri: `s3://bucket/prefix`.

    Raises:
        InputError: The URI names no bucket.
    """

    def __init__(self, uri: str) -> None:
        bucket, _, prefix = uri.removeprefix("s3://").rstrip("/").partition("/")
        if not bucket:
            raise InputError(f"a lake on S3 lies under s3://bucket/prefix, got '{uri}'")
        self.uri = uri
        self.options: dict[str, str] | None = None  # Polars reads the AWS_* variables itself
        self.notes: tuple[str, ...] = ()
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""

    def read(self, path: str) -> bytes:
        """Read an object; `NoSuchFile` when there is none."""
        return self.read_tagged(path)[0]

    def read_tagged(self, path: str) -> tuple[bytes, str]:
        """Read an object, with its entity tag."""
        from fsspec.asyn import sync

        try:
            data, answer = sync(self._files.loop, _whole, self._files, self._bucket, self._root + path)
        except Exception as error:  # noqa: BLE001 - as many kinds of errors as there are layers below
            raise self._failure("read", path, error) from None
        return data, answer["ETag"]

    def write(self, path: str, data: bytes) -> None:
        """Write an object; it appears whole or not at all, and lasts when this returns."""
        self._call("write", path, "put_object", Key=self._root + path, Body=data)

    def parts(self, path: str) -> Iterator[bytes]:
        """Read an object a part at a time; `NoSuchFile` when there is none."""
        from fsspec.asyn import sync

        first, size = 0, 1
        while first < size:
            wanted = {"Range": f"bytes={first}-{first + PART - 1}"}
            try:
                part, answer = sync(self._files.loop, _whole, self._files, self._bucket, self._root + path, **wanted)
            except Exception as error:  # noqa: BLE001 - as many kinds of errors as there are layers below
                if first == 0 and _code(error) in NOTHING_THERE:
                    return
                raise self._failure("read", path, error) from None
            if not part:
                return
            yield part
            first += len(part)
            size = int(answer.get("ContentRange", f"/{first}").rpartition("/")[2])

    def put(self, path: str, source: Path) -> None:
        """Write an object from a file of this machine, as `write` does, a part at a time."""
        size = source.stat().st_size
        if size <= PART:
            self.write(path, source.read_bytes())
            return
        bounds = {"chunksize": max(UPLOADED, -(-size // MOST_UPLOADED)), "max_concurrency": 2}
        try:
            self._files.put_file(str(source), f"{self._bucket}/{self._root}{path}", **bounds)
        except Exception as error:  # noqa: BLE001 - as many kinds of errors as there are layers below
            raise self._failure("write", path, error) from None

    def write_at_once(self, path: str, data: bytes) -> None:
        """Write an object now or not at all: no second attempt comes late."""
        self._call("write", path, "put_object", at_once=True, Key=self._root + path, Body=data)

    def swap(self, path: str, tag: str | None, data: bytes) -> bool:
        """Write `path` if it still has `tag` (null: if there is none). False: another was first, or it is unsure."""
        if self._heeds_conditions():
            return self._put_if(path, {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}, data)
        self.notes = (
            f"the S3 endpoint of '{self.uri}' ignores the conditions of a write; publishers take turns by leases",
        )
        return turn(self, path, tag, data)

    def listed(self, prefix: str) -> list[Stored]:
        """List the objects whose path begins with `prefix`, in order of path."""
        return self.listed_at(prefix)[0]

    def listed_at(self, prefix: str) -> tuple[list[Stored], datetime]:
        """List as `listed` does, with the endpoint's time at the end of it, rounded up to a second."""
        found: list[Stored] = []
        more: dict[str, Any] = {}
        while True:
            page = self._call("list", prefix, "list_objects_v2", Prefix=self._root + prefix, MaxKeys=PER_PAGE, **more)
            for entry in page.get("Contents", ()):
                path = entry["Key"].removeprefix(self._root)
                found.append(Stored(path, entry["Size"], entry["LastModified"].astimezone(UTC)))
            if not page.get("IsTruncated"):
                break
            more = {"ContinuationToken": page["NextContinuationToken"]}
        said = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
        return sorted(found, key=lambda each: each.path), said.astimezone(UTC) + timedelta(seconds=1)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove objects; those that are gone already are no matter."""
        todo = list(paths)
        for some in (todo[first : first + PER_PAGE] for first in range(0, len(todo), PER_PAGE)):
            keys = [{"Key": self._root + path} for path in some]
            answer = self._call("remove", some[0], "delete_objects", Delete={"Objects": keys, "Quiet": True})
            for refused in answer.get("Errors", ()):
                raise SparkhuError(f"cannot remove 's3://{self._bucket}/{refused['Key']}': {refused.get('Message')}")

    def now(self) -> datetime:
        """Tell the endpoint's time, rounded up to a second."""
        return self.listed_at("current.json")[1]

    def place(self, path: str) -> str:
        """Give the URI of an object."""
        return f"s3://{self._bucket}/{self._root}{path}"

    @property
    def _files(self) -> Any:
        return _connection()

    def _call(self, action: str, path: str, method: str, *, at_once: bool = False, **arguments: Any) -> Any:
        try:
            return _connection(at_once=at_once).call_s3(method, Bucket=self._bucket, **arguments)
        except Exception as error:  # noqa: BLE001 - as many kinds of errors as there are layers below
            raise self._failure(action, path, error) from None

    def _put_if(self, path: str, condition: dict[str, str], data: bytes) -> bool:
        """Write an object on a condition; false when it does not hold."""
        try:
            self._files.call_s3("put_object", Bucket=self._bucket, Key=self._root + path, Body=data, **condition)
        except Exception as error:  # noqa: BLE001 - as many kinds of errors as there are layers below
            if _code(error) in REFUSED or (_code(error) == "NoSuchKey" and "IfMatch" in condition):
                return False
            raise self._failure("write", path, error) from None
        return True

    def _heeds_conditions(self) -> bool:
        """Find out, once a process, whether this endpoint refuses a write whose condition does not hold."""
        key = (str(self._files.s3.meta.endpoint_url), self._bucket)
        if key not in _heeded:
            _heeded[key] = self._refuses({"IfNoneMatch": "*"}) and self._refuses({"IfMatch": f'"{"0" * 32}"'})
        return _heeded[key]

    def _refuses(self, condition: dict[str, str]) -> bool:
        """Write the probe twice: the first time it may not have been there."""
        try:
            return not (self._put_if(PROBE, condition, PROBE_TEXT) and self._put_if(PROBE, condition, PROBE_TEXT))
        except SparkhuError as error:
            if isinstance(error.__context__, Exception) and _code(error.__context__) in ("NotImplemented", "501"):
                return False
            raise

    def _failure(self, action: str, path: str, error: Exception) -> SparkhuError:
        """Say what went wrong; what lower layers say of it names no secret, and only their kind is repeated."""
        from botocore.exceptions import NoCredentialsError, PartialCredentialsError

        code, place = _code(error), self.place(path)
        if code in ("NoSuchKey", "404"):
            return NoSuchFile(f"there is no object '{place}'")
        if code == "NoSuchBucket":
            return InputError(
                f"cannot {action} '{place}': there is no bucket '{self._bucket}'. Make it, or name another."
            )
        if code in SIGN_IN or isinstance(error, NoCredentialsError | PartialCredentialsError):
            said = code or type(error).__name__
            return InputError(
                f"cannot {action} '{place}': the endpoint refuses the sign-in ({said}). Check AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and what they allow."
            )
        said = code or type(error).__name__
        return SparkhuError(
            f"cannot {action} '{place}': {said}. Check AWS_ENDPOINT_URL, and that the endpoint runs and is not full; "
            "then run it again."
        )


def _connection(*, at_once: bool = False) -> Any:
    """Connect to the endpoint that the `AWS_*` variables name, once a process.

    Not kept by fsspec, which would make one for every thread and go on using a sign-in that has been changed.
    """
    import s3fs
    from botocore.handlers import add_expect_header

    variables = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    key = (os.getpid(), at_once, variables)
    with _connecting:
        if key not in _connections:
            config = {**CONNECTION, **(AT_ONCE if at_once else {})}
            files = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True, config_kwargs=config)
            files.retries = 1  # the layer below it tries again already
            files.connect()
            # An endpoint that refuses a write early may go on to wait for its body, while the client waits for leave to
            # send it, and no time limit holds meanwhile. What a lake writes at once is small enough to be sent unasked.
            files.s3.meta.events.unregister("before-call.s3", add_expect_header)
            _connections[key] = files
        return _connections[key]


async def _whole(files: Any, bucket: str, key: str, **asked: str) -> tuple[bytes, Any]:
    """Read an object, or a range of it, to its end; an answer that breaks off or is cut short is asked for again."""
    from asyncio import sleep

    from aiohttp import ClientPayloadError

    for attempt in range(READ_ATTEMPTS):
        try:
            answer = await files._call_s3("get_object", Bucket=bucket, Key=key, **asked)  # noqa: SLF001 - its twin cannot await
            async with answer["Body"] as body:
                return await body.read(), answer
        except ClientPayloadError:
            if attempt + 1 == READ_ATTEMPTS:
                raise
            await sleep(0.1 * 2**attempt)
    raise AssertionError("unreachable")


def _code(error: BaseException) -> str:
    """Find the error code that the endpoint gave; empty where it gave none."""
    for each in (error, error.__cause__):
        response = getattr(each, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""
