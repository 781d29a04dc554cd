"""JSON lines: a column a key, a row a line, broken lines kept with their number and text."""

import gzip
import json
from datetime import UTC, datetime

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.sources import SourceOptions, inspect_source, read_source
from sparkhu.sources.blocks import Blocks
from sparkhu.sources.json_lines import is_json, json_frames
from sparkhu.sources.parts import PartSize, Scratch
from sparkhu.sources.tables import BROKEN
from sparkhu.steps.validation import validate

T1, T2 = datetime(2014, 1, 1, tzinfo=UTC), datetime(2014, 1, 2, tzinfo=UTC)
CELLS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5)


def parse(text: str) -> tuple[list[dict], list[str]]:
    notes: list[str] = []
    frames = json_frames(Blocks([text.encode()], Scratch()), "a.jsonl", notes)
    return pl.concat(frames, how="diagonal").to_dicts(), notes


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.ndjson.gz", "a.json"])
def test_lines_are_read_as_pandas_reads_them(tmp_path, name):
    lines = '{"id":"b","time":"2014-01-02","value":2.5}\n{"id":"a","time":"2014-01-01","value":1}\n'
    data = gzip.compress(lines.encode()) if name.endswith(".gz") else lines.encode()
    (tmp_path / name).write_bytes(data)
    raw = read_source(str(tmp_path / name), SourceOptions(id="id"))
    reference = pd.read_json(tmp_path / name, lines=True, dtype=False, convert_dates=False).sort_values("id")
    assert raw.frame.select("unique_id", "y").rows() == list(
        reference[["id", "value"]].itertuples(index=False, name=None)
    )
    assert raw.frame["ds"].to_list() == [T1, T2]


def test_a_folder_of_json_lines_and_csv_is_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"time":"2014-01-01","value":1}\n')
    (tmp_path / "b.csv").write_text("time,value\n2014-01-02,2\n")
    assert read_source(str(tmp_path)).frame.select("unique_id", "y").rows() == [("a", 1.0), ("b", 2.0)]


def test_broken_lines_are_rows_with_their_number_and_text(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"time":"2014-01-01","value":1}\n\n{"time":"2014-01-0\n[1]\n{"time":"2014-01-02","value":2}\n')
    raw = read_source(str(path))
    assert raw.frame.sort("source_row").select("source_row", "ds", "y", "ds_text", "ds_reason").rows() == [
        (1, T1, 1.0, None, None),
        (3, None, None, '{"time":"2014-01-0', "line_unreadable"),
        (4, None, None, "[1]", "line_unreadable"),
        (5, T2, 2.0, None, None),
    ]
    assert "2 lines of 'a.jsonl' are no JSON objects and are refused" in raw.notes
    quarantine = validate(raw.frame).frames["quarantine"]
    assert quarantine.select("source_row", "ds_text").rows() == [(3, '{"time":"2014-01-0'), (4, "[1]")]
    assert inspect_source(str(path)).problems[0] == (
        '2 rows are no JSON objects, the first is row 3: \'{"time":"2014-01-0\''
    )


def test_ten_percent_of_broken_lines_are_all_there(tmp_path):
    lines = [json.dumps({"id": "s", "time": f"2014-01-01 {n // 60:02d}:{n % 60:02d}", "value": n}) for n in range(1440)]
    lines = [line[: len(line) // 2] if n % 10 == 0 else line for n, line in enumerate(lines)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    frame = read_source(str(tmp_path / "a.jsonl")).frame
    assert frame["y"].count() == 1296
    assert frame.filter(frame["ds"].is_null()).sort("source_row")["ds_text"].to_list() == lines[::10]
    assert sorted(frame["source_row"]) == list(range(1, 1441))


def test_nested_keys_have_points_and_lists_are_left_out_aloud():
    rows, notes = parse('{"meta":{"sensor":{"name":"a"}},"y":1,"all":[1,2]}\n{"y":2}\n')
    assert rows == [{"y": 1, "meta.sensor.name": "a"}, {"y": 2, "meta.sensor.name": None}]
    assert notes == ["'a.jsonl' has lists under all, which are left out"]


def test_a_nested_key_is_chosen_by_its_whole_name(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"meta":{"sensor":"s1"},"time":"2014-01-01","value":1}\n')
    options = SourceOptions(id="meta.sensor")
    assert read_source(str(tmp_path / "a.jsonl"), options).frame["unique_id"].to_list() == ["s1"]
    with pytest.raises(InputError, match=r"no column 'sensor' \(--id\); .* Did you mean 'meta.sensor'"):
        read_source(str(tmp_path / "a.jsonl"), SourceOptions(id="sensor"))


def test_a_missing_key_is_a_missing_cell(tmp_path):
    lines = ['{"id":"a","time":"2014-01-01"}', '{"id":"a","value":2}', '{"time":"2014-01-02","value":1}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    frame = read_source(str(tmp_path / "a.jsonl")).frame.sort("source_row")
    assert frame.select("unique_id", "ds", "y", "ds_reason").rows() == [
        ("a", T1, None, None),
        ("a", None, 2.0, "time_missing"),
        (None, T2, 1.0, None),
    ]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"y":1}\n{"y":"x"}\n', [{"y": "1"}, {"y": "x"}]),
        ('{"y":true}\n{"y":1}\n', [{"y": "true"}, {"y": "1"}]),
        ('{"y":NaN}\n{"y":1.5}\n', [{"y": "NaN"}, {"y": "1.5"}]),
        ('{"y":{"a":1}}\n{"y":5}\n', [{"y.a": 1, "y": None}, {"y.a": None, "y": 5}]),
        ('{"y":[1]}\n{"y":5}\n', [{"y": "[1]"}, {"y": "5"}]),
        ('{"y":9007199254740993}\n', [{"y": 9007199254740993}]),
        ('{"y":null}\n{"y":null}\n', [{"y": None}, {"y": None}]),
        ('{"y":1}{"y":2}\n{"y":3}\n', [{"y": None, BROKEN: '{"y":1}{"y":2}'}, {"y": 3, BROKEN: None}]),
    ],
)
def test_keys_of_mixed_kinds_become_text(text, rows):
    assert parse(text)[0] == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n "y": 1\n}\n', "no line of 'a.jsonl' is a JSON object"),
        ("{}\n{}\n", "no line of 'a.jsonl' is a JSON object"),
        ('{"a.b":1,"a":{"b":2}}', "has the key 'a.b' both nested and plain"),
    ],
)
def test_what_is_no_json_lines_says_so(text, message):
    assert is_json(text.encode())
    with pytest.raises(InputError, match=message):
        parse(text)


@pytest.mark.parametrize("begins", [b'[{"y": 1},\n', b' [\n\n  {"y": 1},\n'])
def test_a_json_list_is_refused_at_its_first_bytes(tmp_path, begins):
    # The rest is no text, which is told once it is read.
    (tmp_path / "a.json").write_bytes(begins + b'{"y": 2},\n' * 1000 + b"\xff")
    scratch = Scratch(tmp_path / "scratch", PartSize(text=20))
    scratch.folder.mkdir()
    with pytest.raises(InputError, match=r"'a.json' is one JSON list. Give JSON lines"):
        read_source(str(tmp_path / "a.json"), scratch=scratch)
    assert list(scratch.folder.iterdir()) == []


def test_csv_is_not_taken_for_json():
    assert not is_json(b"[time],value\n")
    assert not is_json(b"time,value\n")


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), CELLS, min_size=1), min_size=1))
def test_both_ways_of_reading_give_every_line_its_row(objects):
    lines = [json.dumps(each) for each in objects]
    rows, _ = parse("\n".join(lines))
    with_broken, _ = parse("\n".join([*lines, '{"a":']))
    assert [{key: row[key] for key in row if key != BROKEN} for row in with_broken[:-1]] == rows
    for row, each in zip(rows, objects, strict=True):
        assert {key for key, value in row.items() if value is not None} == {
            key for key, value in each.items() if value is not None
        }
