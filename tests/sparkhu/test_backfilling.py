"""Which intervals of a lake are still to be processed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from sparkhu.backfilling import due_slots, slots
from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA
from sparkhu.lake import Append, Lake, PutBack, Replace, Unbury, create_lake
from sparkhu.lake.records import read_manifest
from tests.sparkhu.lake.retired import bury, purge

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def rows(*days: int) -> pl.DataFrame:
    ds = [START + (day - 1) * DAY + timedelta(hours=6) for day in days]
    return pl.DataFrame({"unique_id": ["a"] * len(ds), "ds": ds, "y": 1.0, "available_at": ds}, schema=SCHEMA)


def publish(lake: Lake, first: int, last: int, run: str = "run", *, looking_back: int = 0) -> None:
    limits = START + (first - 1) * DAY, START + last * DAY
    table = rows(*range(first, last + 1))
    version = lake.version()
    change = Replace(table, *limits, version.number, "p", limits[0] - looking_back * DAY)
    lake.commit({"clean": change}, run=run, based_on=version)


def due(lake: Lake) -> list[str]:
    return [slot.due for slot in due_slots(lake, slots("2024-01-01", "2024-01-06", "1d"))]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = create_lake(str(tmp_path / "lake"))
    made.commit({"observations": Append(rows(1, 2, 3, 4, 5))}, run="ingest", based_on=made.version())
    return made


def test_hand_worked_days_of_a_zone_with_a_clock_change() -> None:
    # Berlin's clocks go forward on 31 March 2024: that day has 23 hours, and midnight moves from 23:00 to 22:00 UTC.
    found = slots("2024-03-30", "2024-04-02", "1d", zone="Europe/Berlin")
    assert [start.strftime("%d %H:%M") for start, _ in found] == ["29 23:00", "30 23:00", "31 22:00"]
    assert [(end - start) / timedelta(hours=1) for start, end in found] == [24, 23, 24]


def test_hand_worked_months_from_the_last_day_of_one() -> None:
    # 31 January, then 29 February (2024 is a leap year) and 31 March: the day is taken from the first, not the one
    # before. The last interval ends where the backfill does.
    found = slots("2024-01-31", "2024-04-10", "1mo")
    assert [start.strftime("%m-%d") for start, _ in found] == ["01-31", "02-29", "03-31"]
    assert found[-1][1] == datetime(2024, 4, 10, tzinfo=UTC)
    assert all(end == start for (_, end), (start, _) in pairwise(found))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (("2024-01-01", "2024-01-02", "day"), "every must be"),
        (("2024-01-01", "2024-01-02", "15min"), "every must be"),
        (("2024-01-02", "2024-01-01", "1d"), "end must lie after start"),
        (("2024-01-01", "", "1d"), "both limits"),
        (("1900-01-01", "2024-01-01", "1h"), "more than 100,000"),
    ],
)
def test_intervals_that_cannot_be_made_are_refused(limits: tuple[str, str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        slots(*limits)


def test_what_nobody_published_is_new_and_the_rest_is_done(lake: Lake) -> None:
    assert due(lake) == ["new"] * 5
    publish(lake, 2, 2)
    publish(lake, 4, 5)
    assert due(lake) == ["new", "done", "new", "done", "done"]


def test_rows_that_come_late_put_their_day_out_of_date_and_no_other(lake: Lake) -> None:
    publish(lake, 1, 2)
    publish(lake, 3, 3)
    late = rows(3).with_columns(unique_id=pl.lit("b"))
    lake.commit({"observations": Append(late)}, run="late", based_on=lake.version())
    assert due(lake) == ["done", "done", "out of date", "new", "new"]
    publish(lake, 3, 3)
    assert due(lake) == ["done", "done", "done", "new", "new"]


def test_an_interval_that_is_published_in_part_is_new(lake: Lake) -> None:
    publish(lake, 1, 1)
    publish(lake, 3, 3)
    (slot,) = due_slots(lake, slots("2024-01-01", "2024-01-04", "3d"))
    assert slot.due == "new"
    assert slot.name == "20240101T000000Z"
    publish(lake, 2, 2)
    assert [slot.due for slot in due_slots(lake, slots("2024-01-01", "2024-01-04", "3d"))] == ["done"]


def test_days_that_looked_back_on_a_late_row_are_out_of_date_too(lake: Lake) -> None:
    for day in (1, 2, 3, 4):
        publish(lake, day, day, looking_back=1)
    late = rows(2).with_columns(unique_id=pl.lit("b"))
    lake.commit({"observations": Append(late)}, run="late", based_on=lake.version())
    assert due(lake) == ["done", "out of date", "out of date", "done", "new"]


def test_of_one_long_interval_the_days_before_what_changed_are_done(lake: Lake) -> None:
    publish(lake, 1, 5)
    late = rows(3).with_columns(unique_id=pl.lit("b"))
    lake.commit({"observations": Append(late)}, run="late", based_on=lake.version())
    assert due(lake) == ["done", "done", "out of date", "out of date", "out of date"]


def test_days_before_the_first_row_and_behind_the_last_are_empty_and_a_hole_is_not(lake: Lake, tmp_path: Path) -> None:
    # The first row is of 1 January, 06:00: what ends by then holds nothing and has nothing to look back on.
    found = due_slots(lake, slots("2023-12-31", "2024-01-01T12:00", "6h"))
    assert [slot.due for slot in found] == ["empty"] * 5 + ["new"]
    assert due_slots(create_lake(str(tmp_path / "none")), slots("2024-01-01", "2024-01-02", "1d"))[0].due == "empty"
    lake.commit({"observations": Append(rows(20))}, run="ingest", based_on=lake.version())
    # The last row is of 20 January, 06:00.
    found = due_slots(lake, slots("2024-01-06", "2024-01-24", "1d"))
    assert [slot.due for slot in found] == ["new"] * 15 + ["empty"] * 3


def test_days_that_retention_has_taken_rows_of_are_not_made_anew_from_the_rest(lake: Lake) -> None:
    publish(lake, 1, 5)
    gone = purge(lake, "observations", START + DAY, START + 3 * DAY)
    buried = bury(lake, "observations", START + 3 * DAY, START + 4 * DAY, "n")
    assert due(lake) == ["done"] * 5
    for day in (2, 4, 5):
        late = rows(day).with_columns(unique_id=pl.lit("b"))
        lake.commit({"observations": Append(late)}, run=f"late {day}", based_on=lake.version())
    assert due(lake) == ["done", "removed", "removed", "removed", "out of date"]
    lake.commit({"observations": Unbury([buried[0].path], "n")}, run="restore", based_on=lake.version())
    assert due(lake) == ["done", "removed", "removed", "out of date", "out of date"]
    for file in gone:
        lake.commit({"observations": PutBack((file,))}, run="restore", based_on=lake.version())
    assert due(lake) == ["done", *["out of date"] * 4]


def test_a_hole_that_retention_has_made_is_not_published(lake: Lake) -> None:
    publish(lake, 1, 1)
    purge(lake, "observations", START + DAY, START + 3 * DAY)
    assert due(lake) == ["done", "removed", "removed", "new", "new"]


def test_the_days_of_what_was_purged_are_kept_in_ranges(lake: Lake) -> None:
    for number, day in enumerate((1, 4, 0)):
        purge(lake, "observations", START + day * DAY, START + (day + 1) * DAY, f"m{number}")
    manifest = lake.version().manifest("observations")
    first = START.date()
    assert manifest.purged == ((first, first + DAY), (first + 4 * DAY, first + 4 * DAY))
    assert read_manifest(manifest.encoded(), "it") == manifest
