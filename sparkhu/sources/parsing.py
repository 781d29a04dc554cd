"""One file of a source, whatever it is, to rows that are labelled with where they stood."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.blocks import Blocks
from sparkhu.sources.contents import Content
from sparkhu.sources.delimited import LONGEST_ROW, OpenQuoteError, checked_delimiter, parse_csv
from sparkhu.sources.encodings import Utf8
from sparkhu.sources.finding import PARQUET, SMALL, Found
from sparkhu.sources.folders import folder_values
from sparkhu.sources.json_lines import check_lines, is_json, json_frames, lines_of
from sparkhu.sources.options import SourceOptions
from sparkhu.sources.parquet import MAGIC, ParquetPart, parquet_parts
from sparkhu.sources.parts import PartList, Scratch, written
from sparkhu.sources.tables import FILE, ROW


class FileRows(NamedTuple):
    """The rows of a file.

    Attributes:
        parts: Them, with `__file__`, `source_row` and what the folders tell; lines without any content are left out.
        schema: The file's own columns.
        folders: Columns that come from the names of its folders.
        lines: Rows, those without any content too.
        size: Bytes of the file, unpacked.
        sha256: Their checksum.
    """

    parts: PartList
    schema: dict[str, pl.DataType]
    folders: tuple[str, ...]
    lines: int
    size: int
    sha256: str


def read_file(found: Found, first_row: int, options: SourceOptions, scratch: Scratch, notes: list[str]) -> FileRows:
    """Read a file.

    Args:
        found: The file.
        first_row: Number of its first row in the source.
        options: Encoding and delimiter of text files.
        scratch: Where parts go that are too large for memory.
        notes: What is found is added here.

    Raises:
        InputError: It is broken, or no data.
    """
    try:
        return _Reading(found, first_row, options, scratch).read(notes)
    except OpenQuoteError:
        return _Reading(found, first_row, options, scratch, quoted=False).read(notes)


class _Reading:
    """One attempt at a file."""

    def __init__(
        self, found: Found, first_row: int, options: SourceOptions, scratch: Scratch, *, quoted: bool = True
    ) -> None:
        self._found, self._options, self._scratch, self._quoted = found, options, scratch, quoted
        self._name = PurePosixPath(found.path).name
        self._content = Content(found.named, found.opened, found.uri)
        self._first_row = first_row
        self._parts = scratch.parts()
        self._schema: dict[str, pl.DataType] = {}
        self._lines = 0

    def read(self, notes: list[str]) -> FileRows:
        try:
            chunks = self._content.chunks(self._scratch.size.text)
            head = _until(chunks, lambda head: len(head) >= len(MAGIC))
            whole = chain((head,), chunks)
            if head.startswith(MAGIC):
                self._read_parquet(whole)
            elif self._name.lower().endswith(PARQUET):
                raise InputError(
                    f"'{self._name}' is no Parquet file: it does not begin with PAR1. Give it the suffix of what it is."
                )
            else:
                notes += self._read_text(whole)
        except BaseException:
            self._parts.clear()
            raise
        told = tuple(name for name in folder_values(self._found.path) if name not in self._schema)
        return FileRows(self._parts, self._schema, told, self._lines, self._content.size, self._content.sha256)

    def _read_text(self, chunks: Iterator[bytes]) -> list[str]:
        reader = Utf8(self._name, self._options.encoding)
        text = self._with_line_ends(_texts(reader, chunks))
        first = _until(text, lambda first: len(first.strip()) > 1)
        notes: list[str] = []
        whole = chain((first,), text)
        if is_json(first):
            check_lines(first, self._name)
            frames = json_frames(Blocks(lines_of(whole), self._scratch), self._name, notes)
        else:
            frames = parse_csv(whole, self._name, checked_delimiter(self._options.delimiter), quoted=self._quoted)
        for frame in frames:
            self._add(frame)
        if not self._quoted:
            notes.append(
                f"'{self._name}' has a quotation mark that is never closed; its quotation marks are read as plain text"
            )
        return [reader.note, *notes] if reader.note else notes

    def _with_line_ends(self, text: Iterable[bytes]) -> Iterator[bytes]:
        """Refuse a line that would have to be held as a whole and is too long for that."""
        length = 0
        for chunk in text:
            end = chunk.rfind(b"\n") + 1
            length = len(chunk) - end + (0 if end else length)
            if length > LONGEST_ROW:
                raise InputError(
                    f"'{self._name}': line {self._content.lines + 1:,} is longer than {LONGEST_ROW / 2**20:,.0f} MB. "
                    "Check that the file is CSV or JSON lines, and that its lines end with a line feed (\\n)."
                )
            yield chunk

    def _add(self, frame: pl.DataFrame) -> None:
        self._schema |= {name: dtype for name, dtype in frame.schema.items() if name not in self._schema}
        if frame.height:
            self._parts.add(labelled(frame, self._found.path, self._first_row + self._lines))
        self._lines += frame.height

    def _read_parquet(self, chunks: Iterator[bytes]) -> None:
        place = self._place(chunks)
        copied = isinstance(place, Path) and place != self._found.local
        parts = parquet_parts(place, self._name, self._scratch.size.rows, _told(self._found.path), copied=copied)
        if isinstance(place, bytes) or any(map(_has_blank_rows, parts)):
            for part in parts:
                self._add(part.load(list(part.own)))
                part.discard()
            return
        for part in parts:
            self._schema = dict(part.own)
            self._parts.append(part.numbered(self._first_row + self._lines))
            self._lines += part.rows

    def _place(self, chunks: Iterator[bytes]) -> Path | bytes:
        """Pass the whole file by for its checksum, and keep what cannot be read where it lies."""
        small = b""
        for chunk in chunks:
            small += chunk
            if len(small) > SMALL:
                break
        else:
            return small
        rest = chain((small,), chunks)
        if self._found.local is not None and not self._content.packed:
            for _ in rest:
                pass
            return self._found.local
        if self._scratch.folder is None:
            return b"".join(rest)
        path = self._scratch.new_file()
        with written(path) as file:
            file.writelines(rest)
        return path


def _until(chunks: Iterator[bytes], enough: Callable[[bytes], bool]) -> bytes:
    """Take chunks until there is enough of them."""
    head = b""
    for chunk in chunks:
        head += chunk
        if enough(head):
            break
    return head


def _texts(reader: Utf8, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield reader.feed(chunk)
    yield reader.finish()


def labelled(frame: pl.DataFrame, path: str, first_row: int) -> pl.DataFrame:
    """Add the file's stem and row numbers; lines without any content count as lines and are no rows.

    Names of folders become columns where the file has none of that name.
    """
    rows = pl.int_range(first_row, first_row + pl.len(), dtype=pl.Int64).alias(ROW)
    blank = pl.all_horizontal(pl.col(frame.columns).is_null())
    told = [
        pl.lit(value, pl.String).alias(name)
        for name, value in _told(path).items()
        if name == FILE or name not in frame.columns
    ]
    return frame.with_columns(blank.alias("__blank__"), rows, *told).filter(~pl.col("__blank__")).drop("__blank__")


def _told(path: str) -> dict[str, str | None]:
    """Give what a file's name and folders tell of all its rows."""
    return {**folder_values(path), FILE: PurePosixPath(path).name.split(".")[0]}


def _has_blank_rows(part: ParquetPart) -> bool:
    """Tell whether a row has nothing in any column; one column without nulls is proof that none has."""
    for name in part.own:
        if not part.load([name]).to_series().null_count():
            return False
    return bool(part.load(list(part.own)).select(pl.all_horizontal(pl.all().is_null()).any()).item())
