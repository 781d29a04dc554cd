"""Find the files of a source and read them as tables: CSV as text, Parquet as typed."""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import fsspec
import polars as pl

from sparkhu.errors import InputError

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet", ".pq")
DELIMITERS = ",;\t|"
FILE = "__file__"
ROW = "source_row"
OVERFLOW = "__overflow__"


@dataclass(frozen=True)
class SourceFile:
    """A file that was read, with what tells it from another: its size and SHA-256."""

    uri: str
    size: int
    sha256: str
    rows: int


class Table(NamedTuple):
    """Files with the same columns as one table.

    Attributes:
        frame: The columns, `__file__` (the file's stem) and `source_row` (1-based over all files, headers not
            counted). `__overflow__` is there where CSV rows have more fields than the header.
        header: The source's own columns.
        name: How to call the table in messages.
    """

    frame: pl.DataFrame
    header: tuple[str, ...]
    name: str


class Tables(NamedTuple):
    """Everything that a source holds."""

    tables: list[Table]
    files: list[SourceFile]
    notes: list[str]


def read_tables(uri: str) -> Tables:
    """Read a file, a glob or all files of a folder (in order of name, sub-folders too).

    Args:
        uri: A local path or any fsspec URI.

    Raises:
        InputError: There is no such file, none that can be read, or one is empty or broken.
    """
    filesystem, paths = _find(uri)
    frames: list[pl.DataFrame] = []
    files: list[SourceFile] = []
    notes: list[str] = []
    row = 1
    for path in paths:
        data = _open(filesystem, path)
        frame = _parse(data, PurePosixPath(path).name, notes)
        if not frame.height and len(paths) > 1:
            notes.append(f"'{path}' has no rows and is left out")
        elif not frame.height:
            raise InputError(f"'{path}' has {'a header and no rows' if frame.width else 'nothing in it'}. Give data.")
        else:
            files.append(SourceFile(path, len(data), hashlib.sha256(data).hexdigest(), frame.height))
            frames.append(_labelled(frame, path, row))
            row += frame.height
    if not frames:
        raise InputError(f"none of the {len(paths)} files of '{uri}' has rows. Give a source with data.")
    if len(paths) > 1:
        notes.append(f"{len(frames)} files read in order of name; source rows are numbered on from file to file")
    return Tables(_joined(frames, files), files, notes)


def _find(uri: str) -> tuple[Any, list[str]]:
    try:
        filesystem, path = fsspec.core.url_to_fs(uri)
        if filesystem.isfile(path):
            return filesystem, [path]
        if filesystem.isdir(path):
            return filesystem, _readable(filesystem.find(path), path, f"folder '{uri}'")
        found = [each for each in filesystem.glob(path) if filesystem.isfile(each)] if "*" in path else []
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"source '{uri}' cannot be reached: {error}") from error
    if not found:
        raise InputError(f"there is no such file: '{uri}'. Give a file, a folder, or a glob in quotation marks.")
    return filesystem, sorted(found)


def _readable(paths: Sequence[str], folder: str, what: str) -> list[str]:
    """Keep data files; names that begin with a dot or an underscore are markers of other programs."""
    inside = {path: PurePosixPath(path).relative_to(folder).parts for path in paths}
    kept = [
        path
        for path, parts in inside.items()
        if path.lower().endswith(SUFFIXES) and not any(part.startswith((".", "_")) for part in parts)
    ]
    if not kept:
        raise InputError(f"{what} holds no file that can be read ({', '.join(SUFFIXES)}). Give one that does.")
    return sorted(kept)


def _open(filesystem: Any, path: str) -> bytes:
    try:
        data: bytes = filesystem.cat_file(path)
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"'{path}' cannot be read: {error}. Check that it is complete.") from error


def _labelled(frame: pl.DataFrame, path: str, first_row: int) -> pl.DataFrame:
    """Add the file's stem and row numbers; lines without any content count as lines and are no rows."""
    stem = PurePosixPath(path).name.split(".")[0]
    rows = pl.int_range(first_row, first_row + pl.len(), dtype=pl.Int64).alias(ROW)
    blank = pl.all_horizontal(pl.col(frame.columns).is_null())
    return (
        frame.with_columns(blank.alias("__blank__"), rows, pl.lit(stem).alias(FILE))
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
        header = tuple(name for name in frame.columns if name not in (FILE, ROW, OVERFLOW))
        tables.append(Table(frame, header, f"'{files[members[0]].uri}'{more}"))
    return tables


def _parse(data: bytes, name: str, notes: list[str]) -> pl.DataFrame:
    if data[:4] == b"PAR1":
        try:
            return pl.read_parquet(io.BytesIO(data))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"'{name}' is not a whole Parquet file: {error}") from error
    return parse_csv(data, name, notes)


def parse_csv(data: bytes, name: str, notes: list[str]) -> pl.DataFrame:
    """Parse CSV as text columns; the delimiter (`,` `;` tab `|`) is the one that the header has most of.

    Rows with more fields than the header keep the first surplus one in `__overflow__`. A field in quotation marks may
    hold line breaks. A quotation mark that is never closed would swallow the rows after it; then all quotation marks
    count as plain text.

    Args:
        data: The file's bytes, UTF-8.
        name: How to call the file in messages.
        notes: What is found is added here.

    Raises:
        InputError: Not UTF-8, or a column name stands twice.
    """
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    line, _, body = data.partition(b"\n")
    try:
        first, _ = line.decode(), pl.Series([body]).cast(pl.String)
    except (UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise InputError(f"'{name}' is not UTF-8 text. Convert it first, such as with iconv.") from error
    if not first.strip():
        return pl.DataFrame()
    delimiter = max(DELIMITERS, key=first.count)
    header = _header(first.rstrip("\r"), delimiter, name)
    if not body.strip():
        return pl.DataFrame(schema=dict.fromkeys(header, pl.String()))
    frame = _text_columns(body, header, delimiter, quote='"')
    if frame is None:
        frame = _text_columns(body, header, delimiter, quote=None)
        notes.append(f"'{name}' has a quotation mark that is never closed; its quotation marks are read as plain text")
    if frame is None:
        raise InputError(f"'{name}' cannot be read as text in columns. Check that it is CSV.")
    return frame


def _header(line: str, delimiter: str, name: str) -> list[str]:
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    header = [cell or f"unnamed_{number}" for number, cell in enumerate(cells, start=1)]
    doubled = sorted({cell for cell in header if header.count(cell) > 1})
    if doubled:
        raise InputError(f"'{name}' has the column name '{doubled[0]}' more than once. Rename one of them.")
    return header


def _text_columns(body: bytes, header: list[str], delimiter: str, quote: str | None) -> pl.DataFrame | None:
    """Read the rows under a header of our own, one column wider, so that surplus fields are seen; null if they fail."""
    names = [*header, OVERFLOW]
    line = delimiter.join(f"c{number}" for number in range(len(names))).encode() + b"\n"
    try:
        frame = pl.read_csv(
            line + body,
            infer_schema=False,
            separator=delimiter,
            quote_char=quote,
            truncate_ragged_lines=True,
        )
    except pl.exceptions.ComputeError:
        return None
    frame.columns = names
    has_line_breaks = frame.select(pl.any_horizontal(pl.all().str.contains("\n", literal=True).any())).item()
    if quote and has_line_breaks and not _quotes_pair_up(body, delimiter):
        return None
    return frame if frame[OVERFLOW].count() else frame.drop(OVERFLOW)


def _quotes_pair_up(body: bytes, delimiter: str) -> bool:
    """Tell whether quotation marks enclose whole fields, so that line breaks between them are part of a field."""
    if body.count(b'"') % 2:
        return False
    try:
        for _ in csv.reader(io.StringIO(body.decode(), newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error:
        return False
    return True
