"""Text is read in the encoding that is told or certain; anything else stops with what it could be."""

import io
import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.sources import SourceOptions, read_source
from sparkhu.sources.encodings import Utf8

KOREAN = "시각,센서,온도\n2024-01-01,보일러,1.5\n2024-01-02,펌프,2.5\n"


def to_utf8(data: bytes, encoding: str = "") -> tuple[bytes, str]:
    """Read all of a file at once; give its text and what is said of it."""
    reader = Utf8("a.csv", encoding)
    return reader.feed(data) + reader.finish(), reader.note


@pytest.mark.parametrize("encoding", ["cp949", "euc-kr", "utf-16", "utf-16-le", "utf-32", "utf-8", "utf-8-sig"])
def test_a_told_encoding_is_read_as_pandas_reads_it(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(KOREAN.encode(encoding))
    raw = read_source(str(path), SourceOptions(encoding=encoding, time="시각", id="센서", value="온도"))
    reference = pd.read_csv(path, encoding=encoding).sort_values("센서")
    assert raw.frame["unique_id"].to_list() == reference["센서"].to_list()
    assert raw.frame["y"].to_list() == reference["온도"].to_list()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "utf-8"])
def test_a_byte_order_mark_or_valid_utf8_decides(encoding):
    text, note = to_utf8(KOREAN.encode(encoding))
    assert text == KOREAN.encode()
    wide = encoding.startswith(("utf-16", "utf-32"))
    assert note == (f"'a.csv' is read as {encoding.upper()}, as its byte order mark says" if wide else "")


@pytest.mark.parametrize("mark", [b"\xfe\xff", b"\xff\xfe"])
def test_either_byte_order_of_utf16_is_read(mark):
    body = KOREAN.encode("utf-16-be" if mark == b"\xfe\xff" else "utf-16-le")
    assert to_utf8(mark + body)[0] == KOREAN.encode()


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        (KOREAN, "cp949", "시각,센서,온도"),
        ("Zeit;Größe\n2024-01-01;1\n", "cp1252", "Größe"),
        ("時刻,カード温度\n2024-01-01,1\n", "shift_jis", "時刻,カード温度"),
        ("время,датчик\n2024-01-01,1\n", "cp1251", "время,датчик"),
        ("时间,温度\n2024-01-01,1\n", "gb18030", "时间,温度"),
    ],
)
def test_other_bytes_stop_with_byte_line_and_likely_readings(text, encoding, shown):
    with pytest.raises(InputError) as caught:
        to_utf8(text.encode(encoding))
    first = next(index for index, byte in enumerate(text.encode(encoding)) if byte > 127)
    message = str(caught.value)
    assert message.startswith("'a.csv' is not UTF-8 text: byte ")
    assert "--encoding" in message
    readings = message.partition("would read: ")[2]
    assert f"{encoding} '" in readings
    assert shown in readings
    assert 1 <= readings.count(" '") <= 3
    assert int(message.split("byte ")[1].split(" ", maxsplit=1)[0]) in (first, first + 1, first + 2)


def test_the_place_of_a_bad_byte_is_given_by_offset_and_line():
    data = b"time,value\n" * 2000 + b"2024-01-01,\xff\n"
    with pytest.raises(InputError, match=r"byte 22,011 \(line 2,001\) is 0xff"):
        to_utf8(data)
    with pytest.raises(InputError, match=r"'a.csv' is no cp949 text: byte 22,011 \(line 2,001\) is 0xff .* repair"):
        to_utf8(data, "cp949")


def test_utf16_without_a_mark_is_not_taken_for_text_with_zeros():
    with pytest.raises(InputError, match=r"byte 1 \(line 1\) is zero. .* utf-16-le 'time,value'"):
        to_utf8("time,value\n2024-01-01,1\n".encode("utf-16-le"))


def test_stray_zero_bytes_are_kept_only_when_told():
    data = b"time,value\n2024-01-01,1\n" + b"2024-01-02,\x002\n"
    with pytest.raises(InputError, match=r"byte 35 \(line 3\) is zero. Take the zero bytes out"):
        to_utf8(data)
    assert to_utf8(data, "utf-8")[0] == data


def test_binary_junk_is_called_no_text():
    with pytest.raises(InputError, match="seems to be no text at all"):
        to_utf8(random.Random(1).randbytes(4000))


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", "hex"])
def test_an_unknown_codec_is_refused_by_name(encoding):
    with pytest.raises(InputError, match=f"--encoding '{encoding}' is no text encoding that Python knows"):
        to_utf8(b"a", encoding)


def test_a_lone_surrogate_becomes_a_question_mark():
    assert to_utf8(b"+2AA-", "utf-7")[0] == b"?"


@given(st.text(st.characters(codec="cp949"), min_size=1))
def test_told_bytes_come_back_whole(text):
    data = text.encode("cp949")
    assert to_utf8(data, "cp949")[0].decode() == io.TextIOWrapper(io.BytesIO(data), "cp949", newline="").read()
