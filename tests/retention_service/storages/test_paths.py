"""What paths of files tell."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu_retention.storages.paths import PathRule


@pytest.mark.parametrize(
    ("dates", "path", "dataset", "line", "start", "end"),
    [
        ("day={date}", "sales/day=2024-02-28/a.csv", "sales", "sales/*/a.csv", "2024-02-28", "2024-02-29"),
        ("{year}/{month}/{day}", "a/2024/02/29/b.bin", "a", "a/*/b.bin", "2024-02-29", "2024-03-01"),
        ("{year}-{month}", "a/b/2023-12.csv", "a/b", "a/b/*.csv", "2023-12-01", "2024-01-01"),
        ("{year}", "2023/b.csv", ".", "*/b.csv", "2023-01-01", "2024-01-01"),
        ("backup-{date}", "backup-2024-01-03.tar", ".", "*.tar", "2024-01-03", "2024-01-04"),
        ("{year}/{month}", "a/2024/12/b/c", "a/b", "a/*/b/c", "2024-12-01", "2025-01-01"),
        ("{year}", "port-1883/2023/b.csv", "port-1883", "port-1883/*/b.csv", "2023-01-01", "2024-01-01"),
        ("{year}/{month}", "1883/99/2023/05/b", "1883/99", "1883/99/*/b", "2023-05-01", "2023-06-01"),
        ("day-{year}{month}{day}", "a/day-20230501.csv.gz", "a", "a/*.csv.gz", "2023-05-01", "2023-05-02"),
        ("{date}", "a/plant_2023-05-01_b.csv", "a", "a/plant_*_b.csv", "2023-05-01", "2023-05-02"),
    ],
)
def test_a_date_in_the_path_is_what_a_file_covers(
    dates: str, path: str, dataset: str, line: str, start: str, end: str
) -> None:
    told = PathRule(dates).told(path)
    assert (told.dataset, told.line) == (dataset, line)
    assert told.span == tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))


@pytest.mark.parametrize("path", ["a/b.csv", "a/day=2024-13-01/b.csv", "a/day=2024-02-30/b.csv", "a/day=12024-01-010"])
def test_a_path_without_a_date_of_the_calendar_covers_no_time(path: str) -> None:
    told = PathRule("day={date}").told(path)
    assert (told.span, told.line) == (None, "")
    assert told.dataset == path.rpartition("/")[0]


@pytest.mark.parametrize(
    ("dates", "path"),
    [
        ("{year}/{month}/{day}", "a/2023/05/00/b"),
        ("{year}/{month}/{day}", "a/2023/00/01/b"),
        ("{year}/{month}", "a/2023/00/b"),
        ("{year}", "0000/b"),
        ("{year}", "port-1883/b"),
        ("{year}", "1883-port/b"),
        ("{year}/{month}/{day}", "port-1883/01/02/b"),
        ("{year}/{month}", "a/2023/0512/b"),
        ("{year}{month}{day}", "a/serial-10011231/b"),
    ],
)
def test_numbers_that_are_no_date_are_none(dates: str, path: str) -> None:
    told = PathRule(dates).told(path)
    assert (told.span, told.line, told.dataset) == (None, "", path.rpartition("/")[0])


def test_days_begin_at_midnight_of_the_zone() -> None:
    told = PathRule("{date}", "Europe/Berlin").told("2024-03-31.csv")
    assert told.span is not None
    start, end = told.span
    assert (start, end) == (datetime(2024, 3, 30, 23, tzinfo=UTC), datetime(2024, 3, 31, 22, tzinfo=UTC))


@given(st.dates(pd.Timestamp("1900-01-01").date(), pd.Timestamp("2200-01-01").date()))
def test_spans_are_those_of_pandas_periods(day: pd.Timestamp) -> None:
    for dates, text, unit in (
        ("{date}", f"{day:%Y-%m-%d}", "D"),
        ("{year}/{month}", f"{day:%Y/%m}", "M"),
        ("{year}", f"{day:%Y}", "Y"),
    ):
        period = pd.Period(str(day), unit)
        told = PathRule(dates).told(f"a/{text}/b")
        wanted = (period.start_time, (period + 1).start_time)
        assert told.span == tuple(each.tz_localize("UTC").to_pydatetime() for each in wanted)


@pytest.mark.parametrize("dates", ["", "day", "{day}", "{date}{year}", "{week}", "{}"])
def test_patterns_that_tell_no_date_are_refused(dates: str) -> None:
    with pytest.raises(InputError, match=r"^dates must be"):
        PathRule(dates)
    with pytest.raises(InputError, match="zone"):
        PathRule("{date}", "Mars/Olympus")
