"""Find the files of a source and read them as tables: CSV as text, JSON lines and Parquet as typed."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import fsspec
import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.delimited import checked_delimiter, parse_csv
from sparkhu.sources.encodings import to_utf8
from sparkhu.sources.folders import folder_values, inside
from sparkhu.sources.json_lines import is_json, parse_json_lines
from sparkhu.sources.options import SourceOptions
from sparkhu.sources.secrets import redacted, with_environment, without_secrets
from sparkhu.sources.tables import FILE, OURS, ROW, SourceFile, Table, Tables
from sparkhu.steps.validation import requested_interval

PLAIN = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
SUFFIXES = (*PLAIN, *(f"{suffix}.gz" for suffix in PLAIN), *PARQUET)
WILDCARDS = "*?["
REQUESTS = 16


def read_files(uri: str, options: SourceOptions) -> Tables:
    """Read a file, a glob or all files of a folder (in order of name, sub-folders too).

    Args:
        uri: A local path or any fsspec URI; `${NAME}` in it is taken from the environment.
        options: Encoding and delimiter of text files; dated folders outside `start` and `end` are not opened.

    Raises:
        InputError: There is no such file, none that can be read, or one is empty or broken.
    """
    interval = requested_interval(options.start, options.end, options.zone)
    filesystem, every = _find(uri)
    paths = inside(every, interval)
    if not paths:
        raise InputError(
            f"all {len(every)} files of '{redacted(uri)}' lie in folders outside the interval from "
            f"'{options.start}' to '{options.end}'. Give another interval."
        )
    frames: list[pl.DataFrame] = []
    files: list[SourceFile] = []
    notes: list[str] = []
    row = 1
    for path, data in _contents(filesystem, paths, uri):
        named = _named(filesystem, path, uri)
        frame = _parse(data, PurePosixPath(path).name, notes, options)
        if not frame.height and len(paths) > 1:
            notes.append(f"'{named}' has no rows and is left out")
        elif not frame.height:
            raise InputError(f"'{named}' has {'a header and no rows' if frame.width else 'nothing in it'}. Give data.")
        else:
            files.append(SourceFile(named, len(data), hashlib.sha256(data).hexdigest(), frame.height))
            frames.append(_labelled(frame, path, row))
            row += frame.height
    if not frames:
        raise InputError(f"none of the {len(paths)} files of '{redacted(uri)}' has rows. Give a source with data.")
    if len(every) > len(paths):
        notes.append(f"{len(every) - len(paths)} of {len(every)} files lie in folders outside the interval: not opened")
    if len(paths) > 1:
        notes.append(f"{len(frames)} files read in order of name; source rows are numbered on from file to file")
    return Tables(_joined(frames, files), files, notes)


def _find(uri: str) -> tuple[Any, list[str]]:
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


def _contents(filesystem: Any, paths: Sequence[str], uri: str) -> Iterator[tuple[str, bytes]]:
    """Open files one after another, several at a time where each is a request to a far service."""
    at_once = REQUESTS if getattr(filesystem, "async_impl", False) else 1
    for first in range(0, len(paths), at_once):
        some = list(paths[first : first + at_once])
        for path, found in zip(some, filesystem.cat_ranges(some, None, None, on_error="return"), strict=True):
            yield path, _unpacked(found, _named(filesystem, path, uri), uri)


def _unpacked(found: bytes | Exception, named: str, uri: str) -> bytes:
    # As in `_find`: what a file system says may repeat a password.
    if isinstance(found, Exception):
        said = without_secrets(str(found) or type(found).__name__, uri)
        raise InputError(f"'{named}' cannot be read: {said}. Check that it is there and may be read.")
    try:
        return gzip.decompress(found) if found[:2] == b"\x1f\x8b" else found
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"'{named}' cannot be read: {error}. Check that it is complete.") from error


def _labelled(frame: pl.DataFrame, path: str, first_row: int) -> pl.DataFrame:
    """Add the file's stem and row numbers; lines without any content count as lines and are no rows.

    Names of folders become columns where the file has none of that name.
    """
    stem = PurePosixPath(path).name.split(".")[0]
    rows = pl.int_range(first_row, first_row + pl.len(), dtype=pl.Int64).alias(ROW)
    blank = pl.all_horizontal(pl.col(frame.columns).is_null())
    folders = {name: value for name, value in folder_values(path).items() if name not in frame.columns}
    told = [pl.lit(value, pl.String).alias(f"{FILE}{name}") for name, value in folders.items()]
    return (
        frame.with_columns(blank.alias("__blank__"), rows, pl.lit(stem).alias(FILE), *told)
        .filter(~pl.col("__blank__"))
        .drop("__blank__")
    )


def _joined(frames: Sequence[pl.DataFrame], files: Sequence[SourceFile]) -> list[Table]:
    """Set files of equal columns and types below one another."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, frame in enumerate(frames):
        groups.setdefault(tuple(frame.schema.items()), []).append(index)
    tables = []
    for members in groups.values():
        frame = pl.concat([frames[index] for index in members])
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        folders = tuple(name.removeprefix(FILE) for name in frame.columns if name.startswith(FILE) and name != FILE)
        frame = frame.rename({f"{FILE}{name}": name for name in folders})
        header = tuple(name for name in frame.columns if name not in (*OURS, *folders))
        lengths = tuple(frames[index].height for index in members)
        tables.append(Table(frame, header, f"'{files[members[0]].uri}'{more}", folders, lengths=lengths))
    return tables


def _parse(data: bytes, name: str, notes: list[str], options: SourceOptions) -> pl.DataFrame:
    if data[:4] == b"PAR1":
        try:
            return pl.read_parquet(io.BytesIO(data))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"'{name}' is not a whole Parquet file: {error}") from error
    if name.lower().endswith(PARQUET):
        raise InputError(f"'{name}' is no Parquet file: it does not begin with PAR1. Give it the suffix of what it is.")
    text, said = to_utf8(data, name, options.encoding)
    if said:
        notes.append(said)
    if is_json(text):
        return parse_json_lines(text, name, notes)
    return parse_csv(text, name, notes, checked_delimiter(options.delimiter))
