"""Delimited text (CSV and its kin) to text columns, no row lost."""

import csv
import io

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.tables import OVERFLOW

DELIMITERS = ",;\t|"
TAB_SPELLINGS = ("\\t", "tab")
# Stands for a delimiter that is no single byte.
UNIT_SEPARATOR = "\x1f"


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


def parse_csv(data: bytes, name: str, notes: list[str], delimiter: str = "") -> pl.DataFrame:
    """Parse CSV as text columns.

    Rows with more fields than the header keep the first surplus one in `__overflow__`. A field in quotation marks may
    hold line breaks. A quotation mark that is never closed would swallow the rows after it; then all quotation marks
    count as plain text.

    Args:
        data: The file's bytes, UTF-8.
        name: How to call the file in messages.
        notes: What is found is added here.
        delimiter: The sign between fields; empty: the one of `,` `;` tab `|` that gives the header the most fields.

    Raises:
        InputError: A column name stands twice, the delimiter does not stand in the header, or these are no columns.
    """
    data = data.lstrip(b"\r\n")
    line, _, body = data.partition(b"\n")
    first = line.decode().rstrip("\r")
    if not first.strip():
        return pl.DataFrame()
    if delimiter and delimiter not in first:
        raise InputError(f"--delimiter '{delimiter}' does not stand in the header of '{name}': {first[:200]}")
    if len(delimiter.encode()) > 1:
        return _with_long_delimiter(data, name, notes, delimiter)
    delimiter = delimiter or _found_delimiter(first, name)
    header = _header(first, delimiter, name)
    if not body.strip():
        return pl.DataFrame(schema=dict.fromkeys(header, pl.String()))
    frame = _text_columns(body, header, delimiter, quote='"')
    if frame is None:
        frame = _text_columns(body, header, delimiter, quote=None)
        notes.append(f"'{name}' has a quotation mark that is never closed; its quotation marks are read as plain text")
    if frame is None:
        raise InputError(f"'{name}' cannot be read as text in columns. Check that it is CSV.")
    return frame


def _found_delimiter(header: str, name: str) -> str:
    """Take the sign that gives the most fields; one that splits what stands in quotation marks comes last."""
    fields = {sign: _fields(header, sign, name) for sign in DELIMITERS}
    return max(fields, key=lambda sign: (not any('"' in field for field in fields[sign]), len(fields[sign])))


def _with_long_delimiter(data: bytes, name: str, notes: list[str], delimiter: str) -> pl.DataFrame:
    """Read with a delimiter of several bytes, such as §, by way of a sign that stands in no text."""
    if UNIT_SEPARATOR.encode() in data:
        raise InputError(f"'{name}' cannot be split at '{delimiter}': it holds the control sign 0x1f. Take that out.")
    frame = parse_csv(data.replace(delimiter.encode(), UNIT_SEPARATOR.encode()), name, notes, UNIT_SEPARATOR)
    return frame.with_columns(pl.col(pl.String).str.replace_all(UNIT_SEPARATOR, delimiter, literal=True))


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
