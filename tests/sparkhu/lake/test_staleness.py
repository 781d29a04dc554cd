"""Which published intervals are out of date, and since which instant."""

import json
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.lake import Append, DataFile, Interval, Lake, Replace, create_lake, open_lake
from sparkhu.lake.records import CURRENT, checksum
from sparkhu.lake.staleness import outdated
from tests.sparkhu.lake.made_rows import DAY, HOUR, START, at, observed


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return create_lake(str(tmp_path / "lake"))


def append(lake: Lake, first: datetime, hours: int = 1) -> int:
    rows = observed(start=first, hours=hours)
    return lake.commit({"observations": Append(rows)}, run="ingest", based_on=lake.version()).number


def publish(lake: Lake, start: datetime, end: datetime, read_from: datetime | None) -> None:
    version = lake.version()
    change = Replace(observed(hours=0), start, end, version.number, "p", read_from)
    lake.commit({"clean": change}, run="run", based_on=version)


def dirty(lake: Lake) -> list[tuple[datetime, datetime]]:
    return [(each.interval.start, each.since) for each in lake.outdated("clean")]


def test_hours_that_follow_one_another_leave_those_before_as_they_are(lake: Lake) -> None:
    for hour in range(4):
        append(lake, START + hour * HOUR)
        publish(lake, START + hour * HOUR, START + (hour + 1) * HOUR, None)
    assert dirty(lake) == []


def test_a_new_day_of_another_zone_than_the_lakes_leaves_the_day_before_as_it_is(lake: Lake) -> None:
    # Days of Seoul begin at 15:00 UTC: that of 2 January shares a day of the lake with that of 3 January.
    for day in range(3):
        midnight = START + day * DAY + 15 * HOUR
        append(lake, midnight, 24)
        publish(lake, midnight, midnight + DAY, midnight - DAY)
    assert dirty(lake) == []
    append(lake, at("2024-01-02 14:00"))
    assert [start for start, _ in dirty(lake)] == [at("2024-01-01 15:00"), at("2024-01-02 15:00")]


def test_the_rest_of_the_last_day_of_an_open_run_leaves_it_as_it_is(lake: Lake) -> None:
    append(lake, START, 36)
    publish(lake, START, START + 35 * HOUR + timedelta(microseconds=1), None)
    append(lake, START + 36 * HOUR, 12)
    assert dirty(lake) == []


def test_a_row_in_the_look_back_of_a_later_interval_puts_that_one_out_of_date_too(lake: Lake) -> None:
    append(lake, START, 96)
    for day in (1, 2, 3):
        publish(lake, START + day * DAY, START + (day + 1) * DAY, START + (day - 1) * DAY)
    append(lake, START + 30 * HOUR)
    # Day 1 holds the row, day 2 looked back on it, day 3 did not.
    late = START + 30 * HOUR
    assert dirty(lake) == [(START + DAY, late), (START + 2 * DAY, late)]
    publish(lake, START + DAY, START + 2 * DAY, START)
    assert dirty(lake) == [(START + 2 * DAY, late)]


def test_what_changed_counts_from_where_reading_began(lake: Lake) -> None:
    append(lake, START, 48)
    publish(lake, START + DAY, START + 2 * DAY, START + 20 * HOUR)
    append(lake, START + 10 * HOUR, 12)
    assert dirty(lake) == [(START + DAY, START + 20 * HOUR)]


def test_an_interval_that_does_not_tell_from_where_it_was_read_was_read_from_the_first_row(lake: Lake) -> None:
    append(lake, START, 48)
    publish(lake, START + DAY, START + 2 * DAY, START + DAY)
    root = Path(lake.uri)
    commit = json.loads((root / CURRENT).read_text())
    manifest = root / commit["tables"]["clean"]["manifest"]
    content = json.loads(manifest.read_text())
    (interval,) = content["intervals"]
    assert interval.pop("read_from") == "2024-01-02T00:00:00+00:00"
    manifest.write_text(json.dumps(content))
    commit["tables"]["clean"]["sha256"] = checksum(manifest.read_bytes())
    del commit["sources"], commit["code"]
    (root / CURRENT).write_text(json.dumps(commit))
    older = open_lake(lake.uri)
    assert older.version().table("clean").intervals[0].read_from is None
    append(older, START)
    assert dirty(older) == [(START + DAY, START)]


def test_the_first_instant_that_was_read_belongs_to_the_span_and_its_end_does_not(lake: Lake) -> None:
    append(lake, START, 48)
    publish(lake, START + DAY, START + 2 * DAY, START + 20 * HOUR)
    append(lake, START + 2 * DAY)
    append(lake, START + 19 * HOUR)
    assert dirty(lake) == []
    append(lake, START + 20 * HOUR)
    assert dirty(lake) == [(START + DAY, START + 20 * HOUR)]


def plainly(intervals: list[Interval], files: list[DataFile]) -> list[tuple[Interval, datetime]]:
    """Say by definition what is out of date: every interval is held against every file. A file is of one day."""
    found = []
    for each in intervals:
        begin = each.read_from or START - DAY
        met = [
            max(file.first or START, begin)
            for file in files
            if file.version > each.read_version and file.overlaps(begin, each.end)
        ]
        found += [(each, min(met))] if met else []
    return found


@given(
    spans=st.lists(st.tuples(st.integers(0, 23), st.integers(0, 23), st.integers(1, 6)), max_size=12),
    reads=st.lists(st.tuples(st.integers(1, 6), st.none() | st.integers(0, 22)), min_size=1, max_size=8),
)
def test_many_files_and_intervals_are_held_against_one_another_as_one_by_one(
    spans: list[tuple[int, int, int]], reads: list[tuple[int, int | None]]
) -> None:
    day = ((START.date(), START.date()),)
    files = [
        DataFile(
            "p", "2024", 0, 1, 1, "", START + min(one, two) * HOUR, START + max(one, two) * HOUR, day, version, "r"
        )
        for one, two, version in spans
    ]
    intervals = [
        Interval(
            start := START + 3 * number * HOUR,
            start + 3 * HOUR,
            version,
            "p",
            "r",
            None if back is None else START + min(back, 3 * number) * HOUR,
        )
        for number, (version, back) in enumerate(reads)
    ]
    assert outdated(intervals, files, "UTC") == plainly(intervals, files)


def test_years_of_hourly_intervals_are_looked_through_at_once() -> None:
    # Each hour was ingested and published in turn: the first interval was read before all but one of the files.
    hours = [START + number * HOUR for number in range(20_000)]
    files = [
        DataFile("p", "2024", 0, 1, 1, "", hour, hour, ((hour.date(), hour.date()),), 2 * number, "r")
        for number, hour in enumerate(hours)
    ]
    intervals = [Interval(hour, hour + HOUR, 2 * number, "p", "r", hour - DAY) for number, hour in enumerate(hours)]
    began = time.process_time()
    assert outdated(intervals, files, "UTC") == []
    assert time.process_time() - began < 10  # 40 s and more where each is held against each


@given(
    rows=st.lists(st.integers(0, 71), min_size=1, max_size=5, unique=True),
    begin=st.none() | st.integers(0, 40),
    end=st.integers(41, 71),
    version=st.integers(1, 2),
)
def test_an_interval_is_out_of_date_where_its_span_and_the_days_of_a_later_file_meet(
    rows: list[int], begin: int | None, end: int, version: int
) -> None:
    # A file of three days; each day that it has rows of counts whole, but for what lies before its first row and
    # behind its last.
    hours = sorted(rows)
    days = tuple({hour // 24: ((START + hour * HOUR).date(),) * 2 for hour in hours}.values())
    file = DataFile("p", "2024", 0, 1, 1, "", START + hours[0] * HOUR, START + hours[-1] * HOUR, days, version, "r")
    read_from = None if begin is None else START + begin * HOUR
    interval = Interval(START + 40 * HOUR, START + end * HOUR, 1, "p", "r", read_from)
    inside = {hour // 24 for hour in hours}
    touched = [hour for hour in range(hours[0], hours[-1] + 1) if hour // 24 in inside]
    changed = [hour for hour in touched if (begin or 0) <= hour < end]
    found = outdated([interval], [file], "UTC")
    assert [each.since for each in found] == ([START + changed[0] * HOUR] if changed and version > 1 else [])
