"""Delimited text (CSV and its kin) to text columns, no row lost."""

import csv
import io
from collections.abc import Iterator

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.tables import OVERFLOW

DELIMITERS = ",;\t|"
TAB_SPELLINGS = ("\\t", "tab")
# Stands for a delimiter that is no single byte.
UNIT_SEPARATOR = "\x1f"
LONGEST_ROW = 64 * 2**20
"""Bytes beyond which a field in quotation marks counts as one that is never closed, and a line is refused."""


class OpenQuoteError(Exception):
    """Quotation marks do not enclose whole fields, so they may not be taken for such."""


def checked_delimiter(delimiter: str) -> str:
    """Give the sign that `--delimiter` means.

    Raises:
        InputError: It is not one sign, or one that ends lines or quotes fields.
    """
    if delimiter.lower() in TAB_SPELLINGS:
        return "\t"
    if len(delimiter) > 1 or delimiter in ('"', "\r", "\n", "\0"):
        raise InputError(f"--delimiter must be one sign such as ; or \\t, and no quotation mark, got '{delimiter}'.")
    return delimiter


def parse_csv(
    chunks: Iterator[bytes], name: str, delimiter: str = "", *, quoted: bool = True
) -> Iterator[pl.DataFrame]:
    """Parse CSV as text columns, a frame a chunk that ends a row.

    Rows with more fields than the header keep the first surplus one in `__overflow__`, which only frames with such rows
    have. A field in quotation marks may hold line breaks. A quotation mark that is never closed would swallow the rows
    after it; then all quotation marks of the file count as plain text, those before it too.

    Args:
        chunks: The file as UTF-8, cut anywhere.
        name: How to call the file in messages.
        delimiter: The sign between fields; empty: the one of `,` `;` tab `|` that gives the header the most fields.
        quoted: Quotation marks enclose fields.

    Returns:
        Frames with the header's columns; one without rows where there are none, and none at all without a header.

    Raises:
        OpenQuoteError: They do not, so that the file is to be read again with `quoted=False`.
        InputError: A column name stands twice, the delimiter does not stand in the header, or these are no columns.
    """
    line, blocks = _split(chunks, quoted=quoted)
    first = line.decode().rstrip("\r")
    if not first.strip():
        return
    if delimiter and delimiter not in first:
        raise InputError(f"--delimiter '{delimiter}' does not stand in the header of '{name}': {first[:200]}")
    parser = _Rows(name, delimiter if len(delimiter.encode()) > 1 else "", quoted=quoted)
    first = parser.with_short_delimiter(line).decode().rstrip("\r")
    parser.begin(first, UNIT_SEPARATOR if parser.long else delimiter or _found_delimiter(first, name))
    empty = True
    for block in blocks:
        empty = False
        yield parser.frame(block)
    if empty:
        yield pl.DataFrame(schema=dict.fromkeys(parser.header, pl.String()))


class _Rows:
    """Parses blocks of whole rows under one header."""

    def __init__(self, name: str, long: str, *, quoted: bool) -> None:
        self._name, self.long, self._quoted = name, long, quoted
        self._delimiter = ""
        self.header: list[str] = []
        self._marks, self._broken_lines = 0, False

    def begin(self, first: str, delimiter: str) -> None:
        self._delimiter, self.header = delimiter, _header(first, delimiter, self._name)

    def with_short_delimiter(self, block: bytes) -> bytes:
        """Write a delimiter of several bytes, such as §, as a sign that stands in no text."""
        if not self.long:
            return block
        if UNIT_SEPARATOR.encode() in block:
            raise InputError(
                f"'{self._name}' cannot be split at '{self.long}': it holds the control sign 0x1f. Take that out."
            )
        return block.replace(self.long.encode(), UNIT_SEPARATOR.encode())

    def frame(self, block: bytes) -> pl.DataFrame:
        block = self.with_short_delimiter(block)
        frame = _text_columns(block, self.header, self._delimiter, quote='"' if self._quoted else None)
        if frame is None and not self._quoted:
            raise InputError(f"'{self._name}' cannot be read as text in columns. Check that it is CSV.")
        if frame is None or (self._quoted and not self._closed(frame, block)):
            raise OpenQuoteError
        frame = frame if frame[OVERFLOW].count() else frame.drop(OVERFLOW)
        if self.long:
            return frame.with_columns(pl.col(pl.String).str.replace_all(UNIT_SEPARATOR, self.long, literal=True))
        return frame

    def _closed(self, frame: pl.DataFrame, block: bytes) -> bool:
        """Tell whether line breaks between quotation marks are part of a field, so far in the file."""
        marks = block.count(b'"')
        self._marks += marks
        if not marks:
            return not (self._broken_lines and self._marks % 2)
        broken = frame.select(pl.any_horizontal(pl.all().str.contains("\n", literal=True).any())).item()
        self._broken_lines |= bool(broken)
        if self._broken_lines and self._marks % 2:
            return False
        return not broken or _quotes_pair_up(block, self._delimiter)


def _split(chunks: Iterator[bytes], *, quoted: bool) -> tuple[bytes, Iterator[bytes]]:
    """Give the header's line and the blocks of whole rows behind it, of which the first is not blank."""
    head = b""
    for chunk in chunks:
        head = (head + chunk).lstrip(b"\r\n")
        if b"\n" in head:
            break
    line, _, rest = head.partition(b"\n")
    return line, _blocks(rest, chunks, quoted=quoted)


def _blocks(rest: bytes, chunks: Iterator[bytes], *, quoted: bool) -> Iterator[bytes]:
    blank = True
    for chunk in chunks:
        cut = _last_row_end(rest, quoted=quoted)
        blank = blank and not rest[:cut].strip()
        if cut and not blank:
            yield rest[:cut]
            rest = rest[cut:]
        elif quoted and len(rest) - cut > LONGEST_ROW:
            raise OpenQuoteError
        rest += chunk
    if rest and not (blank and not rest.strip()):
        yield rest


def _last_row_end(text: bytes, *, quoted: bool) -> int:
    """Find the place behind the last line end that stands between no quotation marks; 0 where there is none."""
    if not quoted or b'"' not in text:
        return text.rfind(b"\n") + 1
    signs = np.frombuffer(text, np.uint8)
    marks, ends = (np.flatnonzero(signs == ord(sign)) for sign in ('"', "\n"))
    outside = ends[np.searchsorted(marks, ends) % 2 == 0]
    return int(outside[-1]) + 1 if len(outside) else 0


def _found_delimiter(header: str, name: str) -> str:
    """Take the sign that gives the most fields; one that splits what stands in quotation marks comes last."""
    fields = {sign: _fields(header, sign, name) for sign in DELIMITERS}
    return max(fields, key=lambda sign: (not any('"' in field for field in fields[sign]), len(fields[sign])))


def _fields(line: str, delimiter: str, name: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"the header of '{name}' cannot be read: {error}. Check that it is CSV.") from error


def _header(line: str, delimiter: str, name: str) -> list[str]:
    cells = [cell.strip() for cell in _fields(line, delimiter, name)]
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
    return frame


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
