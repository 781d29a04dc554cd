"""The bytes of a file as they pass: unpacked, counted and hashed, a chunk at a time."""

import hashlib
import zlib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import chain
from typing import IO

from sparkhu.errors import InputError
from sparkhu.sources.secrets import without_secrets

GZIP = b"\x1f\x8b"
WITH_HEADER = 31
"""What zlib calls a stream with gzip's header and checksum."""


class Content:
    """A file's content.

    Args:
        named: How to call the file in messages.
        opened: Opens it anew.
        uri: The source, whose passwords no message may show.

    Attributes:
        size: Bytes that have passed, unpacked.
        lines: Line ends among them.
        packed: The file itself is packed (known once the first chunk has passed).
    """

    def __init__(self, named: str, opened: Callable[[], IO[bytes]], uri: str) -> None:
        self._named, self._opened, self._uri = named, opened, uri
        self._digest = hashlib.sha256()
        self.size = self.lines = 0
        self.packed = False

    @property
    def sha256(self) -> str:
        """The checksum of what has passed."""
        return self._digest.hexdigest()

    def chunks(self, size: int) -> Iterator[bytes]:
        """Give the content, up to `size` bytes at a time.

        Raises:
            InputError: The file cannot be read, or ends in the middle; the message says how far it could be read.
        """
        try:
            with self._opened() as file, closing(_ahead(partial(file.read, size))) as coming:
                raw = _at_least(len(GZIP), coming)
                first = next(raw, b"")
                self.packed = first.startswith(GZIP)
                whole = chain((first,), raw)
                for chunk in _unpacked(whole, size) if self.packed else whole:
                    self._count(chunk)
                    yield chunk
        except (EOFError, zlib.error) as error:
            raise InputError(
                f"'{self._named}' cannot be read: {error}{self._far}. Check that it is complete."
            ) from error
        # Each of fsspec's many file systems has errors of its own; what they say may repeat a password.
        except Exception as error:  # noqa: BLE001
            said = without_secrets(str(error) or type(error).__name__, self._uri)
            raise InputError(
                f"'{self._named}' cannot be read: {said}{self._far}. Check that it is there and may be read."
            ) from None

    @property
    def _far(self) -> str:
        return f", behind line {self.lines:,} (byte {self.size:,})" if self.size else ""

    def _count(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.size += len(chunk)
        self.lines += chunk.count(b"\n")


def _ahead(read: Callable[[], bytes]) -> Generator[bytes, None, None]:
    """Give chunks; while the caller has one, the next is read, from a disk or over the network."""
    with ThreadPoolExecutor(1, thread_name_prefix="sparkhu-source") as reader:
        coming = reader.submit(read)
        while chunk := coming.result():
            coming = reader.submit(read)
            yield chunk


def _at_least(count: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Make the first chunk long enough to tell what it is."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= count:
            break
    yield first
    yield from chunks


def _unpacked(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Unpack gzip, of several members too; zeros that fill up the last block of a tape are no member."""
    member: zlib._Decompress | None = zlib.decompressobj(WITH_HEADER)
    for chunk in chunks:
        left = chunk
        while left:
            if member is None:
                left = left.lstrip(b"\0")
                member = zlib.decompressobj(WITH_HEADER) if left else None
                continue
            found = member.decompress(left, size)
            if found:
                yield found
            left = member.unconsumed_tail or member.unused_data
            member = None if member.eof else member
    if member is not None:
        yield member.flush()
        if not member.eof:
            raise EOFError("the packed file ends in the middle")
