"""Reading holds little in memory and on disk: lines that never end are refused, and what is done with is removed."""

import gzip
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.sources import SourceOptions, delimited, parsing, read_source
from sparkhu.sources.blocks import Blocks
from sparkhu.sources.delimited import OpenQuoteError, parse_csv
from sparkhu.sources.parquet import parquet_parts
from sparkhu.sources.parts import PartSize, Scratch
from sparkhu.sources.reading import Reading

SMALL = PartSize(rows=10, text=200, kept=0)
MEGABYTE = 2**20


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    (tmp_path / "scratch").mkdir()
    return Scratch(tmp_path / "scratch", SMALL)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> int:
    """The longest line that is read."""
    for module in (delimited, parsing):
        monkeypatch.setattr(module, "LONGEST_ROW", MEGABYTE)
    return MEGABYTE


def in_scratch(scratch: Scratch) -> set[str]:
    assert scratch.folder is not None
    return {path.name for path in scratch.folder.iterdir()}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("begins", "line", "ends"),
    [
        ("time,id,value\n2024-01-01,a,1\n2024-01-01,", 3, ",1\n2024-01-02,a,2\n"),
        ('time,id,value\n"2024-01-01",a,1\n"2024-01-01",', 3, ",1\n2024-01-02,a,2\n"),
        ("time,id,value", 1, "\n2024-01-01,a,1\n"),
        ('{"time":"2024-01-01","value":1}\n{"time":"2024-01-02","value":2}\n{"note":"', 3, '","value":1}\n'),
    ],
)
def test_a_line_too_long_for_memory_is_refused_where_it_stands(
    tmp_path: Path, short: int, begins: str, line: int, ends: str, packed: bool
) -> None:
    text = (begins + "x" * (short + 100_000) + ends).encode()
    (tmp_path / "a.txt").write_bytes(gzip.compress(text) if packed else text)
    with pytest.raises(InputError, match=rf"'a.txt': line {line} is longer than 1 MB. Check .* line feed \(\\n\)"):
        read_source(str(tmp_path / "a.txt"), scratch=Scratch(size=PartSize(text=50_000)))


def test_a_line_that_is_just_not_too_long_is_read(tmp_path: Path, short: int) -> None:
    name = "x" * (short - len("2024-01-01,,1"))
    (tmp_path / "a.csv").write_text(f"time,id,value\n2024-01-01,{name},1\n2024-01-02,a,2\n")
    raw = read_source(str(tmp_path / "a.csv"), SourceOptions(id="id"), Scratch(size=PartSize(text=50_000)))
    assert raw.frame["unique_id"].to_list() == ["a", name]


@pytest.mark.parametrize("first", ["", "2024-01-01,1\n", "\n\n"])
def test_a_mark_that_is_never_closed_is_given_up_before_the_whole_file_is_held(short: int, first: str) -> None:
    passed = 0

    def chunks() -> Iterator[bytes]:
        nonlocal passed
        yield f'time,value\n{first}"2024-01-01,2\n'.encode()
        for _ in range(400):
            passed += 1
            yield b"2024-01-02,3\n" * 1000

    with pytest.raises(OpenQuoteError):
        list(parse_csv(chunks(), "a.csv"))
    assert passed < 1.5 * short / 13_000


def sqlite(folder: Path, rows: list[str]) -> str:
    with closing(sqlite3.connect(folder / "a.db")) as connection:
        connection.execute("CREATE TABLE points (ds TEXT, id TEXT, y)")
        connection.executemany("INSERT INTO points VALUES (?, ?, ?)", [row.split(",") for row in rows])
        connection.commit()
    return f"sqlite:///{folder / 'a.db'}"


def written(kind: str, folder: Path) -> str:
    """Write a source that reading goes over more than once, or copies."""
    rows = [f"2024-01-{day:02d},s{series},{day}.5" for day in range(1, 29) for series in range(5)]
    if kind == "database":
        return sqlite(folder, rows)
    if kind == "json":
        lines = ('{{"ds":"{}","id":"{}","y":{}}}\n'.format(*row.split(",")) for row in rows)
        (folder / "a.jsonl").write_text("".join(lines))
        return str(folder / "a.jsonl")
    text = "ds,id,y\n" + "\n".join(rows)
    if kind == "open quotation mark":
        (folder / "a.csv").write_text(text + '\n"2024-02-01,s0,1\n')
        return str(folder / "a.csv")
    frame = pl.read_csv(text.encode())
    if "blank" in kind:
        frame = pl.concat([frame, frame.clear(1)])
    frame.write_parquet(folder / "all", row_group_size=10)
    (folder / "a.parquet").write_bytes(gzip.compress((folder / "all").read_bytes()))
    (folder / "all").unlink()
    return str(folder / "a.parquet")


@pytest.mark.parametrize("kind", ["json", "open quotation mark", "database", "packed", "packed with blank rows"])
def test_the_scratch_folder_holds_the_parts_alone_and_less_with_each_that_is_done(
    tmp_path: Path, scratch: Scratch, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "SMALL", 100)
    monkeypatch.setattr("sparkhu.sources.databases.ROWS_AT_A_TIME", 10)
    uri = written(kind, tmp_path)
    reading = Reading(uri, SourceOptions(table="points" if kind == "database" else "", id="id", value="y"), scratch)
    assert len(in_scratch(scratch)) == (1 if kind == "packed" else len(reading.stretches))
    assert len(reading.stretches) > 5
    for done, stretch in enumerate(reading.stretches, start=1):
        stretch.part.load(["y"])
        stretch.part.discard()
        left = len(reading.stretches) - done
        assert len(in_scratch(scratch)) == (min(left, 1) if kind == "packed" else left)


def test_a_large_database_is_sorted_outside_memory(tmp_path: Path, scratch: Scratch) -> None:
    rows = [f"2024-01-{day:02d},a,{day}" for day in range(1, 16)]
    assert Reading(sqlite(tmp_path, rows), SourceOptions(table="points"), scratch).large


def test_the_file_of_a_source_is_never_removed(tmp_path: Path) -> None:
    days = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 3, 1), "1d", eager=True)
    pl.DataFrame({"ds": days, "y": range(len(days))}).write_parquet(tmp_path / "a.parquet")
    for part in parquet_parts(tmp_path / "a.parquet", "a.parquet", 10, {"__file__": "a"}):
        part.discard()
    assert (tmp_path / "a.parquet").is_file()


def test_a_file_that_only_the_driver_sees_is_not_called_damaged(tmp_path: Path) -> None:
    pl.DataFrame({"y": [1.0]}).write_parquet(tmp_path / "a.parquet")
    (part,) = parquet_parts(tmp_path / "a.parquet", "a.parquet", 10, {"__file__": "a"})
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(InputError, match=r"'a.parquet' is not at '.*a.parquet' on .* put it on storage that all"):
        part.load(["y"])


@pytest.mark.parametrize("at_once", [0, 7, 1000])
def test_rows_of_a_series_are_counted_over_all_parts(
    tmp_path: Path, scratch: Scratch, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("sparkhu.sources.reading.COUNTS", at_once)
    reading = Reading(written("json", tmp_path), SourceOptions(), scratch)
    assert len(reading.stretches) > 5
    assert reading.series().rows() == [(f"s{series}", 28) for series in range(5)]


def test_blocks_lie_on_disk_but_the_first_and_go_as_they_are_taken(scratch: Scratch) -> None:
    blocks = Blocks([b"1", b"2", b"3"], scratch)
    assert len(in_scratch(scratch)) == 2
    assert list(blocks) == list(blocks) == [b"1", b"2", b"3"]
    assert [(block, len(in_scratch(scratch))) for block in blocks.taken()] == [(b"1", 2), (b"2", 2), (b"3", 1)]
    assert in_scratch(scratch) == set()
    with pytest.raises(SparkhuError, match=r"the scratch file '.*[0-9a-f]{32}' is missing on "):
        list(blocks)


def test_damaged_rows_of_a_parquet_file_are_named(tmp_path: Path) -> None:
    frame = pl.DataFrame({"y": [float(number) for number in range(40)]})
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=10)
    last = parquet_parts(tmp_path / "a.parquet", "a.parquet", 10, {"__file__": "a"})[-1]
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"'a.parquet' is not a whole Parquet file: rows 31 to 40 cannot be read: "):
        last.load(["y"])
