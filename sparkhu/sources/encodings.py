"""Bytes of a text file to UTF-8: as told, or found where there is no doubt."""

import codecs
import re
import sys
from contextlib import suppress
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
MARKS = tuple(mark for mark, _ in BYTE_ORDER_MARKS)
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
LONGEST_MARK = 4
LOOKED_AT = 65_536
SHOWN = 24
READINGS = 3
LEAST_FIT, SURE = 0.5, 0.95
FEW_ZEROS = 0.2
CONTROLS = rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]"
MOST_CONTROLS = 0.01
HIGH = rb"[\x80-\xff]+"


class Utf8:
    """Brings a text file to UTF-8 as it passes.

    Args:
        name: How to call the file in messages.
        encoding: Any codec of Python, such as `cp949`; empty: UTF-8, or what a byte order mark says. Nothing else is
            taken without being told, for most bytes read as text in several encodings.

    Attributes:
        note: How the encoding was found where it was not plain UTF-8; empty where there is nothing to say.

    Raises:
        InputError: The codec is unknown.
    """

    def __init__(self, name: str, encoding: str = "") -> None:
        self._name, self._encoding = name, encoding
        self.note = ""
        self._codec = _known(encoding) if encoding else ""
        self._plain = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._begun = False
        self._waiting = b""
        self._head = b""
        self._passed, self._lines = 0, 0
        self._fault: _Fault | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take some bytes and give what is ready of the text, without a byte order mark.

        Raises:
            InputError: They are no text in the encoding. The message gives byte and line; where the encoding was not
                given, it shows how the place would read in those that fit best.
        """
        return self._take(chunk, final=False)

    def finish(self) -> bytes:
        """Say that there is no more, and give the rest.

        Raises:
            InputError: As `feed`.
        """
        return self._take(b"", final=True)

    def _take(self, chunk: bytes, *, final: bool) -> bytes:
        self._head += chunk[: LOOKED_AT - len(self._head)]
        if self._fault:
            self._tell(chunk, final=final)
            return b""
        chunk = self._waiting + chunk
        if self._decoder is None and (len(chunk) < LONGEST_MARK and not final):
            self._waiting = chunk
            return b""
        self._waiting = b""
        if self._decoder is None:
            self._choose(chunk)
        if self._decoder is None:  # a codec that can only read all at once
            self._waiting = b"" if final else chunk
            return self._begin(_whole(chunk, self._codec, self._name)) if final else b""
        return self._decoded(chunk, final=final)

    def _choose(self, first: bytes) -> None:
        if not self._codec:
            found = next((codec for mark, codec in BYTE_ORDER_MARKS if first.startswith(mark)), "")
            if found and found != "utf-8-sig":
                self.note = f"'{self._name}' is read as {found.upper()}, as its byte order mark says"
            self._plain = not found
            self._encoding = self._codec = found or "utf-8"
        codec = self._codec
        if codec in ("utf-16", "utf-32") and not first.startswith(MARKS):
            # Without a mark the order of bytes is that of the machine; a decoder that goes by chunks refuses it.
            codec += "-le" if sys.byteorder == "little" else "-be"
        with suppress(LookupError):  # a few codecs can only read all at once
            self._decoder = codecs.getincrementaldecoder(codec)()

    def _decoded(self, chunk: bytes, *, final: bool) -> bytes:
        assert self._decoder is not None
        held = self._decoder.getstate()[0]
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            begun = held + chunk
            # A decoder may have taken the byte order mark off what it reports on.
            at = error.start + len(begun) - len(error.object)
            self._fail(begun, at, self._passed - len(held), error.reason, final=final)
            return b""
        zero = chunk.find(b"\0") if self._plain else -1
        if zero >= 0:
            self._fail(chunk, zero, self._passed, "", final=final)
            return b""
        self._passed += len(chunk)
        self._lines += chunk.count(b"\n")
        return chunk if self._plain else self._begin(text)

    def _begin(self, text: str) -> bytes:
        """Take the mark off the first text that comes."""
        if not self._begun and text:
            self._begun = True
            text = text.removeprefix("\ufeff")
        # Lone surrogates pass some codecs, such as utf-7, and are no text.
        return text.encode(errors="replace")

    def _fail(self, data: bytes, at: int, before: int, reason: str, *, final: bool) -> None:
        """Remember the first fault until enough of what surrounds it is there to tell of it."""
        lines = self._lines + data.count(b"\n", max(0, self._passed - before), at)
        offset = before + at
        start = at - offset % 4 if at >= offset % 4 else at
        place = f"byte {offset:,} (line {lines + 1:,})"
        self._fault = _Fault(place, offset, data[at], reason, bytearray(data[start:][:LOOKED_AT]))
        self._tell(b"", final=final)

    def _tell(self, chunk: bytes, *, final: bool) -> None:
        fault = self._fault
        assert fault is not None
        fault.around.extend(chunk[: LOOKED_AT - len(fault.around)])
        near = fault.offset < LOOKED_AT
        around = self._head if near else bytes(fault.around)
        if not final and len(around) < LOOKED_AT:
            return
        if not self._plain:
            raise InputError(
                f"'{self._name}' is no {self._encoding} text: {fault.place} is 0x{fault.byte:02x} "
                f"({fault.reason}). Check --encoding, or repair the file there."
            )
        way_out = _way_out(around)
        if fault.reason:
            raise InputError(f"'{self._name}' is not UTF-8 text: {fault.place} is 0x{fault.byte:02x}. {way_out}")
        if self._head.count(b"\0") < FEW_ZEROS * len(self._head):
            way_out = "Take the zero bytes out, or keep them with --encoding utf-8."
        raise InputError(f"'{self._name}' is no plain text: {fault.place} is zero. {way_out}")


class _Fault(NamedTuple):
    place: str
    offset: int
    byte: int
    reason: str
    around: bytearray


def _known(encoding: str) -> str:
    """Give the name of a codec of text; UTF-8 is read with or without a mark."""
    try:
        name = codecs.lookup(encoding).name
        with suppress(UnicodeError):
            b"\0".decode(name)  # refuses codecs that are none of text
    except LookupError as error:
        raise InputError(
            f"--encoding '{encoding}' is no text encoding that Python knows. Give one such as cp949, cp1252 or utf-16."
        ) from error
    return "utf-8-sig" if name == "utf-8" else name


def _whole(data: bytes, codec: str, name: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"'{name}' is no {codec} text: byte {error.start:,} (line {line:,}) is 0x{data[error.start]:02x} "
            f"({error.reason}). Check --encoding, or repair the file there."
        ) from error


def _way_out(part: bytes) -> str:
    readings = _readings(part)
    if not readings:
        return "It seems to be no text at all; give CSV, JSON lines or Parquet, or say its encoding with --encoding."
    shown = ", ".join(f"{encoding} '{text}'" for encoding, text in readings)
    return f"Say its encoding with --encoding; that place would read: {shown}."


def _readings(part: bytes) -> list[tuple[str, str]]:
    """Show the first line of other letters in the encodings that turn the bytes above ASCII into their script."""
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
