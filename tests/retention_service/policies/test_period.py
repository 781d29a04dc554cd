"""Periods beside dateutil's relativedelta and pandas' DateOffset, and what cannot be one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pytest
from dateutil.relativedelta import relativedelta
from dateutil.tz import resolve_imaginary
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu_retention.items import INSTANT
from sparkhu_retention.policies.period import UNITS, CalendarPeriod

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")
periods = st.builds(CalendarPeriod, st.integers(1, 40), st.sampled_from(UNITS))
instants = st.datetimes(datetime(1995, 1, 1), datetime(2060, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


def after(text: str, moment: datetime, zone: str = "UTC") -> datetime:
    return CalendarPeriod.parse(text).after(pl.Series([moment], dtype=INSTANT), zone)[0]  # type: ignore[no-any-return]


@given(periods)
def test_a_period_is_read_back_as_what_was_written(period: CalendarPeriod) -> None:
    assert CalendarPeriod.parse(str(period)) == period
    assert str(CalendarPeriod.parse(str(period))) == str(period)


@pytest.mark.parametrize("text", ["1 year", "12 months", "18 months", "30 days", "2 weeks", "1 day"])
def test_the_unit_that_was_written_stays(text: str) -> None:
    assert str(CalendarPeriod.parse(text)) == text


@pytest.mark.parametrize(("text", "meant"), [("1 years", "1 year"), (" 30  DAYS ", "30 days"), ("2weeks", "2 weeks")])
def test_small_slips_are_read_as_what_is_meant(text: str, meant: str) -> None:
    assert str(CalendarPeriod.parse(text)) == meant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 days", "longer than nothing"),
        ("-1 month", "longer than nothing"),
        ("3 fortnights", "unit 'fortnights' is unknown"),
        ("5 m", "unit 'm' is unknown"),
        ("1.5 years", "whole"),
        ("1001 years", "1,000 years at most"),
        ("99999999999999999999 days", "1,000 years at most"),
        ("year", "number and a unit"),
        ("", "number and a unit"),
        (30, "number and a unit"),
        (True, "number and a unit"),
        (None, "number and a unit"),
    ],
)
def test_what_is_no_period_is_refused_in_words(text: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        CalendarPeriod.parse(text)


@given(period=periods, moment=instants, zone=st.sampled_from(ZONES))
def test_the_calendar_is_that_of_relativedelta(period: CalendarPeriod, moment: datetime, zone: str) -> None:
    local = moment.astimezone(ZoneInfo(zone))
    step = relativedelta(**{f"{period.unit}s": period.count})  # type: ignore[arg-type]
    expected = resolve_imaginary(local.replace(fold=0) + step)
    assert after(str(period), moment, zone) == expected.astimezone(UTC)


@given(period=periods, moment=instants)
def test_the_calendar_is_that_of_pandas(period: CalendarPeriod, moment: datetime) -> None:
    expected = pd.Timestamp(moment) + pd.DateOffset(**{f"{period.unit}s": period.count})
    assert after(str(period), moment) == expected.to_pydatetime()


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("1 month", datetime(2024, 1, 31), datetime(2024, 2, 29)),
        ("1 month", datetime(2024, 2, 29), datetime(2024, 3, 29)),
        ("1 year", datetime(2024, 2, 29), datetime(2025, 2, 28)),
        ("4 years", datetime(2024, 2, 29), datetime(2028, 2, 29)),
        ("1 month", datetime(2023, 10, 31), datetime(2023, 11, 30)),
    ],
)
def test_months_end_on_the_last_day_of_a_shorter_one(text: str, start: datetime, end: datetime) -> None:
    assert after(text, start.replace(tzinfo=UTC)) == end.replace(tzinfo=UTC)


def test_a_day_of_the_wall_clock_may_have_23_or_25_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    spring, autumn = datetime(2024, 3, 31, tzinfo=berlin), datetime(2024, 10, 27, tzinfo=berlin)
    for midnight, hours in ((spring, 23), (autumn, 25)):
        moment = midnight.astimezone(UTC)
        assert after("1 day", moment, "Europe/Berlin") - moment == timedelta(hours=hours)


def test_nulls_stay_null_and_the_far_future_is_no_error() -> None:
    moments = pl.Series([None, datetime(9999, 6, 1, tzinfo=UTC)], dtype=INSTANT)
    later = CalendarPeriod(1_000, "year").after(moments, "Pacific/Apia")
    assert later[0] is None
    assert later[1] >= datetime(9999, 12, 29, tzinfo=UTC)
