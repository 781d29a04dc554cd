"""From when on rows count as known that their source does not date."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.arrivals import newest
from sparkhu.lake import Lake, Replace, Table, open_lake
from sparkhu.sources import SourceOptions
from sparkhu.stages.appending import append_source
from sparkhu.stages.lake_history import known_history
from tests.sparkhu.stages.test_appending import HEADER, append, write
from tests.sparkhu.stages.test_lake_reading import summaries

LATE = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


def publish(lake: Path, *days: int) -> Lake:
    """Publish days of the clean table."""
    place = open_lake(str(lake))
    for each in days:
        version, start, end = place.version(), day(each), day(each + 1)
        rows = newest(version.table("observations").read(start, end))
        place.commit({"clean": Replace(rows, start, end, version.number, "p", start)}, run=f"d{each}", based_on=version)
    return place


def rows_of(lake: Path, series: str = "a") -> list[tuple[str, bool]]:
    """List the rows of a series, and whether they are known from their ingest on, not at their own time."""
    rows = open_lake(str(lake)).version().table("observations").read(ids=[series])
    late = [(f"{ds:%d %H}", known >= LATE) for ds, known in rows.select("ds", "available_at").rows()]
    assert all(known in (ds, max(known, LATE)) for ds, known in rows.select("ds", "available_at").rows())
    return late


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Rows of series a from the 10th to the 20th, every six hours; the 19th is published."""
    place = tmp_path / "lake"
    lines = [f"a,{day(10) + timedelta(hours=hours):%Y-%m-%dT%H:00Z},1" for hours in range(0, 10 * 24 + 13, 6)]
    append(tmp_path / "a.csv", *lines, lake=place)
    publish(place, 19)
    return place


def test_a_late_row_outside_what_is_published_changes_no_snapshot(tmp_path: Path, lake: Path) -> None:
    place = open_lake(str(lake))

    def state() -> pl.DataFrame:
        version = place.version()
        table = version.table("observations")
        told = known_history(
            version, table.read(day(10), day(20)), summaries(version, day(10)), start=day(10), end=day(20)
        )
        return told.select("n", "mean", "start", "missing_share", "median", "last_values")

    before = state()
    done = append(tmp_path / "b.csv", "a,2024-01-15T03:00Z,500", "a,2024-01-09T03:00Z,700", lake=lake)
    assert done.added == 2
    assert state().equals(before)
    assert [row for row in rows_of(lake) if row[1]] == [("09 03", True), ("15 03", True)]


def test_rows_behind_the_newest_are_in_order_and_those_before_it_are_late(tmp_path: Path, lake: Path) -> None:
    lines = (f"a,2024-01-{place}:00Z,2" for place in ("22T00", "20T11", "20T13", "21T05"))
    append(tmp_path / "b.csv", *lines, lake=lake)
    assert rows_of(lake)[-5:] == [
        ("20 11", True), ("20 12", False), ("20 13", False), ("21 05", False), ("22 00", False)
    ]  # fmt: skip


def test_a_series_that_is_new_to_the_lake_is_known_in_its_time_as_a_whole(tmp_path: Path, lake: Path) -> None:
    lines = [f"b,2024-01-{place}:00Z,2" for place in ("09T00", "15T00", "19T11", "21T13")]
    append(tmp_path / "b.csv", *lines, lake=lake)
    assert [late for _, late in rows_of(lake, "b")] == [False] * 4
    # From then on it is in the lake.
    append(tmp_path / "b.csv", "b,2024-01-16T00:00Z,2", "b,2024-01-22T13:00Z,2", lake=lake)
    assert [row for row in rows_of(lake, "b") if row[0] in ("16 00", "22 13")] == [("16 00", True), ("22 13", False)]


def test_rows_in_order_before_the_end_of_what_is_published_are_late(tmp_path: Path, lake: Path) -> None:
    # Series c ends long before: on its later days only older summaries tell that it is there.
    append(tmp_path / "c.csv", "c,2023-11-01T00:00Z,2", lake=lake)
    append(tmp_path / "d.csv", "c,2024-01-18T00:00Z,2", "c,2024-01-19T23:00Z,2", "c,2024-01-20T00:00Z,2", lake=lake)
    assert rows_of(lake, "c") == [("01 00", False), ("18 00", True), ("19 23", True), ("20 00", False)]


def test_before_anything_is_published_files_come_in_any_order(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    for number in (12, 10, 11):
        append(tmp_path / "a.csv", f"a,2024-01-{number}T00:00Z,1", lake=lake)
    assert [late for _, late in rows_of(lake)] == [False] * 3
    publish(lake, 11)
    append(tmp_path / "a.csv", "a,2024-01-10T12:00Z,1", lake=lake)
    assert [late for _, late in rows_of(lake)] == [False, True, False, False]


def test_a_source_that_dates_its_rows_is_believed(tmp_path: Path, lake: Path) -> None:
    line = "a,2024-01-19T01:00Z,2,2024-01-19T01:30Z"
    append(tmp_path / "b.csv", line, lake=lake, header=f"{HEADER},available_at")
    known = open_lake(str(lake)).version().table("observations").read(day(19), day(20))["available_at"]
    assert known[1] == datetime(2024, 1, 19, 1, 30, tzinfo=UTC)


def test_days_are_those_of_the_lake_s_zone(tmp_path: Path) -> None:
    # Noon of the 20th in UTC is the 21st in Auckland: its summary is no sign of rows behind those of the 20th in UTC.
    lake, options = tmp_path / "lake", SourceOptions(zone="Pacific/Auckland")
    append_source(write(tmp_path / "a.csv", "a,2024-01-20T12:00Z,1"), options, lake=str(lake))
    publish(lake, 10)
    lines = ("a,2024-01-20T11:00Z,1", "a,2024-01-20T13:00Z,1")
    append_source(write(tmp_path / "a.csv", *lines), options, lake=str(lake))
    assert rows_of(lake) == [("20 11", True), ("20 12", False), ("20 13", False)]


def test_a_row_far_from_any_other_is_late_where_a_later_one_is_there(tmp_path: Path, lake: Path) -> None:
    append(tmp_path / "b.csv", "a,2024-01-30T00:00Z,2", lake=lake)
    append(tmp_path / "c.csv", "a,2024-01-25T00:00Z,2", lake=lake)
    assert rows_of(lake)[-2:] == [("25 00", True), ("30 00", False)]


def test_a_feed_in_order_reads_no_older_summaries(tmp_path: Path, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, starts = Table.read, []

    def noted(table: Table, *limits: object, **names: object) -> pl.DataFrame:
        if table.name == "summaries":
            starts.append(limits[0])
        return read(table, *limits, **names)  # type: ignore[arg-type]

    monkeypatch.setattr(Table, "read", noted)
    append(tmp_path / "b.csv", "a,2024-01-21T00:00Z,2", "new,2024-01-21T00:00Z,2", lake=lake)
    assert starts == [day(19)]
