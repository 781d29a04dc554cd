"""Periods against pandas and dateutil: labels, seasons, counting and walking, in zones and over month ends."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.periods import Period

BERLIN = ZoneInfo("Europe/Berlin")
CALENDAR = ["1mo", "1q", "1y", "1bd"]
instants = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("label", "microseconds", "canonical"),
    [
        ("1us", 1, "1us"),
        ("250ms", 250_000, "250ms"),
        ("1000ms", 1_000_000, "1s"),
        ("10s", 10_000_000, "10s"),
        ("5min", 300_000_000, "5min"),
        ("90min", 5_400_000_000, "90min"),
        ("60min", 3_600_000_000, "1h"),
        (" 1h ", 3_600_000_000, "1h"),
        ("36h", 129_600_000_000, "36h"),
        ("24h", 86_400_000_000, "1d"),
        ("7d", 604_800_000_000, "1w"),
        ("2w", 1_209_600_000_000, "2w"),
    ],
)
def test_a_fixed_label_is_a_number_of_microseconds(label: str, microseconds: int, canonical: str) -> None:
    period = Period.parse(label)
    assert (period.kind, period.microseconds, period.label) == ("fixed", microseconds, canonical)
    assert period.nominal_us == microseconds


@pytest.mark.parametrize(
    ("label", "kind", "canonical", "days"),
    [
        ("1mo", "month", "1mo", 365.2425 / 12),
        ("1q", "quarter", "1q", 365.2425 / 4),
        ("3mo", "quarter", "1q", 365.2425 / 4),
        ("1y", "year", "1y", 365.2425),
        ("12mo", "year", "1y", 365.2425),
        ("4q", "year", "1y", 365.2425),
        ("1bd", "business_day", "1bd", 1),
    ],
)
def test_a_calendar_label_has_a_kind_and_no_microseconds(label: str, kind: str, canonical: str, days: float) -> None:
    period = Period.parse(label, "Europe/Berlin", 30)
    assert (period.kind, period.microseconds, period.label, period.zone) == (kind, None, canonical, "Europe/Berlin")
    assert period.nominal_us == pytest.approx(days * 86_400_000_000, abs=1)
    assert period.month_day == (None if kind == "business_day" else 30)


@pytest.mark.parametrize(
    "label", ["", "h", "0h", "-1h", "1.5h", "1 h", "1H", "2mo", "2bd", "7q", "2y", "9" * 18 + "w", "\u0661h"]
)
def test_a_label_that_is_no_period_is_refused_with_the_labels_there_are(label: str) -> None:
    with pytest.raises(InputError, match=r"^period must be .*250ms.*1mo, 1q, 1y, 1bd, got '") as caught:
        Period.parse(label)
    assert repr(label)[1:-1] in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("decade",), "kind must be fixed, month, quarter, year or business_day, got 'decade'"),
        (("month", 5), "microseconds must be None for a month period, got 5"),
        (("fixed",), "microseconds must be at least 1 for a fixed period, got None"),
        (("fixed", 0), "microseconds must be at least 1 for a fixed period, got 0"),
        (("fixed", 2**63), "microseconds must be at least 1"),
        (("month", None, "UTC", 0), "month_day must lie in 1..31, got 0"),
        (("month", None, "UTC", 32), "month_day must lie in 1..31, got 32"),
        (
            ("month", None, "Mars/Olympus"),
            "zone must be an IANA time zone such as UTC or Europe/Berlin, got 'Mars/Olympus'",
        ),
    ],
)
def test_an_attribute_that_does_not_fit_is_named(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Period(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("label", "season"),
    [
        *[("1h", 24), ("1d", 7), ("1w", 52), ("1mo", 12), ("1q", 4), ("1y", 1), ("1bd", 5)],
        *[("5min", 288), ("30min", 48), ("1min", 1440), ("10s", 8640), ("1s", 86400), ("6h", 4), ("12h", 2)],
        *[("250ms", 4), ("1ms", 1000), ("100ms", 10), ("999ms", 1), ("600ms", 1)],
        *[("7min", 206), ("5h", 5), ("7h", 1), ("13h", 1), ("2d", 1), ("2w", 26), ("30d", 12), ("13w", 4), ("26w", 2)],
        *[("365d", 1), ("1000d", 1)],
    ],
)
def test_the_season_is_that_of_the_calendar(label: str, season: int) -> None:
    assert Period.parse(label).season_length() == season


@given(st.integers(1, 2**62))
def test_a_season_is_never_below_one_and_labels_read_back(microseconds: int) -> None:
    period = Period("fixed", microseconds)
    assert period.season_length() >= 1
    assert Period.parse(period.label) == period


def test_a_series_of_month_ends_stays_at_month_ends() -> None:
    steps = [Period.parse("1mo").shift(at("2023-01-31T10:30"), k) for k in (0, 1, 2, 3, 13, -2)]
    expected = ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30", "2024-02-29", "2022-11-30"]
    assert steps == [at(f"{day}T10:30") for day in expected]
    assert Period.parse("1mo").shift(at("2023-02-28"), 1) == at("2023-03-31")
    assert Period.parse("1q").shift(at("2023-11-30"), 1) == at("2024-02-29")
    assert Period.parse("1y").shift(at("2024-02-29"), 1) == at("2025-02-28")


def test_other_days_of_the_month_stay_and_are_cut_in_short_months() -> None:
    month = Period.parse("1mo")
    assert month.shift(at("2023-01-15"), 1) == at("2023-02-15")
    assert month.shift(at("2023-01-30"), 1) == at("2023-02-28")
    thirtieth = Period.parse("1mo", month_day=30)
    assert thirtieth.shift(at("2023-02-28"), 1) == at("2023-03-30")
    assert thirtieth.shift(at("2023-04-30"), 1) == at("2023-05-30")
    assert Period.parse("1mo", month_day=1).shift(at("2023-02-28"), 1) == at("2023-03-28")


@given(instants, st.integers(-400, 400))
def test_months_agree_with_dateutil_where_no_month_end_is_concerned(start: datetime, steps: int) -> None:
    start = start.replace(day=min(start.day, 27))
    assert Period.parse("1mo").shift(start, steps) == start + relativedelta(months=steps)
    assert Period.parse("1q").shift(start, steps) == start + relativedelta(months=3 * steps)


@given(instants, st.integers(-300, 300).filter(bool))
def test_business_days_agree_with_pandas(start: datetime, steps: int) -> None:
    expected = pd.Timestamp(start) + pd.offsets.BusinessDay(steps)
    assert pd.Timestamp(Period.parse("1bd").shift(start, steps)) == expected


def test_zero_business_days_from_a_weekend_stay_there() -> None:
    assert Period.parse("1bd").shift(at("2024-06-01"), 0) == at("2024-06-01")


@given(
    instants,
    st.sampled_from([*CALENDAR, "1d", "1h"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
    st.integers(-60, 60),
)
def test_counting_undoes_walking(start: datetime, label: str, zone: str, steps: int) -> None:
    period = Period.parse(label, zone)
    weekday = pd.Timestamp(start).tz_convert(zone).weekday()
    if label == "1bd" and weekday > 4:
        start += timedelta(days=7 - weekday)
    assert period.count(start, period.shift(start, steps)) == steps


@pytest.mark.parametrize(
    ("label", "start", "end", "steps"),
    [
        ("1h", "2024-01-01T00:00", "2024-01-01T02:58", 3),
        ("1h", "2024-01-01T00:00", "2024-01-01T00:29:59.999999", 0),
        ("1h", "2024-01-01T00:00", "2024-01-01T00:30", 1),
        ("1h", "2024-01-01T00:00", "2023-12-31T23:30", 0),
        ("1h", "2024-01-01T00:00", "2023-12-31T23:29", -1),
        ("1mo", "2024-01-31T00:00", "2024-04-30T00:00", 3),
        ("1mo", "2024-01-29T00:00", "2024-03-01T00:00", 1),
        ("1q", "2024-01-01T00:00", "2023-01-02T00:00", -4),
        ("1y", "1999-12-31T00:00", "2024-12-30T00:00", 25),
        ("1bd", "2024-05-31T00:00", "2024-06-03T00:00", 1),
        ("1bd", "2024-05-31T00:00", "2024-06-02T23:59", 1),
        ("1bd", "2024-06-03T00:00", "2024-05-31T00:00", -1),
    ],
)
def test_the_nearest_step_counts(label: str, start: str, end: str, steps: int) -> None:
    assert Period.parse(label).count(at(start), at(end)) == steps


def test_what_is_left_after_the_nearest_step_is_signed() -> None:
    starts, ends = np.array([0, 0, 0]), np.array([65, 95, -30])
    steps, rest = Period("fixed", 60).fit_us(starts, ends)
    assert (steps.tolist(), rest.tolist()) == ([1, 2, 0], [5, -25, -30])
    day = 86_400_000_000
    friday, before_monday = np.array([day]), np.array([4 * day - 7])
    steps, rest = Period.parse("1bd").fit_us(friday, before_monday)
    assert (steps.tolist(), rest.tolist()) == ([1], [-7])


def test_a_day_in_a_zone_is_a_calendar_day_across_summer_time() -> None:
    day = Period.parse("1d", "Europe/Berlin")
    midnights = [day.shift(at("2024-03-30", "Europe/Berlin"), k) for k in range(3)]
    assert [moment.astimezone(BERLIN).isoformat() for moment in midnights] == [
        "2024-03-30T00:00:00+01:00",
        "2024-03-31T00:00:00+01:00",
        "2024-04-01T00:00:00+02:00",
    ]
    assert day.count(midnights[0], midnights[2]) == 2
    assert Period.parse("24h").shift(midnights[1], 1) != midnights[2]


def test_an_hour_in_a_zone_is_a_physical_hour_across_summer_time() -> None:
    hour = Period.parse("36h", "Europe/Berlin")
    assert hour.shift(at("2024-03-30T12:00", "Europe/Berlin"), 1) == datetime(2024, 3, 31, 23, tzinfo=UTC)


def test_months_walk_on_the_wall_clock_of_the_zone() -> None:
    month = Period.parse("1mo", "Europe/Berlin")
    assert month.shift(at("2024-03-01", "Europe/Berlin"), 1) == at("2024-04-01", "Europe/Berlin")
    assert month.count(at("2024-03-01", "Europe/Berlin"), at("2024-04-01", "Europe/Berlin")) == 1


def test_series_arrays_and_single_times_walk_alike_and_nulls_stay() -> None:
    month = Period.parse("1mo")
    series = pl.Series("ds", [at("2024-01-31"), None, at("2024-03-31")], dtype=pl.Datetime("us", "UTC"))
    expected = [at("2024-02-29"), None, at("2024-05-31")]
    moved = month.shift(series, pl.Series([1, 1, 2]))
    assert (moved.name, moved.dtype, moved.to_list()) == ("ds", pl.Datetime("us", "UTC"), expected)
    array = np.array(["2024-01-31", "NaT", "2024-03-31"], dtype="datetime64[us]")
    shifted = month.shift(array, np.array([1, 1, 2]))
    assert shifted.astype(str).tolist() == ["2024-02-29T00:00:00.000000", "NaT", "2024-05-31T00:00:00.000000"]
    assert month.shift(series, 1)[2] == at("2024-04-30")
    assert month.shift(series.head(0), 1).dtype == pl.Datetime("us", "UTC")


def test_counts_are_null_where_an_instant_is() -> None:
    starts = pl.Series("from", [at("2024-01-01"), None, at("2024-01-01")], dtype=pl.Datetime("us", "UTC"))
    ends = pl.Series([at("2024-01-02"), at("2024-01-02"), None], dtype=pl.Datetime("us", "UTC"))
    counts = Period.parse("1h").counts(starts, ends)
    assert (counts.name, counts.dtype, counts.to_list()) == ("from", pl.Int64, [24, None, None])
    stamps = np.array(["2024-01-01", "2024-03-01"], dtype="datetime64[D]")
    assert Period.parse("1mo").counts(stamps[:1], stamps[1:]).to_list() == [2]


def test_centuries_do_not_overflow_and_beyond_is_an_error() -> None:
    start, end = np.array([-(2**61)]), np.array([2**61])
    assert Period("fixed", 250_000).fit_us(start, end)[0].tolist() == [round(2**62 / 250_000)]
    with pytest.raises(InputError, match="steps must stay within 64-bit microseconds, got 50000000 steps of 1w"):
        Period.parse("1w").shift(at("2024-01-01"), 50_000_000)
    assert Period.parse("1y").count(at("0001-01-01"), at("9999-01-01")) == 9998


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError, match="instant must carry a zone, got 2024-01-01T00:00:00; add tzinfo=UTC"):
        Period.parse("1h").shift(datetime(2024, 1, 1), 1)
