"""Regularity: periods of every kind, what has none, the profile, the history and the split."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.steps.regularity import (
    PROFILE_SCHEMA,
    check_regularity,
    detect_regularity,
    find_periods,
    split_by_regularity,
)

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = datetime(2024, 1, 1, tzinfo=UTC)


def microseconds_of(times: Any) -> np.ndarray:
    index = pd.DatetimeIndex(times)
    return (index.tz_localize("UTC") if index.tz is None else index).as_unit("us").asi8


def frame_of(**series: Any) -> pl.DataFrame:
    """Observations of 1.0 at microseconds, or at pandas' times."""
    parts = []
    for name, times in series.items():
        microseconds = times if isinstance(times, np.ndarray) else microseconds_of(times)
        stamps = pl.Series(microseconds.astype(np.int64)).cast(TIME)
        parts.append(pl.DataFrame({"unique_id": [name] * len(stamps), "ds": stamps, "y": np.ones(len(stamps))}))
    return pl.concat(parts).sort("unique_id", "ds")


def period_of(times: Any, zone: str = "UTC") -> tuple[str, str | None]:
    found = find_periods(frame_of(a=times), zone=zone)
    return found["decision"][0], found["period_label"][0]


def jittered(count: int, step: int, share: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.sort(np.arange(count) * step + random.uniform(-share, share, count) * step).astype(np.int64)


@pytest.mark.parametrize(
    ("frequency", "label"),
    [
        *[("MS", "1mo"), ("ME", "1mo"), ("BME", "1mo"), ("SMS", None), ("QS", "1q"), ("QE", "1q"), ("QS-FEB", "1q")],
        *[("YS", "1y"), ("YE", "1y"), ("YE-JUN", "1y"), ("B", "1bd"), ("D", "1d"), ("W", "1w"), ("W-WED", "1w")],
        *[("h", "1h"), ("30min", "30min"), ("5min", "5min"), ("10s", "10s"), ("250ms", "250ms"), ("37us", "37us")],
        *[("28D", "4w"), ("30D", "30d"), ("91D", "13w"), ("365D", "365d"), ("36h", "36h"), ("2D", "2d")],
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_grid_has_its_period(frequency: str, label: str | None, zone: str) -> None:
    assert period_of(pd.date_range("1990-01-03", periods=60, freq=frequency, tz=zone), zone) == (
        "regular" if label else "irregular",
        label,
    )


@pytest.mark.parametrize("day", [1, 15, 28, 29, 30, 31])
def test_months_are_found_on_any_day_and_the_day_is_kept(day: int) -> None:
    starts = pd.date_range("2019-01-01", periods=48, freq="MS")
    times = [start + timedelta(days=min(day, start.days_in_month) - 1) for start in starts]
    profile = detect_regularity(frame_of(a=times)).frames["profile"].row(0, named=True)
    assert (profile["period_label"], profile["month_day"]) == ("1mo", day)
    assert (profile["period_error"], profile["share_explained"]) == (0.0, 1.0)


def test_quarters_and_years_keep_their_day_too() -> None:
    thirtieths = [datetime(2000 + i // 4, 3 * (i % 4) + 2, 28 if i % 4 == 0 else 30) for i in range(24)]
    frame = frame_of(quarters=thirtieths, years=pd.date_range("2000-06-15", periods=12, freq=pd.DateOffset(years=1)))
    profile = detect_regularity(frame).frames["profile"]
    assert profile.select("period_label", "month_day").rows() == [("1q", 30), ("1y", 15)]


def test_five_years_quarters_and_months_are_enough_and_a_point_fewer_is_no_decision() -> None:
    for frequency, label in (("YS", "1y"), ("QE", "1q"), ("MS", "1mo"), ("D", "1d"), ("h", "1h")):
        times = pd.date_range("2021-03-01", periods=5, freq=frequency)
        assert period_of(times) == ("regular", label)
        assert period_of(times[:4]) == ("no_decision", None)


def test_business_days_have_to_leave_out_a_weekend() -> None:
    assert period_of(pd.bdate_range("2024-01-01", "2024-01-05")) == ("regular", "1d")
    assert period_of(pd.bdate_range("2024-01-04", "2024-01-10")) == ("regular", "1bd")


def test_business_days_may_miss_holidays_but_not_have_weekends() -> None:
    days = pd.bdate_range("2020-01-01", periods=300)
    kept = np.random.default_rng(0).random(300) < 0.9
    assert period_of(days[kept]) == ("regular", "1bd")
    daily = pd.date_range("2020-01-01", periods=300)
    assert period_of(daily[kept]) == ("regular", "1d")


@pytest.mark.parametrize("seed", range(5))
def test_half_the_data_missing_at_random_changes_nothing(seed: int) -> None:
    kept = np.random.default_rng(seed).random(1000) < 0.5
    assert period_of((np.arange(1000) * HOUR)[kept]) == ("regular", "1h")
    assert period_of(pd.bdate_range("2020-01-01", periods=1000)[kept]) == ("regular", "1bd")
    assert period_of(pd.date_range("1900-01-31", periods=1000, freq="ME")[kept]) == ("regular", "1mo")
    assert period_of((np.arange(1000) * 250_000)[kept]) == ("regular", "250ms")


@pytest.mark.parametrize("seed", range(5))
def test_jitter_up_to_a_twentieth_keeps_the_period_and_its_round_length(seed: int) -> None:
    for step, label in ((HOUR, "1h"), (250_000, "250ms"), (DAY, "1d"), (300_000_000, "5min")):
        times = jittered(400, step, 0.05, seed)
        assert period_of(times) == ("regular", label)
        assert period_of(times[np.random.default_rng(seed).random(400) < 0.6]) == ("regular", label)


def test_jitter_of_a_quarter_is_irregular() -> None:
    assert period_of(jittered(400, HOUR, 0.25, 0)) == ("irregular", None)


@pytest.mark.parametrize("points", [6, 10, 30, 300])
def test_random_arrivals_are_irregular(points: int) -> None:
    random = np.random.default_rng(7)
    arrivals = {f"s{i}": np.cumsum(random.exponential(HOUR, points)).astype(np.int64) for i in range(300)}
    decisions = find_periods(frame_of(**arrivals))["decision"]
    assert (decisions == "regular").sum() <= (3 if points < 10 else 0)
    assert set(decisions.unique()) <= {"regular", "irregular"}


def test_two_interleaved_periods_share_a_finer_grid_or_have_none() -> None:
    hours = np.arange(300) * HOUR
    assert period_of(np.unique(np.concatenate([2 * hours, 3 * hours[:200]]))) == ("regular", "1h")
    assert period_of(np.sort(np.concatenate([hours, hours + HOUR // 3]))) == ("regular", "20min")
    assert period_of(np.sort(np.concatenate([hours, hours + 17 * 60_000_000]))) == ("irregular", None)


def test_gaps_of_hundreds_of_thousands_of_years_do_not_overflow() -> None:
    times = np.array([-4 * 10**12, 0, 1, 2, 3, 4, 4 * 10**12]) * 1_000_000
    assert period_of(times) == ("regular", "1s")
    century = 100 * 365 * DAY
    assert period_of(np.concatenate([np.arange(5) * HOUR, century + np.arange(5) * HOUR])) == ("regular", "1h")


def test_local_midnights_are_days_across_summer_time() -> None:
    days = pd.date_range("2024-01-01", "2024-12-31", freq="D", tz="Europe/Berlin")
    frame = frame_of(a=days)
    at_home = detect_regularity(frame, zone="Europe/Berlin").frames["profile"].row(0, named=True)
    assert (at_home["period_label"], at_home["period_error"], at_home["zone"]) == ("1d", 0.0, "Europe/Berlin")
    abroad = detect_regularity(frame).frames["profile"].row(0, named=True)
    # Two of 365 gaps are an hour off: 2/365 · 1/24.
    assert (abroad["period_label"], abroad["share_explained"]) == ("1d", 1.0)
    assert abroad["period_error"] == pytest.approx(2 / 365 / 24)


def test_hours_with_a_summer_time_jump_stamped_in_local_time_stay_hours() -> None:
    hours = pd.date_range("2024-03-30", "2024-04-02", freq="h", tz="Europe/Berlin").tz_localize(None)
    assert period_of(hours) == ("regular", "1h")


def test_hand_worked_gaps() -> None:
    # Gaps 60, 60, 60, 60, 60, 60, 60, 60, 121, 300 s. Clusters: 60 (8), 121 (1), 300 (1); 95 % needs all three.
    # 121 is within 6 of 2·60 and 300 = 5·60, so P = 60. Held: 8 of 10. |121 − 120| = 1 ≤ 6, so all explained.
    # Error: (1/60) / 10 = 1/600.
    seconds = np.cumsum([0, *[60] * 8, 121, 300])
    found = find_periods(frame_of(a=seconds * 1_000_000)).row(0, named=True)
    assert (found["period_label"], found["share_explained"], found["n"]) == ("1min", 1.0, 11)
    assert found["period_error"] == pytest.approx(1 / 600)
    assert found["median_gap_us"] == 60_000_000
    # With two gaps of 127 s instead, P = 60 explains 8 of 10 gaps, and the divisor of 60, 127 holds none.
    found = find_periods(frame_of(a=np.cumsum([0, *[60] * 8, 127, 127]) * 1_000_000)).row(0, named=True)
    assert (found["decision"], found["period_label"], found["share_explained"]) == ("irregular", None, 0.8)
    assert found["period_error"] == pytest.approx(2 * 7 / 60 / 10)


@pytest.mark.parametrize(
    ("odd", "decision"),
    [([119.0] * 2, "regular"), ([114.0], "regular"), ([113.9], "regular"), ([113.9] * 2, "irregular")],
)
def test_nine_tenths_within_a_tenth_of_a_multiple_are_enough(odd: list[float], decision: str) -> None:
    # Ten gaps; 114 s is exactly 0.1·60 from 120 s and near, 113.9 s is not; one of ten may stand apart, two may not.
    seconds = np.cumsum([0.0, *[60.0] * (10 - len(odd)), *odd])
    assert period_of((seconds * 1e6).astype(np.int64))[0] == decision


@pytest.mark.parametrize(("ones", "decision"), [(2, "regular"), (1, "irregular")])
def test_the_period_itself_holds_a_fifth_of_the_gaps(ones: int, decision: str) -> None:
    # Gaps of 2 and 3 hours have the divisor 1 hour, which must be a gap itself: 2 of 10 do, 1 of 10 does not.
    gaps = [1] * ones + [2] * 4 + [3] * (6 - ones)
    assert period_of(np.cumsum([0, *gaps]) * HOUR)[0] == decision


def test_marked_gaps_are_slots_but_no_points() -> None:
    frame = frame_of(a=np.arange(20) * HOUR)
    few = frame.with_columns(y=pl.when(pl.int_range(20) < 4).then(1.0))
    assert find_periods(few).row(0)[1] == "no_decision"
    every_third = frame.with_columns(y=pl.when(pl.int_range(20) % 3 == 0).then(1.0))
    found = find_periods(every_third).row(0, named=True)
    assert (found["period_label"], found["n"]) == ("1h", 7)


def test_a_repeated_instant_counts_once() -> None:
    times = np.sort(np.concatenate([np.arange(20) * HOUR, np.arange(0, 20, 2) * HOUR]))
    found = find_periods(frame_of(a=times)).row(0, named=True)
    assert (found["period_label"], found["share_explained"]) == ("1h", 1.0)


@given(
    st.integers(1, 10**12),
    st.lists(st.integers(1, 4), min_size=6, max_size=60),
    st.integers(-(10**15), 10**15),
)
def test_a_grid_with_holes_has_the_step_of_the_grid(step: int, holes: list[int], origin: int) -> None:
    gaps = np.array([*holes, *[1] * (len(holes) // 2 + 1)])
    times = origin + np.cumsum(np.concatenate([[0], gaps])) * step
    found = find_periods(frame_of(a=times)).row(0, named=True)
    assert found["decision"] == "regular"
    assert found["share_explained"] == 1.0
    profile = detect_regularity(frame_of(a=times)).frames["profile"].row(0, named=True)
    assert profile["period_kind"] != "fixed" or profile["period_us"] == step


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40, unique=True), st.integers(1, 5))
def test_a_series_does_not_depend_on_its_neighbours(times: list[int], others: int) -> None:
    alone = frame_of(m=np.sort(np.array(times)))
    grids = {f"{'az'[i % 2]}{i}": np.arange(3 * i + 1) * 1000 for i in range(others)}
    together = find_periods(frame_of(m=np.sort(np.array(times)), **grids))
    assert together.filter(pl.col("unique_id") == "m").equals(find_periods(alone))


def test_pandas_in_pandas_out() -> None:
    table = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=9, freq="MS"), "y": 1.0})
    found = find_periods(table)
    assert isinstance(found, pd.DataFrame)
    assert found["period_label"][0] == "1mo"


def test_statsmodels_series_have_their_published_periods() -> None:
    from statsmodels.datasets import co2, elnino, macrodata, sunspots

    months = elnino.load_pandas().data.set_index("YEAR").stack()
    quarters = macrodata.load_pandas().data[["year", "quarter"]].astype(int)
    frame = frame_of(
        co2=co2.load_pandas().data.dropna().index,
        elnino=[datetime(int(year), 1 + number % 12, 1) for number, (year, _) in enumerate(months.index)],
        macrodata=[datetime(year, 3 * quarter - 2, 1) for year, quarter in quarters.itertuples(index=False)],
        sunspots=[datetime(int(year), 12, 31) for year in sunspots.load_pandas().data["YEAR"]],
    )
    profile = detect_regularity(frame).frames["profile"]
    assert profile.select("unique_id", "period_label", "season_length").rows() == [
        ("co2", "1w", 52),
        ("elnino", "1mo", 12),
        ("macrodata", "1q", 4),
        ("sunspots", "1y", 1),
    ]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("ambient_temperature_system_failure", "1h"),
        ("cpu_utilization_asg_misconfiguration", "5min"),
        ("ec2_request_latency_system_failure", "5min"),
        ("machine_temperature_system_failure", "5min"),
        ("nyc_taxi", "30min"),
        ("rogue_agent_key_hold", "5min"),
        ("rogue_agent_key_updown", "5min"),
    ],
)
def test_machine_data_are_what_they_are(evaluation_data: Path, name: str, label: str) -> None:
    times = pd.read_csv(evaluation_data / "nab" / f"{name}.csv", parse_dates=[0]).iloc[:, 0]
    assert period_of(times.drop_duplicates().sort_values()) == ("regular", label)


def test_prices_come_on_business_days(evaluation_data: Path) -> None:
    times = pd.read_csv(evaluation_data / "prices" / "stocks-daily.csv", parse_dates=["Date"])["Date"]
    assert period_of(times.sort_values()) == ("regular", "1bd")


def test_the_profile_has_one_complete_row_a_series() -> None:
    random = np.cumsum(np.random.default_rng(1).exponential(HOUR, 50)).astype(np.int64)
    frame = frame_of(a=np.arange(10) * HOUR, b=random, c=np.arange(2) * 30 * 60_000_000, d=np.zeros(1, dtype=np.int64))
    result = detect_regularity(frame, zone="Europe/Berlin", split="0.5/0.2/0.3")
    profile = result.frames["profile"]
    assert dict(profile.schema) == PROFILE_SCHEMA
    first = profile.row(0, named=True)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    facts = ("unique_id", "n", "median_gap_us", "season_length", "zone", "month_day", "version", "changed")
    assert [first[name] for name in facts] == ["a", 10, HOUR, 24, "Europe/Berlin", None, 1, False]
    period = ("decision", "period_kind", "period_us", "period_label", "period_error", "share_explained")
    assert [first[name] for name in period] == ["regular", "fixed", HOUR, "1h", 0.0, 1.0]
    assert (first["estimate"], first["estimate_label"]) == ("regular", "1h")
    assert first["train_end"] == epoch + timedelta(hours=5)
    assert first["valid_end"] == epoch + timedelta(hours=7)
    assert first["test_end"] == epoch + timedelta(hours=9, microseconds=1)
    assert first["estimated_at"] == epoch + timedelta(hours=9)
    assert profile["decision"].to_list() == ["regular", "irregular", "no_decision", "no_decision"]
    assert profile["period_kind"].to_list() == ["fixed", None, None, None]
    assert profile["season_length"].to_list()[2:] == [48, 1]
    assert profile["median_gap_us"].to_list()[2:] == [30 * 60_000_000, None]
    assert profile["share_explained"].to_list()[2:] == [None, None]
    assert result.counts == {"regular": 1, "irregular": 1, "no_decision": 2, "changed": 0}


def test_the_ledger_skips_what_has_no_decision_and_says_why() -> None:
    ledger = detect_regularity(frame_of(a=np.arange(10) * HOUR, b=np.arange(4) * HOUR)).ledger
    assert ledger.select("unique_id", "status", "reason").rows() == [
        ("a", "ok", None),
        ("b", "skipped", "no decision from 4 observed points, it takes 5; goes the irregular way"),
    ]
    assert json.loads(ledger["counts"][0]) == {"changed": 0}


def test_an_irregular_series_has_the_season_of_its_median_gap() -> None:
    random = np.random.default_rng(3)
    times = np.cumsum(random.choice([400, 550, 600, 660, 1370], 200)) * 1_000_000
    profile = detect_regularity(frame_of(a=times)).frames["profile"].row(0, named=True)
    assert (profile["decision"], profile["median_gap_us"], profile["season_length"]) == ("irregular", 600_000_000, 144)


def test_the_median_of_an_even_number_of_gaps_is_the_lower() -> None:
    frame = frame_of(a=np.cumsum([0, 10, 20, 40, 80]))
    assert find_periods(frame)["median_gap_us"][0] == 20


def test_a_stated_period_makes_every_series_regular_and_is_measured() -> None:
    # Gaps of 1, 1, 1 and 2.5 hours: 3 of 4 explained, the last is half an hour off, 0.5 / 4.
    frame = frame_of(a=np.array([0, 1, 2, 3, 5.5]) * HOUR, b=np.arange(2) * HOUR, c=np.zeros(1))
    result = detect_regularity(frame, period="60min", season_length=168)
    profile = result.frames["profile"]
    assert profile["decision"].to_list() == ["regular"] * 3
    assert profile["period_label"].to_list() == ["1h"] * 3
    assert profile["season_length"].to_list() == [168] * 3
    assert profile["share_explained"].to_list() == [0.75, 1.0, None]
    assert profile["period_error"].to_list() == [0.125, 0.0, None]
    assert profile["estimate"].to_list() == ["irregular", "no_decision", "no_decision"]
    assert result.ledger["status"].to_list() == ["ok"] * 3


def test_a_stated_calendar_period_walks_in_the_zone() -> None:
    midnights = pd.date_range("2024-01-01", periods=12, freq="MS", tz="Europe/Berlin")
    profile = detect_regularity(frame_of(a=midnights), zone="Europe/Berlin", period="1mo").frames["profile"]
    row = profile.row(0, named=True)
    assert (row["period_kind"], row["period_us"], row["period_error"], row["month_day"]) == ("month", None, 0.0, 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"zone": "Mars"}, "zone must be an IANA time zone"),
        ({"split": "1/2"}, "split must be three numbers"),
        ({"period": "fortnight"}, "period must be .* got 'fortnight'"),
        ({"season_length": -1}, "season_length must be a number of points, or 0 for the calendar's, got -1"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(parameters: dict[str, Any], message: str) -> None:
    defaults: dict[str, Any] = {"zone": "UTC", "split": "0.7/0.1/0.2", "period": "", "season_length": 0}
    check_regularity(**defaults)
    with pytest.raises(InputError, match=message):
        check_regularity(**(defaults | parameters))
    with pytest.raises(InputError, match=message):
        detect_regularity(frame_of(a=np.arange(9) * HOUR), **parameters)


def test_a_missing_column_is_named() -> None:
    frame = frame_of(a=np.arange(9) * HOUR)
    for call in (find_periods, detect_regularity):
        with pytest.raises(InputError, match="column 'y' is missing"):
            call(frame.drop("y"))
    with pytest.raises(InputError, match="column 'decision' is missing"):
        split_by_regularity(frame, frame.select("unique_id"))


def test_an_empty_shard_has_an_empty_profile() -> None:
    result = detect_regularity(frame_of(a=np.arange(9) * HOUR).head(0))
    assert dict(result.frames["profile"].schema) == PROFILE_SCHEMA
    assert (result.frames["profile"].height, result.ledger.height) == (0, 0)
    assert result.counts == {"regular": 0, "irregular": 0, "no_decision": 0, "changed": 0}


def test_the_split_sends_every_row_one_way() -> None:
    frame = frame_of(a=np.arange(9) * HOUR, b=np.arange(4) * HOUR, c=np.arange(6) * HOUR)
    profile = pl.DataFrame({"unique_id": ["a", "b"], "decision": ["regular", "no_decision"]})
    result = split_by_regularity(frame, profile)
    assert result.frames["regular"].equals(frame.filter(pl.col("unique_id") == "a"))
    assert result.frames["irregular"].equals(frame.filter(pl.col("unique_id") != "a"))
    assert result.counts == {"regular": 1, "irregular": 2}
    assert [json.loads(counts)["regular"] for counts in result.ledger["counts"]] == [1, 0, 0]
    empty = split_by_regularity(frame.head(0), profile.head(0))
    assert (empty.frames["regular"].schema, empty.counts) == (frame.schema, {"regular": 0, "irregular": 0})
