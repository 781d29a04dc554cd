"""A source read in tiny parts gives what one large part gives: rows, notes, errors, fingerprints."""

import gzip
import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.sources import SourceOptions, read_source
from sparkhu.sources.parquet import parquet_parts
from sparkhu.sources.parts import PartSize, Scratch
from sparkhu.sources.reading import Reading

TINY = [PartSize(rows=2, text=7, kept=0), PartSize(rows=5, text=64, kept=300)]
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TIMES = {
    "iso": "2024-01-{day:02d} {hour:02d}:30:00",
    "day first": "{day:02d}/02/2024 {hour:02d}:15",
    "month first": "02/{day:02d}/2024 {hour:02d}:15",
    "dots": "{day}.1.2024",
    "named": "{day} Jan 2024",
    "epoch": "17041{day:02d}{hour:02d}0",
    "compact": "202401{day:02d}",
    "offset": "2024-01-{day:02d}T{hour:02d}:00:00+0{hour3}:00",
    "autumn": "2024-10-27 0{hour4}:{day:02d}:00",
}
VALUES = ["{n}", "{n}.5", "{n},5", "1,{n:03d}.25", "1.{n:03d},25", "1,{n:03d}", "NA", "", "x", "inf", " {n} ", "1e{n}"]
IDS = ["a", "b", " a ", "", "서울", "c,d", "NA"]
CELLS = st.tuples(
    st.integers(1, 28), st.integers(0, 23), st.integers(0, 9), st.sampled_from(IDS), st.sampled_from(["", "soon", "ok"])
)
TEXTS = st.sampled_from(["", "x", "a\nb", 'say "no"', "true", "FALSE", "1.5", "NA", "  ", "é", "c;d"])


def outcome(uri: str, options: SourceOptions, scratch: Scratch) -> tuple[Any, ...]:
    try:
        raw = read_source(uri, options, scratch)
    except InputError as error:
        return ("error", str(error))
    return (raw.frame.schema, raw.frame.rows(), raw._replace(frame=None))


def assert_alike(uri: str | Path, folder: Path, **options: Any) -> tuple[Any, ...]:
    """Check that parts of any size give the same; give it."""
    said = SourceOptions(**options)
    whole = outcome(str(uri), said, Scratch())
    for number, size in enumerate(TINY):
        scratch = folder / f"scratch{number}"
        scratch.mkdir(exist_ok=True)
        assert outcome(str(uri), said, Scratch(scratch, size)) == whole
    return whole


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Rows of a long table, in one notation of times and a few of values, some cells broken."""
    form = TIMES[draw(st.sampled_from(sorted(TIMES)))]
    values = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=3))
    rows = []
    for day, hour, n, name, broken in draw(st.lists(CELLS, min_size=1, max_size=25)):
        time = form.format(day=day, hour=hour, hour3=hour % 4, hour4=hour % 5)
        rows.append([time if broken != "soon" else broken, name, values[n % len(values)].format(n=n), draw(TEXTS)])
    return ["time", draw(st.sampled_from(["id", "name", "sensor"])), "value", "note"], rows


def quoted(cell: str, delimiter: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(sign in cell for sign in ('"', "\n", "\r", delimiter)) else cell


def csv_text(header: list[str], rows: list[list[str]], delimiter: str, end: str) -> str:
    lines = [delimiter.join(quoted(cell, delimiter) for cell in row) for row in [header, *rows]]
    return end.join(lines) + end


@FEW
@given(
    tables(),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp949"]),
    st.sampled_from(["", "note", "all"]),
    st.booleans(),
)
def test_csv_of_many_notations(
    tmp_path: Path, table: Any, delimiter: str, end: str, encoding: str, extra: str, packed: bool
) -> None:
    data = csv_text(*table, delimiter, end).encode(encoding, errors="replace")
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    told = {"encoding": encoding} if encoding == "cp949" else {}
    assert_alike(path, tmp_path, value="value", extra=extra, zone="Europe/Berlin", **told)


LINES = st.sampled_from(
    ["2024-01-01,a,1", "", "2024-01-02,a", '2024-01-03,"a",2', "2024-01-04,b,3,4,5", '2024-01-05,"a\nb",6',
     '2024-01-06,a 5" pipe,7', '2024-01-07,"open,8', "x", " ", '2024-01-08,"say ""no""",9', "2024-01-09,a,1\r"]
)  # fmt: skip


@FEW
@given(st.lists(LINES, min_size=1, max_size=14), st.booleans())
def test_csv_with_broken_lines_and_quotation_marks(tmp_path: Path, lines: list[str], ended: bool) -> None:
    (tmp_path / "a.csv").write_text("time,id,value\n" + "\n".join(lines) + ("\n" if ended else ""))
    assert_alike(tmp_path / "a.csv", tmp_path)


@FEW
@given(tables(), st.integers(1, 4))
def test_a_wide_file(tmp_path: Path, table: Any, columns: int) -> None:
    _, rows = table
    wide = [[row[0], *(rows[(number + column) % len(rows)][2] for column in range(columns))]
            for number, row in enumerate(rows)]  # fmt: skip
    (tmp_path / "a.csv").write_text(csv_text(["time", *"stuv"[:columns]], wide, ";", "\n"))
    assert_alike(tmp_path / "a.csv", tmp_path, wide=True, zone="America/New_York")


@FEW
@given(st.lists(tables(), min_size=2, max_size=4), st.sampled_from(["", "note", "all"]))
def test_several_files_of_differing_columns_and_signs(tmp_path: Path, found: list[Any], extra: str) -> None:
    folder = tmp_path / "all"
    for old in folder.glob("*"):
        old.unlink()
    folder.mkdir(exist_ok=True)
    for number, (header, rows) in enumerate(found):
        width = 4 if number % 2 else 3
        cut = [row[:width] for row in rows]
        (folder / f"f{number}.csv").write_text(csv_text(["time", "id", *header[2:width]], cut, ";", "\n"))
    assert_alike(folder, tmp_path, value="value", id="id", extra=extra if len(found) > 1 else "")


CELLS_OF_JSON = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
    | st.sampled_from(["x", "1", ""]) | st.just({"in": 1}) | st.just({"in": "x"}) | st.just([1]) | st.just([])
)  # fmt: skip


@FEW
@given(
    st.lists(
        st.fixed_dictionaries(
            {"time": st.sampled_from(["2024-01-01", "2024-01-02", None]), "value": st.integers(0, 9)},
            optional={"a": CELLS_OF_JSON, "b": CELLS_OF_JSON, "id": st.sampled_from(["s", "t"])},
        )
        | st.sampled_from(["", "{", "[1]", "  "]),
        min_size=1,
        max_size=10,
    ),
    st.sampled_from(["", "a", "all"]),
)
def test_json_lines(tmp_path: Path, objects: list[Any], extra: str) -> None:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in objects]
    (tmp_path / "a.jsonl").write_text("\n".join(['{"time":"2024-01-01","value":5}', *lines]) + "\n\n")
    (tmp_path / "b.jsonl").write_text('{"time":"2024-01-01","value":5}\n')
    assert_alike(tmp_path / "*.jsonl", tmp_path, value="value", time="time", extra=extra)


@FEW
@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["a", "b", None]), st.floats() | st.none()), min_size=1),
       st.integers(1, 9))  # fmt: skip
def test_parquet(tmp_path: Path, rows: list[Any], group: int) -> None:
    typed = {"ds": pl.Int64, "unique_id": pl.String, "y": pl.Float64}
    frame = pl.DataFrame(rows, schema=typed, orient="row").with_columns(pl.col("ds").cast(pl.Datetime("us", "UTC")))
    blank = pl.DataFrame({name: [None] for name in typed}, schema=frame.schema)
    pl.concat([frame, blank, frame]).write_parquet(tmp_path / "a.parquet", row_group_size=group)
    assert_alike(tmp_path / "a.parquet", tmp_path)
    (tmp_path / "b.parquet").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert_alike(tmp_path / "b.parquet", tmp_path)


@FEW
@given(st.lists(st.tuples(st.sampled_from(["2024-01-01", "2024-01-02"]), st.sampled_from(["a", "b", None]),
                          st.none() | st.integers(0, 9) | st.floats(0, 9) | st.sampled_from(["x", "2"])), min_size=1),
       st.sampled_from(["keyed", "heap"]))  # fmt: skip
def test_a_database(tmp_path: Path, rows: list[Any], table: str) -> None:
    (tmp_path / "a.db").unlink(missing_ok=True)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE heap (ds TEXT, unique_id TEXT, y)")
        connection.execute("CREATE TABLE keyed (n INTEGER PRIMARY KEY, ds TEXT, unique_id TEXT, y)")
        connection.executemany("INSERT INTO heap VALUES (?, ?, ?)", rows)
        connection.executemany("INSERT INTO keyed (ds, unique_id, y) VALUES (?, ?, ?)", rows)
        connection.commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparkhu.sources.databases.ROWS_AT_A_TIME", 3)
        assert_alike(f"sqlite:///{tmp_path / 'a.db'}", tmp_path, table=table)


@pytest.mark.parametrize("last", ['2024-01-04,a 5" pipe,7', '2024-01-04,"open,8', "2024-01-04,c,8"])
def test_a_mark_that_is_never_closed_counts_for_what_was_read_before_it(tmp_path: Path, last: str) -> None:
    (tmp_path / "a.csv").write_text(f'time,id,value\n2024-01-01,"a\nb",1\n2024-01-02,b,2\n2024-01-03,b,2\n{last}')
    _, rows, rest = assert_alike(tmp_path / "a.csv", tmp_path, id="id", value="value")
    plain = "c" not in last
    assert any("never closed" in note for note in rest.notes) == plain
    assert any(row[0] == '"a' for row in rows) == plain


def test_signs_of_several_files_hold_for_the_rows_of_each(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    for name, value in (("1", "1.000,25"), ("2", "1,000.25"), ("3", "1.000,25")):
        lines = [f"a;2024-0{name}-{day:02d};{value}" for day in range(1, 8)]
        (folder / f"{name}.csv").write_text("unique_id;ds;y\n" + "\n".join(lines) + "\n")
    _, rows, rest = assert_alike(folder, tmp_path)
    assert [row[2] for row in rows] == [1000.25] * 21
    assert any("1,234.5 in 1; 1.234,5 in 2" in note for note in rest.notes)


def doubled(found: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    schema, rows, _ = found
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("source_row", "unique_id")
    return frame.select(pl.col("ds").dt.strftime("%H:%M"), "ds_text", "ds_reason").rows()


TWICE = "2024-10-27 02:30:00"
AMBIGUOUS = (None, TWICE, "time_ambiguous")


def test_a_repeated_hour_is_told_apart_within_files_of_equal_columns_alone(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    # Each file has the time of series a once; only b.csv has it twice, of series c.
    (folder / "a.csv").write_text(f"time,id,value\n{TWICE},a,1\n2024-10-28,a,2\n")
    (folder / "b.csv").write_text(f"time,id,value,more\n{TWICE},a,1,x\n{TWICE},c,2,x\n{TWICE},c,3,x\n")
    found = assert_alike(folder, tmp_path, id="id", value="value", zone="Europe/Berlin")
    assert doubled(found) == [AMBIGUOUS, ("23:00", None, None), AMBIGUOUS, ("00:30", None, None), ("01:30", None, None)]


def test_a_repeated_hour_of_wide_files_is_told_apart_file_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / "a.csv").write_text(f"time,p\n{TWICE},1\n")
    (folder / "b.csv").write_text(f"time,p\n{TWICE},1\n2024-10-28 00:00:00,5\n")
    found = assert_alike(folder, tmp_path, wide=True, zone="Europe/Berlin")
    assert doubled(found) == [AMBIGUOUS, AMBIGUOUS, ("23:00", None, None)]


def test_a_repeated_hour_in_available_at_is_told_apart_too(tmp_path: Path) -> None:
    rows = [f"2024-10-2{day} 05:00:00,{day},{TWICE}" for day in (7, 8)]
    (tmp_path / "a.csv").write_text("time,value,available_at\n" + "\n".join(rows) + "\n2024-10-26 05:00:00,6,\n")
    schema, found, _ = assert_alike(tmp_path / "a.csv", tmp_path, zone="Europe/Berlin")
    frame = pl.DataFrame(found, schema=schema, orient="row").sort("source_row")
    assert frame["available_at"].dt.strftime("%d %H:%M").to_list() == ["27 00:30", "27 01:30", "26 03:00"]


def test_a_wide_source_is_as_large_as_its_observations_are_many(tmp_path: Path) -> None:
    hours = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 1, 2), "1h", eager=True)
    wide = pl.DataFrame({"time": hours, **{f"s{number}": range(25) for number in range(40)}})
    wide.write_parquet(tmp_path / "wide.parquet")
    for rows, large in ((500, False), (400, True)):  # 1,000 observations, and two parts are not large yet
        scratch = Scratch(tmp_path, PartSize(rows=rows))
        assert Reading(str(tmp_path / "wide.parquet"), SourceOptions(wide=True), scratch).large is large


def test_parts_of_a_file_of_many_columns_have_fewer_rows(tmp_path: Path) -> None:
    file = tmp_path / "wide.parquet"
    pl.DataFrame({f"s{number}": range(100) for number in range(160)}).write_parquet(file, row_group_size=50)
    assert [part.rows for part in parquet_parts(file, "wide", 100, {})] == [10] * 10
