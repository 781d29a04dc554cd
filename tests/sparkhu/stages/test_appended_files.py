"""Files that were appended to a lake before bring nothing, whatever came since."""

import gzip
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sparkhu.arrivals import newest
from sparkhu.lake import open_lake
from sparkhu.sources import SourceOptions, read_source
from sparkhu.stages import read_files
from sparkhu.stages.appended_files import SourceFiles
from sparkhu.stages.appending import Appended, append_source
from sparkhu.stages.read_files import PLACE, Shards, told_of_files
from sparkhu.stages.sorted_source import SortedSource
from sparkhu.versions import versions_of
from tests.sparkhu.stages.test_appending import HEADER, append, write

REVISED = "a,2024-01-01T00:00Z,9999"
FIRST = ("a,2024-01-01T00:00Z,205", "a,2024-01-01T01:00Z,206")


def shards_of(*frames: pl.DataFrame) -> Shards:
    return lambda columns: iter([frame if columns is None else frame.select(columns) for frame in frames])


def newest_values(lake: Path) -> list[float | None]:
    return newest(open_lake(str(lake)).version().table("observations").read())["y"].to_list()


def test_a_file_that_is_appended_again_after_a_revision_does_not_revert_it(tmp_path: Path) -> None:
    lake, first = tmp_path / "lake", tmp_path / "first.csv"
    append(first, *FIRST, lake=lake)
    append(tmp_path / "revised.csv", REVISED, lake=lake)
    version = open_lake(str(lake)).version().number
    again = append_source(str(first), SourceOptions(), lake=str(lake))
    assert (again.added, again.revised, again.unchanged, again.version) == (0, 0, 2, version)
    assert "1 of 1 files was appended before" in again.notes
    assert newest_values(lake) == [9999.0, 206.0]
    # Elsewhere, or packed, it is the same file.
    (tmp_path / "else").mkdir()
    packed = tmp_path / "else" / "first.csv.gz"
    packed.write_bytes(gzip.compress(first.read_bytes()))
    assert append_source(str(packed), SourceOptions(), lake=str(lake)).version == version


def test_a_new_file_that_gives_an_old_value_back_makes_a_version(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    append(tmp_path / "first.csv", *FIRST, lake=lake)
    append(tmp_path / "revised.csv", REVISED, lake=lake)
    back = append(tmp_path / "back.csv", FIRST[0], lake=lake)
    assert (back.added, back.revised, back.notes[-1].endswith("before")) == (1, 1, False)
    assert newest_values(lake) == [205.0, 206.0]


def test_of_a_folder_only_the_files_that_are_new_bring_something(tmp_path: Path) -> None:
    lake, folder = tmp_path / "lake", tmp_path / "source"
    folder.mkdir()
    for day in (1, 2):
        write(folder / f"2024-01-0{day}.csv", f"a,2024-01-0{day}T00:00Z,{day}", f"a,2024-01-0{day}T01:00Z,x")
    assert append_source(str(folder), SourceOptions(), lake=str(lake)).added == 2
    append(tmp_path / "revised.csv", REVISED, lake=lake)
    # It comes before the others, so that the rows of the source have other numbers now.
    write(folder / "2023-12-31.csv", "a,2023-12-31T00:00Z,7", "a,2024-01-03T00:00Z,8", "a,2023-12-31T01:00Z,x")
    done = append_source(str(folder / "*.csv"), SourceOptions(), lake=str(lake))
    assert (done.added, done.revised, done.unchanged) == (2, 0, 2)
    assert "2 of 3 files were appended before" in done.notes
    assert newest_values(lake) == [7.0, 9999.0, 2.0, 8.0]
    assert open_lake(str(lake)).version().table("quarantine").rows == 3
    assert [Path(each["uri"]).name for each in open_lake(str(lake)).version().commit.sources] == ["2023-12-31.csv"]
    told = open_lake(str(lake)).version().table("sources").read()
    assert [(Path(uri).name, rows, ds.day) for uri, rows, ds in told.select("unique_id", "rows", "ds").rows()] == [
        ("revised.csv", 1, 1), ("2023-12-31.csv", 3, 31), ("2024-01-01.csv", 2, 1), ("2024-01-02.csv", 2, 2)
    ]  # fmt: skip
    assert told["run"].n_unique() == 3
    assert (told["sha256"].str.len_chars() == 64).all()


def test_a_file_that_is_read_in_another_way_brings_what_it_did_not_tell_before(tmp_path: Path) -> None:
    lake, source = tmp_path / "lake", tmp_path / "first.csv"
    lines = [f"{line},{volume}" for line, volume in zip(FIRST, (7, 8), strict=True)]
    append(source, *lines, lake=lake, header=f"{HEADER},volume", value="y")
    append(tmp_path / "revised.csv", REVISED, lake=lake)
    more = append_source(str(source), SourceOptions(value="y", extra="volume"), lake=str(lake))
    assert (more.added, more.revised) == (2, 0)
    version = open_lake(str(lake)).version()
    stored = version.table("observations").read()
    rows = newest(stored)
    assert rows.select("y", "volume").rows() == [(9999.0, 7), (206.0, 8)]
    # A value is known from when it was, whatever is told of it beside: the one that was not revised is so at once.
    assert rows["available_at"].to_list() == [stored["available_at"].max(), rows["ds"][1]]
    assert versions_of(stored).select("ds", "y").rows() == [(rows["ds"][0], 205.0), (rows["ds"][0], 9999.0)]
    days = version.table("summaries").read().unique(("unique_id", "day"), keep="last", maintain_order=True)
    assert days.select("n", "max").rows() == [(2, 9999.0)]
    assert append_source(str(source), SourceOptions(value="y", extra="volume"), lake=str(lake)).added == 0
    # In another zone its rows are of other instants.
    assert append(source, "a,2024-01-01T00:00,1", lake=lake).added == 1
    moved = append_source(str(source), SourceOptions(zone="Asia/Seoul"), lake=str(lake))
    assert (moved.added, moved.revised) == (1, 0)


def test_files_of_one_content_that_name_their_series_are_two(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    for name in ("boiler", "pump"):
        done = append(
            tmp_path / f"{name}.csv", "2024-01-01T00:00Z,1", "2024-01-01T01:00Z,1", lake=lake, header="time,y"
        )
        assert done.added == 2


def test_two_ingests_of_one_file_at_once_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, source = tmp_path / "lake", write(tmp_path / "a.csv", *FIRST)
    append(tmp_path / "b.csv", "b,2024-01-01T00:00Z,1", lake=lake)
    both = threading.Barrier(2)

    def read_by_both(*arguments: Any, **named: Any) -> SortedSource:
        read = SortedSource(*arguments, **named)
        both.wait(10)
        return read

    monkeypatch.setattr("sparkhu.stages.appending.SortedSource", read_by_both)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: append_source(source, SourceOptions(), lake=str(lake)), range(2)))
    assert sorted(each.added for each in done) == [0, 2]
    assert sorted("1 of 1 files was appended before" in each.notes for each in done) == [False, True]
    version = open_lake(str(lake)).version()
    assert (version.number, version.table("sources").rows) == (2, 2)


def test_what_a_database_gives_is_what_holds_now(tmp_path: Path) -> None:
    lake, database = tmp_path / "lake", tmp_path / "plant.db"

    def ingest(value: float) -> Appended:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS readings (id TEXT, time TEXT PRIMARY KEY, y REAL)")
            connection.execute("INSERT OR REPLACE INTO readings VALUES ('a', '2024-01-01T00:00Z', ?)", [value])
            connection.commit()
        return append_source(f"sqlite:///{database}", SourceOptions(table="readings"), lake=str(lake))

    assert [ingest(value).revised for value in (205, 9999, 205, 205)] == [0, 1, 1, 0]
    assert newest_values(lake) == [205.0]
    version = open_lake(str(lake)).version()
    assert "sources" not in version.tables
    assert [each["uri"] for each in version.commit.sources] == [f"sqlite:///{database}"]


def test_what_was_read_is_told_by_a_fixed_number_that_differs_with_every_cell(tmp_path: Path) -> None:
    header, lines = (
        f"{HEADER},place,on",
        ("a,2024-01-01T00:00Z,1,Ä,true", "a,2024-01-01T01:00Z,,,", "b,2024-01-01,0,b,"),
    )

    def read_as(*lines: str, extra: str = "place,on") -> str:
        raw = read_source(
            write(tmp_path / "a.csv", *lines, header=header), SourceOptions(value="y", id="id", extra=extra)
        )
        return str(SourceFiles.of(shards_of(raw.frame), raw.files).table["read_as"][0])

    first = read_as(*lines)
    # Written down, so that a change of the way of reading or of Polars does not make all files new in silence.
    assert first == "3928d9b4653f45b55e088a98cb72eaa081609ea1a15e89f99ef3446b99aa52e4"
    others = [read_as(*lines, extra="place"), read_as(*lines[:2])]
    changes = [("1,Ä", "2,Ä"), ("Ä", "A"), ("true", "false"), ("00:00Z", "00:01Z"), (",,,", ",0,,"), (",,,", ",,Ä,")]
    others += [read_as(*(line.replace(old, new) for line in lines)) for old, new in changes]
    # What lies in two cells is not told apart by their text put together.
    others.append(read_as(lines[0].replace("Ä", "Äb"), lines[1], lines[2].replace("0,b", "0,")))
    assert len({first, *others}) == 1 + len(others)


@pytest.mark.parametrize("at_once", [1, 4, 1_000])
@pytest.mark.parametrize("folder", ["", "cut"])
def test_what_was_read_is_told_the_same_wherever_rows_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, folder: str
) -> None:
    # Files of 2, 1 and 20 rows, told one by one, and in shards of a row, 7 rows and all, by stretches of 1, 4 and all.
    lines = [f"{name},2024-01-{1 + at:02d},{at if at % 3 else ''},{'Ä' * (at % 4)}" for at in range(20) for name in "b"]
    files = [["a,2024-01-01,1,x", "a,2024-01-02,,"], ["c,never,2,z"], lines]
    for number, rows in enumerate(files):
        write(tmp_path / f"{number}.csv", *rows, header=f"{HEADER},place")
    raw = read_source(str(tmp_path / "*.csv"), SourceOptions(value="y", extra="place"))
    ends = pl.Series([file.rows for file in raw.files], dtype=pl.Int64).cum_sum()
    parts = [raw.frame.filter(ends.search_sorted(raw.frame[PLACE]) == number) for number in range(len(ends))]
    wanted = [read_files._told(shards_of(part)) for part in parts]
    monkeypatch.setattr(read_files, "ROWS_AT_ONCE", at_once)
    (tmp_path / "cut").mkdir()
    for rows in (1, 7, 100):
        shards = shards_of(*raw.frame.iter_slices(rows))
        assert told_of_files(shards, ends, tmp_path / folder if folder else None) == wanted
    assert [told.first is None for told in wanted] == [False, True, False]


def test_texts_are_told_in_stretches_of_their_own() -> None:
    column = pl.Series([None if at % 5 == 0 else "x" * (at % 3) for at in range(250_001)])
    whole = b"".join(read_files._texts([column]))
    assert b"".join(read_files._texts(column.slice(start, 70_000) for start in range(0, 250_001, 70_000))) == whole
    lengths = column.str.len_bytes().fill_null(0).cast(pl.Int64).to_numpy()
    first = lengths[:100_000].tobytes() + "".join(column[:100_000].fill_null("")).encode()
    assert whole.startswith(first + lengths[100_000:200_000].tobytes())
