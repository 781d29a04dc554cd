"""What appending a source leaves in a lake."""

import gzip
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.arrivals import newest
from sparkhu.errors import InputError
from sparkhu.lake import Replace, open_lake
from sparkhu.lineage import code_fingerprint, file_checksum
from sparkhu.sources import SourceOptions, read_source
from sparkhu.stages.appending import Appended, append_source, sensible_layout
from sparkhu.tracing import trace

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
HEADER = "id,time,y"


def write(path: Path, *lines: str, header: str = HEADER) -> str:
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def append(path: Path, *lines: str, lake: Path, header: str = HEADER, value: str = "", extra: str = "") -> Appended:
    options = SourceOptions(value=value, extra=extra)
    return append_source(write(path, *lines, header=header), options, lake=str(lake))


def values(lake: Path) -> list[tuple[str, str, float | None]]:
    rows = open_lake(str(lake)).version().table("observations").read()
    return [(name, ds.strftime("%H:%M"), y) for name, ds, y in rows.select("unique_id", "ds", "y").iter_rows()]


def test_new_rows_are_added_and_known_ones_are_not(tmp_path: Path) -> None:
    lake, source = tmp_path / "lake", tmp_path / "a.csv"
    first = append(source, "a,2024-01-01T00:00Z,1", "a,2024-01-01T01:00Z,2", lake=lake)
    assert (first.added, first.unchanged, first.version) == (2, 0, 1)
    again = append(source, "a,2024-01-01T00:00Z,1", "a,2024-01-01T01:00Z,2", lake=lake)
    assert (again.added, again.unchanged, again.version) == (0, 2, 1)
    more = append(source, "a,2024-01-01T01:00Z,2", "a,2024-01-01T02:00Z,3", lake=lake)
    assert (more.added, more.unchanged, more.version) == (1, 1, 2)
    assert values(lake) == [("a", "00:00", 1.0), ("a", "01:00", 2.0), ("a", "02:00", 3.0)]


def test_a_commit_tells_the_files_that_were_read_and_the_code(tmp_path: Path) -> None:
    lake, source = tmp_path / "lake", tmp_path / "a.csv"
    append(source, "a,2024-01-01T00:00Z,1", lake=lake)
    version = open_lake(str(lake)).version()
    (told,) = version.commit.sources
    assert (told["uri"], told["rows"], told["sha256"]) == (str(source), 1, file_checksum(source))
    assert version.commit.code == code_fingerprint()
    found = trace(version.run, lake=str(lake))
    assert [(part.what, part.where, part.sha256) for part in found.made_from] == [
        ("source", str(source), file_checksum(source))
    ]
    assert found.facts["code"] == code_fingerprint()


def test_a_changed_value_is_a_second_version_known_from_now_on(tmp_path: Path) -> None:
    lake, began = tmp_path / "lake", datetime.now(UTC)
    append(tmp_path / "a.csv", "a,2024-01-01T00:00Z,1", lake=lake)
    done = append(tmp_path / "a.csv", "a,2024-01-01T00:00Z,5", lake=lake)
    assert (done.added, done.revised) == (1, 1)
    rows = open_lake(str(lake)).version().table("observations").read()
    assert rows["y"].to_list() == [1.0, 5.0]
    assert rows["available_at"][0] == NOON - timedelta(hours=12)
    assert began <= rows["available_at"][1] <= datetime.now(UTC)


def test_arrival_times_of_the_source_stand(tmp_path: Path) -> None:
    lake, header = tmp_path / "lake", "id,time,y,available_at"
    append(tmp_path / "a.csv", "a,2024-01-01T00:00Z,1,2024-01-01T00:05Z", lake=lake, header=header)
    done = append(tmp_path / "b.csv", "a,2024-01-01T00:00Z,5,2024-01-03T00:00Z", lake=lake, header=header)
    assert (done.added, done.revised) == (1, 1)
    known = open_lake(str(lake)).version().table("observations").read()["available_at"]
    assert [each.isoformat() for each in known] == ["2024-01-01T00:05:00+00:00", "2024-01-03T00:00:00+00:00"]


def test_refused_rows_are_kept_with_their_reason_once(tmp_path: Path) -> None:
    lines = ("a,2024-01-01T00:00Z,1", "a,2024-01-01T01:00Z,none at all", ",2024-01-01T02:00Z,3", "a,never,4")
    lake = tmp_path / "lake"
    for _ in range(2):
        done = append(tmp_path / "a.csv", *lines, lake=lake)
        assert done.refused == 3
    refused = open_lake(str(lake)).version().table("quarantine").read().sort("source_row")
    assert refused["reason"].to_list() == ["value_unparsable", "id_missing", "time_unparsable"]
    assert refused["unique_id"].to_list() == ["a", "", "a"]
    assert refused["y_text"].to_list() == ["none at all", "3.0", "4.0"]
    assert refused["source"].unique().to_list() == [str(tmp_path / "a.csv")]


def test_days_are_summarised_as_they_are_with_what_came_later(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    append(tmp_path / "a.csv", "a,2024-01-01T00:00Z,1", "a,2024-01-01T01:00Z,3", "a,2024-01-02T00:00Z,9", lake=lake)
    append(tmp_path / "a.csv", "a,2024-01-01T01:00Z,5", "a,2024-01-01T02:00Z,6", "b,2024-01-01T02:00Z,7", lake=lake)
    table = open_lake(str(lake)).version().table("summaries").read()
    newest = table.unique(("unique_id", "day"), keep="last", maintain_order=True).sort("unique_id", "day")
    # 1, 5 (which was 3) and 6: the mean is 4, m2 9 + 1 + 4 = 14. The second of January was not touched again.
    assert newest.select("unique_id", "n", "mean", "m2").rows() == [
        ("a", 3, 4.0, 14.0),
        ("a", 1, 9.0, 0.0),
        ("b", 1, 7.0, 0.0),
    ]
    assert table.height == 4


def test_further_columns_travel_along_and_come_later_too(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    append(tmp_path / "a.csv", "a,2024-01-01T00:00Z,1", lake=lake)
    append(
        tmp_path / "b.csv", "a,2024-01-01T01:00Z,1,7", lake=lake, header="id,time,y,volume", value="y", extra="volume"
    )
    assert open_lake(str(lake)).version().table("observations").read()["volume"].to_list() == [None, 7]


def test_rows_that_touch_a_published_interval_make_it_dirty(tmp_path: Path) -> None:
    place = tmp_path / "lake"
    append(tmp_path / "a.csv", "a,2024-01-01T00:00Z,1", "a,2024-01-02T00:00Z,2", "a,2024-01-03T00:00Z,2", lake=place)
    lake = open_lake(str(place))
    version = lake.version()
    rows = version.table("observations").read()
    for day in (1, 2, 3):
        start, end = datetime(2024, 1, day, tzinfo=UTC), datetime(2024, 1, day + 1, tzinfo=UTC)
        part = rows.filter(pl.col("ds").is_between(start, end, closed="left"))
        lake.commit(
            {"clean": Replace(part, start, end, version.number, "p", start)}, run=f"day-{day}", based_on=lake.version()
        )
    assert append(tmp_path / "a.csv", "a,2024-01-04T00:00Z,2", lake=place).dirty == ()
    late = append(tmp_path / "a.csv", "b,2024-01-02T10:00Z,2", lake=place)
    assert [(each.start.day, each.run) for each in late.dirty] == [(2, "day-2")]
    # The row of the published day came after its publication; one that dates itself, and one of a day to come, did not.
    dated = append(
        tmp_path / "b.csv", "b,2024-01-02T11:00Z,2,2024-01-02T11:30Z", lake=place, header=f"{HEADER},available_at"
    )
    assert dated.added == 1
    append(tmp_path / "a.csv", "b,2024-01-05T10:00Z,2", lake=place)
    known = lake.version().table("observations").read(ids=["b"]).sort("ds")["available_at"]
    assert known[0] > datetime(2026, 1, 1, tzinfo=UTC)
    assert [each.isoformat() for each in known[1:]] == ["2024-01-02T11:30:00+00:00", "2024-01-05T10:00:00+00:00"]


def test_days_far_apart_are_compared_each_with_their_own(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lines = [f"a,20{year}-03-01T00:00Z,{year}" for year in range(10, 24)]
    append(tmp_path / "a.csv", *lines, lake=lake)
    assert append(tmp_path / "a.csv", *lines, lake=lake).added == 0
    days = [f"a,2024-{month:02d}-{day:02d}T00:00Z,1" for month in range(1, 13) for day in (3, 9, 15, 21)]
    assert append(tmp_path / "a.csv", *days, lake=lake).added == 48
    assert append(tmp_path / "a.csv", *days, lake=lake).added == 0


@pytest.mark.parametrize(
    ("rows", "days", "partition", "buckets"),
    [
        (20_000, 1, "day", 1),
        (700, 1, "month", 1),
        (600, 1, "year", 1),
        (20_000, 40, "year", 1),
        (6_100_000, 1, "day", 3),
    ],
)
def test_a_file_covers_enough_rows(rows: int, days: int, partition: str, buckets: int) -> None:
    # 700 a day are 21,000 a month; 600 are 18,000 a month, too few, and 219,000 a year; 500 a day likewise.
    step, start = days * 86_400_000_000 // rows, NOON.replace(hour=0)
    ds = pl.datetime_range(start, start + timedelta(days=days), f"{step}us", closed="left", eager=True)
    layout = sensible_layout(ds, zone="UTC")
    assert (layout.partition, layout.buckets) == (partition, buckets)


def test_another_layout_than_the_lakes_own_is_refused(tmp_path: Path) -> None:
    append(tmp_path / "a.csv", "a,2024-01-01T00:00Z,1", lake=tmp_path / "lake")
    with pytest.raises(InputError, match="files of a year"):
        append_source(str(tmp_path / "a.csv"), SourceOptions(), lake=str(tmp_path / "lake"), partition="day")


def test_a_source_that_cannot_be_read_leaves_no_lake_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such"):
        append_source(str(tmp_path / "none.csv"), SourceOptions(), lake=str(tmp_path / "lake"))
    assert not (tmp_path / "lake").exists()


def test_files_of_which_some_are_dated_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    write(folder / "a.csv", "a,2024-01-01T00:00Z,1")
    write(folder / "b.csv", "a,2024-01-01T00:00Z,1,2024-01-02T00:00Z", header="id,time,y,available_at")
    with pytest.raises(InputError, match="Ingest them apart"):
        append_source(str(folder), SourceOptions(value="y"), lake=str(tmp_path / "lake"))


REVISED = "a,2024-01-01T00:00Z,9999"
FIRST = ("a,2024-01-01T00:00Z,205", "a,2024-01-01T01:00Z,206")


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
    assert (more.added, more.revised) == (2, 2)
    rows = newest(open_lake(str(lake)).version().table("observations").read())
    assert rows.select("y", "volume").rows() == [(9999.0, 7), (206.0, 8)]
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

    def read_by_both(*arguments: object) -> object:
        raw = read_source(*arguments)  # type: ignore[arg-type]
        both.wait(10)
        return raw

    monkeypatch.setattr("sparkhu.stages.appending.read_source", read_by_both)
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
    assert "sources" not in open_lake(str(lake)).version().tables


def test_rows_of_one_instant_are_cut_to_the_last_and_counted(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    done = append(tmp_path / "a.csv", *FIRST, "a,2024-01-01T00:00Z,7", lake=lake)
    assert (done.added, done.repeated) == (2, 1)
    assert newest_values(lake) == [7.0, 206.0]
