"""Bytes of a text file to UTF-8: as told, or found where there is no doubt."""

import codecs
import re
from typing import NamedTuple

from sparkhu.errors import InputError

BYTE_ORDER_MARKS = (
    # UTF-32's mark begins with that of UTF-16, so it is looked for first.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CANDIDATES = (
    ("cp949", r"[가-힣]"),
    ("shift_jis", r"[ぁ-んァ-ヶー一-龠]"),
    ("gb18030", r"[一-龠]"),
    ("big5", r"[一-龠]"),
    ("cp1251", r"[\u0401\u0410-\u044f\u0451]"),
    ("cp1252", r"[À-ÖØ-öø-ÿŒœŠšŸŽž€°²³µ\u2013-\u201d]"),
    ("utf-16-le", r"[\x09-\x7e]"),
    ("utf-16-be", r"[\x09-\x7e]"),
)
LOOKED_AT = 65_536
SHOWN = 24
READINGS = 3
LEAST_FIT, SURE = 0.5, 0.95
FEW_ZEROS = 0.2
CONTROLS = rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]"
MOST_CONTROLS = 0.01
HIGH = rb"[\x80-\xff]+"


class Text(NamedTuple):
    """A file as UTF-8.

    Attributes:
        data: The bytes, without a byte order mark.
        note: How the encoding was found where it was not plain UTF-8; empty where there is nothing to say.
    """

    data: bytes
    note: str = ""


def to_utf8(data: bytes, name: str, encoding: str = "") -> Text:
    """Bring the bytes of a text file to UTF-8.

    Args:
        data: The file.
        name: How to call it in messages.
        encoding: Any codec of Python, such as `cp949`; empty: UTF-8, or what a byte order mark says. Nothing else is
            taken without being told, for most bytes read as text in several encodings.

    Raises:
        InputError: The codec is unknown, or the bytes are no text in it. The message gives byte and line; where the
            encoding was not given, it shows how the place would read in those that fit best.
    """
    if encoding:
        return Text(_decoded(data, name, encoding))
    for mark, found in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = _decoded(data, name, found)
            said = "" if found == "utf-8-sig" else f"'{name}' is read as {found.upper()}, as its byte order mark says"
            return Text(text, said)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        where = error.start
        raise InputError(
            f"'{name}' is not UTF-8 text: {_place(data, where)} is 0x{data[where]:02x}. {_way_out(data, where)}"
        ) from error
    zero = data.find(b"\0")
    if zero >= 0:
        stray = data.count(b"\0", 0, LOOKED_AT) < FEW_ZEROS * min(len(data), LOOKED_AT)
        way_out = "Take the zero bytes out, or keep them with --encoding utf-8." if stray else _way_out(data, zero)
        raise InputError(f"'{name}' is no plain text: {_place(data, zero)} is zero. {way_out}")
    return Text(data)


def _decoded(data: bytes, name: str, encoding: str) -> bytes:
    try:
        known = codecs.lookup(encoding).name
        text = data.decode("utf-8-sig" if known == "utf-8" else known)
    except LookupError as error:
        raise InputError(
            f"--encoding '{encoding}' is no text encoding that Python knows. Give one such as cp949, cp1252 or utf-16."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"'{name}' is no {encoding} text: {_place(data, error.start)} is 0x{data[error.start]:02x} "
            f"({error.reason}). Check --encoding, or repair the file there."
        ) from error
    # Lone surrogates pass some codecs, such as utf-7, and are no text.
    return text.removeprefix("\ufeff").encode(errors="replace")


def _place(data: bytes, offset: int) -> str:
    line = data.count(b"\n", 0, offset) + 1
    return f"byte {offset:,} (line {line:,})"


def _way_out(data: bytes, offset: int) -> str:
    readings = _readings(data, offset)
    if not readings:
        return "It seems to be no text at all; give CSV, JSON lines or Parquet, or say its encoding with --encoding."
    shown = ", ".join(f"{encoding} '{text}'" for encoding, text in readings)
    return f"Say its encoding with --encoding; that place would read: {shown}."


def _readings(data: bytes, offset: int) -> list[tuple[str, str]]:
    """Show the line of `offset` in the encodings that turn the bytes above ASCII into letters of their script."""
    part = data[:LOOKED_AT] if offset < LOOKED_AT else data[offset - offset % 4 :][:LOOKED_AT]
    if len(re.findall(CONTROLS, part)) > MOST_CONTROLS * len(part):
        return []
    # Letters with accents stand inside words of plain ones; other scripts have words of their own.
    runs, within = (len(re.findall(pattern, part)) for pattern in (HIGH, rb"(?<=[A-Za-z])" + HIGH))
    accents = within > runs / 2
    fits = []
    for encoding, letters in CANDIDATES:
        # The last character may be cut in two.
        text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(part)
        wide = encoding.startswith("utf-16")
        signs = text if wide else re.sub(r"[\t\r\n -~]", "", text)
        fit = len(re.findall(letters, signs)) / len(signs) if signs else 0.0
        if fit > LEAST_FIT:
            likely = accents and fit > SURE if encoding == "cp1252" else not accents
            fits.append((not likely, -fit, encoding, _snippet(text, wide=wide)))
    fits.sort(key=lambda each: each[:2])
    return [(encoding, shown) for *_, encoding, shown in fits[:READINGS]]


def _snippet(text: str, *, wide: bool) -> str:
    first = 0 if wide else next(match.start() for match in re.finditer(r"[^\t\r\n -~]", text))
    start = max(text.rfind("\n", 0, first) + 1, first - SHOWN // 2)
    return text[start : start + SHOWN].split("\n", maxsplit=1)[0].strip()
