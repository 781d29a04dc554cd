"""Find the files of a source wherever fsspec reaches, and open them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

import fsspec

from sparkhu.errors import InputError
from sparkhu.sources.secrets import redacted, with_environment, without_secrets

PLAIN = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
SUFFIXES = (*PLAIN, *(f"{suffix}.gz" for suffix in PLAIN), *PARQUET)
WILDCARDS = "*?["
REQUESTS = 16
SMALL = 4 * 2**20
"""Bytes up to which files of a far service are fetched whole, several at a time."""


class Found(NamedTuple):
    """A file of the source.

    Attributes:
        path: Where it lies in its file system.
        named: How to call it in messages and records: a path, or a URI that finds it again.
        local: Its place on this machine; null where it lies elsewhere.
        opened: Opens it, as often as it is asked.
        uri: The source, whose passwords no message may show.
    """

    path: str
    named: str
    local: Path | None
    opened: Callable[[], IO[bytes]]
    uri: str


def find_files(uri: str) -> tuple[Any, list[str]]:
    """List the files that a URI means: a file, a glob, or all files of a folder, in order of name.

    Returns:
        The file system, and the paths in it.

    Raises:
        InputError: There is no such file, or none that can be read.
    """
    if not uri.strip():
        raise InputError("the source is empty. Give a file, a folder, a glob or a URI.")
    try:
        filesystem, path = fsspec.core.url_to_fs(with_environment(uri))
        found = _listed(filesystem, path, f"'{redacted(uri)}'")
    except InputError:
        raise
    # Each of fsspec's many file systems has errors of its own; what they say may repeat a password.
    except Exception as error:  # noqa: BLE001
        said = without_secrets(str(error) or type(error).__name__, uri)
        raise InputError(
            f"source '{redacted(uri)}' cannot be reached: {said}. Check the URI, what it asks for, and its credentials."
        ) from None
    if not found:
        raise InputError(
            f"there is no such file: '{redacted(uri)}'. Give a file, a folder, or a glob in quotation marks."
        )
    return filesystem, found


def _listed(filesystem: Any, path: str, what: str) -> list[str]:
    """List the files that a path means: itself, what lies in a folder, or what a pattern matches, folders too."""
    try:
        kind = filesystem.info(path)["type"]
    except FileNotFoundError:
        kind = "pattern" if any(sign in path for sign in WILDCARDS) else "nothing"
    if kind == "directory":
        return _readable(filesystem.find(path), path, f"folder {what}")
    if kind != "pattern":
        return [path] if kind != "nothing" else []
    found: set[str] = set()
    for match, info in filesystem.glob(path, detail=True).items():
        # A link says nothing of what it leads to.
        if info["type"] == "file" or not filesystem.isdir(match):
            found.add(match)
        elif not path.endswith("**"):
            found.update(_readable(filesystem.find(match), match, f"folder {what}", may_be_empty=True))
    return sorted(found)


def _readable(paths: Sequence[str], folder: str, what: str, *, may_be_empty: bool = False) -> list[str]:
    """Keep data files; names that begin with a dot or an underscore are markers of other programs."""
    inner = {path: PurePosixPath(path).relative_to(folder).parts for path in paths}
    kept = [
        path
        for path, parts in inner.items()
        if path.lower().endswith(SUFFIXES) and not any(part.startswith((".", "_")) for part in parts)
    ]
    if not kept and not may_be_empty:
        raise InputError(f"{what} holds no file that can be read ({', '.join(SUFFIXES)}). Give one that does.")
    return sorted(kept)


def _named(filesystem: Any, path: str, uri: str) -> str:
    """Name a file for messages and records: a path, or a URI that finds it again."""
    protocols = (filesystem.protocol,) if isinstance(filesystem.protocol, str) else filesystem.protocol
    if "file" in protocols:
        return path
    _, chained, archive = uri.partition("::")
    return without_secrets(str(filesystem.unstrip_protocol(path)), uri) + (f"::{redacted(archive)}" if chained else "")


def open_files(filesystem: Any, paths: Sequence[str], uri: str) -> Iterator[Found]:
    """Give files one after another; small ones of a far service are fetched several at a time."""
    far = getattr(filesystem, "async_impl", False)
    at_once = REQUESTS if far else 1
    for first in range(0, len(paths), at_once):
        some = list(paths[first : first + at_once])
        fetched = _fetched(filesystem, some) if far else {}
        for path in some:
            named = _named(filesystem, path, uri)
            local = Path(path) if named == path else None
            opened = partial(BytesIO, fetched[path]) if path in fetched else partial(filesystem.open, path, "rb")
            yield Found(path, named, local, opened, uri)


def _fetched(filesystem: Any, paths: Sequence[str]) -> dict[str, bytes]:
    """Fetch the small ones; what cannot be fetched now fails, with its reason, when it is opened."""
    try:
        sizes = filesystem.sizes(list(paths))
    except Exception:  # noqa: BLE001 - each file system has errors of its own
        return {}
    small = [path for path, size in zip(paths, sizes, strict=True) if size is not None and size <= SMALL]
    found = filesystem.cat_ranges(small, None, None, on_error="return") if small else []
    return {path: data for path, data in zip(small, found, strict=True) if isinstance(data, bytes)}
