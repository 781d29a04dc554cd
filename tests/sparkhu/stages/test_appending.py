"""What appending a source leaves in a lake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.lake import Replace, open_lake
from sparkhu.lineage import code_fingerprint, file_checksum
from sparkhu.sources import SourceOptions
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
    layout = sensible_layout(rows, days, zone="UTC")
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


def test_values_are_withdrawn_by_a_file_of_missing_ones(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    append(tmp_path / "a.csv", "a,2024-01-01T00:00Z,1", "a,2024-01-01T01:00Z,2", lake=lake)
    done = append(tmp_path / "b.csv", "a,2024-01-01T00:00Z,", lake=lake, value="y")
    assert (done.added, done.revised) == (1, 1)
    assert values(lake) == [("a", "00:00", 1.0), ("a", "00:00", None), ("a", "01:00", 2.0)]


def test_rows_of_one_instant_are_cut_to_the_last_and_counted(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    done = append(
        tmp_path / "a.csv", "a,2024-01-01T00:00Z,1", "a,2024-01-01T01:00Z,206", "a,2024-01-01T00:00Z,7", lake=lake
    )
    assert (done.added, done.repeated) == (2, 1)
    assert values(lake) == [("a", "00:00", 7.0), ("a", "01:00", 206.0)]
