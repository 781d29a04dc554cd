"""Dated folders outside the interval stay closed; what their names say can be used as a column."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.sources import SourceOptions, read_source
from sparkhu.sources.folders import Days, folder_days, folder_values, inside
from sparkhu.steps.validation import Interval


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for day in range(1, 11):
        folder = tmp_path / "year=2024" / "month=05" / f"day={day:02d}"
        folder.mkdir(parents=True)
        (folder / "part.csv").write_text(f"time,sensor,value\n2024-05-{day:02d} 12:00,a,{day}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "days"),
    [
        ("lake/year=2024/month=05/day=03/a.csv", (date(2024, 5, 3), date(2024, 5, 4))),
        ("lake/Year=2024/Month=5/a.csv", (date(2024, 5, 1), date(2024, 6, 1))),
        ("year=2023/month=12/a.csv", (date(2023, 12, 1), date(2024, 1, 1))),
        ("year=2024/a.csv", (date(2024, 1, 1), date(2025, 1, 1))),
        ("year=2024/day=03/a.csv", (date(2024, 1, 1), date(2025, 1, 1))),
        ("date=2024-02-29/a.csv", (date(2024, 2, 29), date(2024, 3, 1))),
        ("region=north/dt=2024-02-29/a.csv", (date(2024, 2, 29), date(2024, 3, 1))),
        ("date=2023-02-29/a.csv", None),
        ("year=2024/month=13/a.csv", None),
        ("month=05/a.csv", None),
        ("year=new/a.csv", None),
        ("region=north/a.csv", None),
        ("lake/a.csv", None),
        ("lake/date=2024-01-01", None),
    ],
)
def test_folders_tell_their_days(path: str, days: tuple[date, date] | None) -> None:
    assert folder_days(path) == (Days(*days) if days else None)


def test_values_of_folders_are_decoded_and_hives_missing_value_is_null() -> None:
    path = "a=north%2Feast/b=__HIVE_DEFAULT_PARTITION__/c=1=2/x.csv"
    assert folder_values(path) == {"a": "north/east", "b": None, "c": "1=2"}


def test_folders_wholly_outside_the_interval_and_a_day_are_not_opened(lake: Path) -> None:
    # [4 May, 6 May): 3 May may hold its first hours and 6 May its last ones elsewhere on earth.
    raw = read_source(str(lake), SourceOptions(start="2024-05-04", end="2024-05-06"))
    assert raw.frame["y"].to_list() == [3, 4, 5, 6]
    assert "6 of 10 files lie in folders outside the interval: not opened" in raw.notes
    assert read_source(str(lake), SourceOptions(end="2024-05-02T12:00")).frame["y"].to_list() == [1, 2, 3]
    assert read_source(str(lake)).frame.height == 10


def test_a_closed_folder_may_be_broken(lake: Path) -> None:
    (lake / "year=2024/month=05/day=10/part.csv").write_bytes(b"\xff\xfe\xff")
    assert read_source(str(lake / "**/*.csv"), SourceOptions(end="2024-05-03")).frame.height == 3


def test_an_interval_without_folders_is_refused(lake: Path) -> None:
    with pytest.raises(InputError, match=r"all 10 files of '.*' lie in folders outside the interval from '2025-01-01'"):
        read_source(str(lake), SourceOptions(start="2025-01-01"))
    with pytest.raises(InputError, match="end must lie after start"):
        read_source(str(lake), SourceOptions(start="2025-01-01", end="2024-01-01"))


@given(
    day=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    hour=st.integers(-12, 38),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    length=st.timedeltas(timedelta(microseconds=1), timedelta(days=400)),
)
def test_no_row_of_the_interval_lies_in_a_closed_folder(
    day: date, hour: int, start: datetime, length: timedelta
) -> None:
    # A zone differs by 14 hours from UTC at most, so a local day's rows lie within a day of the day in UTC.
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)
    interval = Interval(start, start + length)
    if start <= moment < start + length:
        for path in (f"date={day}/a.csv", f"year={day.year}/month={day.month:02d}/day={day.day:02d}/a.csv"):
            assert inside([path], interval) == [path]


def test_folder_names_are_columns_where_the_user_names_them(tmp_path: Path) -> None:
    for region in ("north", "south"):
        for day in ("2024-05-01", "2024-05-02"):
            folder = tmp_path / f"region={region}" / f"date={day}"
            folder.mkdir(parents=True)
            (folder / "a.csv").write_text("when,value\n2024-05-01 12:00,1\n")
    raw = read_source(str(tmp_path), SourceOptions(id="region", extra="date"))
    assert raw.frame["unique_id"].unique().sort().to_list() == ["north", "south"]
    assert raw.frame["date"].unique().sort().to_list() == ["2024-05-01", "2024-05-02"]
    dated = read_source(str(tmp_path), SourceOptions(id="region", time="date"))
    assert dated.frame["ds"].unique().sort().to_list() == [datetime(2024, 5, day, tzinfo=UTC) for day in (1, 2)]


def test_folder_names_are_no_columns_by_chance(lake: Path) -> None:
    # "year" is a name for times, but the file has its own.
    raw = read_source(str(lake))
    assert raw.roles[0].time.column == "time"
    assert read_source(str(lake), SourceOptions(extra="all")).frame.columns == read_source(str(lake)).frame.columns


def test_a_folder_named_like_ids_names_the_series(tmp_path: Path) -> None:
    for sensor in ("a", "b"):
        (tmp_path / f"sensor={sensor}").mkdir()
        (tmp_path / f"sensor={sensor}" / "x.csv").write_text("time,value\n2024-05-01,1\n2024-05-02,2\n")
    raw = read_source(str(tmp_path))
    assert raw.frame["unique_id"].unique().sort().to_list() == ["a", "b"]
    assert "id column is 'sensor' (its name)" in raw.notes


def test_a_column_of_the_file_wins_over_its_folder(tmp_path: Path) -> None:
    (tmp_path / "sensor=a").mkdir()
    (tmp_path / "sensor=a" / "x.csv").write_text("time,sensor,value\n2024-05-01,b,1\n2024-05-02,b,2\n")
    assert read_source(str(tmp_path)).frame["unique_id"].unique().to_list() == ["b"]
