"""The resampling step: regular series, their profile, rows inserted for a shorter period, and what cannot be done."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.periods import Period
from sparkhu.steps.regularity import detect_regularity
from sparkhu.steps.resampling import resample, resample_regular
from sparkhu.steps.upsampling import divides

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def grid(count: int, step: timedelta, name: str = "a", first: datetime = START) -> pl.DataFrame:
    ds = [first + i * step for i in range(count)]
    y = [float(i) for i in range(count)]
    return pl.DataFrame({"unique_id": name, "ds": ds, "y": y, "available_at": ds}, schema=SCHEMA)


def profiled(frame: pl.DataFrame, **how: Any) -> pl.DataFrame:
    return detect_regularity(frame, **how).frames["profile"]


def hours(column: pl.Series) -> list[float]:
    return [(moment - START) / HOUR for moment in column]


def test_without_a_period_rows_and_profile_pass_through() -> None:
    frame = grid(10, HOUR).with_columns(volume=pl.lit(3), word=pl.lit("x"))
    result = resample_regular(frame, profiled(frame))
    assert result.frames["observations"] is frame
    assert result.frames["profile"].equals(profiled(frame))
    assert result.ledger.rows() == [("a", "ok", None, '{"rows":10,"points":10,"cut":0}')]


def test_hand_worked_profile_of_days() -> None:
    # 100 hours from midnight: 4 days whole, 4 hours cut. train_end at hour 70 moves to the start of its day, hour 48;
    # valid_end at 80 to 72; test_end, behind the last point, to the end of that point's day, hour 120.
    frame = grid(100, HOUR)
    result = resample_regular(frame, profiled(frame), to="1d")
    row = result.frames["profile"].row(0, named=True)
    assert [(row[name] - START) / HOUR for name in ("train_end", "valid_end", "test_end")] == [48, 72, 120]
    names = ("period_kind", "period_us", "period_label", "n", "median_gap_us", "season_length", "month_day")
    assert [row[name] for name in names] == ["fixed", 86_400_000_000, "1d", 4, 86_400_000_000, 7, None]
    assert (row["period_error"], row["share_explained"], row["estimate_label"]) == (0.0, 1.0, "1h")
    assert hours(result.frames["observations"]["ds"]) == [0, 24, 48, 72]
    assert json.loads(result.ledger["counts"][0]) == {"rows": 100, "points": 4, "cut": 4}
    assert result.counts == {"left_out": 0, "cut": 4}


def test_hand_worked_season_of_its_own() -> None:
    # 168 hours are 7 days and 1 week; 168 hours of an hourly series brought to 6h are 28 points.
    frame = grid(60, HOUR)
    for to, season in (("1d", 7), ("6h", 28), ("1w", 52), ("5h", 34)):
        own = profiled(frame, season_length=168)
        found = resample_regular(frame, own, to=to, edges="keep").frames["profile"]
        assert found["season_length"].to_list() == [season]


def test_months_in_the_zone_of_the_profile() -> None:
    berlin = datetime(2023, 12, 31, 23, tzinfo=UTC)
    frame = grid(24 * 100, HOUR, first=berlin)
    result = resample_regular(frame, profiled(frame, zone="Europe/Berlin"), to="1mo", how="sum")
    found = result.frames["observations"]
    assert found["ds"].to_list() == [
        berlin,
        datetime(2024, 1, 31, 23, tzinfo=UTC),
        datetime(2024, 2, 29, 23, tzinfo=UTC),
    ]
    assert found["count"].to_list() == [744, 696, 743]
    row = result.frames["profile"].row(0, named=True)
    assert (row["period_kind"], row["period_us"], row["season_length"], row["n"]) == ("month", None, 12, 3)
    # The zone of the run stands in for one that the profile lacks.
    plain = resample_regular(frame, profiled(frame).drop("zone"), to="1mo", how="sum", zone="Europe/Berlin")
    assert plain.frames["observations"].equals(found)


def test_hand_worked_rows_inserted_by_the_last_value_and_by_lines() -> None:
    # Two-hourly 0, 1, null, 3 known an hour late. Half-way between 0 and 1 stands 0.5, known when the 1 is, at 3.
    frame = grid(4, 2 * HOUR).with_columns(
        y=pl.Series([0.0, 1.0, None, 3.0]), available_at=pl.col("ds") + HOUR, volume=pl.lit(5), word=pl.lit("x")
    )
    last = resample(frame, "1h", period="2h")
    assert hours(last["ds"]) == [0, 1, 2, 3, 4, 5, 6]
    assert last["y"].to_list() == [0.0, 0.0, 1.0, 1.0, None, None, 3.0]
    assert hours(last["available_at"]) == [1, 1, 3, 3, 5, 5, 7]
    assert last["fill_strategy"].to_list() == [None, "last", None, "last", None, None, None]
    line = resample(frame, "1h", period="2h", up="linear")
    assert line["y"].to_list() == [0.0, 0.5, 1.0, None, None, None, 3.0]
    assert hours(line["available_at"]) == [1, 3, 3, 3, 5, 5, 7]
    for found in (last, line):
        assert found["y_raw"].to_list() == [0.0, None, 1.0, None, None, None, 3.0]
        assert found["is_gap"].to_list() == [False, True, False, True, True, True, False]
        assert found["volume"].to_list() == [5, 0, 5, 0, 5, 0, 5]
        assert found["word"].to_list() == ["x", None] * 3 + ["x"]
    assert last.select("count", "missing", "unmarked", "values").rows()[:3] == [
        (1, 0, 0, 1),
        (1, 1, 0, 1),
        (1, 0, 0, 1),
    ]
    assert resample(frame, "1h", period="2h", up="none")["y"].to_list() == [0.0, None, 1.0, None, None, None, 3.0]
    assert resample(frame, "30min", period="2h", up="linear")["y"].to_list()[:4] == [0.0, 0.25, 0.5, 0.75]


def test_lines_do_not_cross_a_border() -> None:
    frame = grid(10, 2 * HOUR)
    own = profiled(frame, split="0.5/0.2/0.3")
    line = resample_regular(frame, own, to="1h", up="linear").frames["profile"].row(0, named=True)
    # train_end at hour 10 moves behind the point at 8: the line from 8 to 10 is made of the validation part.
    after = [(line[name] - START) / HOUR for name in ("train_end", "valid_end", "test_end")]
    assert after == pytest.approx([8, 12, 18], abs=1e-6)
    assert line["train_end"] > START + 8 * HOUR
    last = resample_regular(frame, own, to="1h", up="last").frames["profile"]
    assert last.select("train_end", "valid_end", "test_end").equals(own.select("train_end", "valid_end", "test_end"))
    assert last.select("period_label", "n", "season_length").row(0) == ("1h", 10, 24)


def test_series_go_down_up_or_stay_and_each_failure_has_a_reason() -> None:
    odd = pl.DataFrame({"unique_id": "odd", "ds": [START + m * HOUR for m in (0, 0.1, 3, 3.3, 9, 9.2, 20)], "y": 1.0})
    odd = odd.with_columns(pl.col("ds").cast(TIME)).with_columns(available_at="ds").select(SCHEMA.keys())
    steps = {"down": HOUR / 4, "far": 2.5 * HOUR, "odd": None, "same": HOUR, "short": HOUR / 10, "up": 2 * HOUR}
    frame = pl.concat([odd if step is None else grid(8, step, name) for name, step in steps.items()])
    result = resample_regular(frame, profiled(frame), to="1h")
    told = {
        name: (status, reason) for name, status, reason in result.ledger.select("unique_id", "status", "reason").rows()
    }
    assert told == {
        "down": ("ok", None),
        "far": ("failed", "150min is no whole number of 1h"),
        "odd": ("skipped", "only regular series are brought to another period"),
        "same": ("ok", None),
        "short": ("failed", "it covers no whole period of 1h"),
        "up": ("ok", None),
    }
    points = result.frames["observations"].group_by("unique_id", maintain_order=True).len().rows()
    assert points == [("down", 2), ("odd", 7), ("same", 8), ("up", 15)]
    assert result.counts == {"left_out": 16, "cut": 0}
    profile = result.frames["profile"]
    assert profile["unique_id"].to_list() == list(steps)
    assert profile["period_label"].to_list() == ["1h", "150min", None, "1h", "6min", "1h"]
    summed = resample_regular(frame, profiled(frame), to="1h", how="sum").ledger
    assert summed["reason"].to_list()[-1] == "sum cannot be split into shorter periods; choose mean or last"


def test_each_series_is_as_it_is_alone() -> None:
    frame = pl.concat([grid(30, HOUR / 4, "a"), grid(9, 2 * HOUR, "b"), grid(20, HOUR / 2, "c"), grid(9, HOUR, "d")])
    own = profiled(frame)
    together = resample_regular(frame, own, to="1h", up="linear").frames
    for name in "abcd":
        alone = resample_regular(frame.filter(unique_id=name), own.filter(unique_id=name), to="1h", up="linear").frames
        assert alone["observations"].equals(together["observations"].filter(unique_id=name))
        assert alone["profile"].equals(together["profile"].filter(unique_id=name))


@pytest.mark.parametrize("how", ["mean", "ohlcv", "vwap"])
def test_an_empty_shard_has_the_types_of_a_full_one(how: Any) -> None:
    frame = grid(50, HOUR).with_columns(volume=pl.lit(1), word=pl.lit("x"))
    full = resample_regular(frame, profiled(frame), to="1d", how=how).frames
    empty = resample_regular(frame.clear(), profiled(frame).clear(), to="1d", how=how)
    assert empty.ledger.height == 0
    for name in ("observations", "profile"):
        assert empty.frames[name].schema == full[name].schema


def test_a_profile_without_its_columns_is_refused() -> None:
    frame = grid(10, HOUR)
    with pytest.raises(InputError, match="column 'train_end' is missing"):
        resample_regular(frame, profiled(frame).drop("train_end"), to="1d")


@pytest.mark.parametrize(
    ("source", "target", "whole"),
    [
        *(("1h", "15min", True), ("1h", "25min", False), ("36h", "6h", True), ("36h", "5h", False)),
        *(("1d", "1h", True), ("1d", "5h", False), ("1w", "1d", True), ("1w", "2d", False), ("3d", "36h", False)),
        *(("1mo", "1d", True), ("1mo", "1w", False), ("1mo", "6h", True), ("1y", "1q", True), ("1q", "1mo", True)),
        *(("1mo", "1q", False), ("1bd", "1d", True), ("1mo", "1bd", False), ("1w", "1bd", False)),
    ],
)
def test_only_whole_numbers_of_steps_are_inserted(source: str, target: str, whole: bool) -> None:
    assert divides(Period.parse(source), Period.parse(target)) is whole
