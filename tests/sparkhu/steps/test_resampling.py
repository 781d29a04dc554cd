"""Resampling down: by hand, and against pandas in several zones."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.steps.bucket_values import COLUMNS, PRICES
from sparkhu.steps.resampling import check_resampling, resample
from tests.sparkhu.steps.made_resampling import HOWS, MINUTE, START, at, counts, minutes


def test_hand_worked_hours_of_quarter_hours() -> None:
    # Hour 0 holds 15, 30, 45 (0 is before the first): mean (0 + 1 + 2) / 3 = 1, one instant unmarked.
    # Hour 1 holds 60 to 105: null, filled 8, 5, 6: y = 19/3 of three values, y_raw = 11/2; two of four are missing.
    # Hour 2 holds 120 alone, 7; 135 to 165 are unmarked. Hour 1 is known from 130 on, when the filled 8 is.
    frame = at([15, 30, 45, 60, 75, 90, 105, 120], [0.0, 1.0, 2.0, None, 8.0, 5.0, 6.0, 7.0])
    frame = frame.with_columns(
        y_raw=pl.Series([0.0, 1.0, 2.0, None, None, 5.0, 6.0, 7.0]),
        fill_strategy=pl.Series([None] * 4 + ["linear"] + [None] * 3, dtype=pl.String),
        available_at=pl.Series([*frame["ds"][:4], START + 130 * MINUTE, *frame["ds"][5:]]).cast(TIME),
        observed_available_at=pl.Series([*frame["ds"][:3], None, None, *frame["ds"][5:]]).cast(TIME),
    )
    hours = resample(frame, "1h", period="15min")
    assert hours.columns == list(COLUMNS)
    assert minutes(hours["ds"]) == [0, 60, 120]
    assert hours["y"].to_list() == [1.0, 19 / 3, 7.0]
    assert hours["y_raw"].to_list() == [1.0, 5.5, 7.0]
    assert counts(hours) == [(3, 0, 1, 3), (4, 2, 0, 3), (1, 0, 3, 1)]
    assert minutes(hours["available_at"]) == [60, 130, 180]
    assert minutes(hours["observed_available_at"]) == [60, 120, 180]
    assert hours["fill_strategy"].to_list() == [None] * 3
    whole = resample(frame, "1h", period="15min", edges="drop")
    assert minutes(whole["ds"]) == [60]
    assert whole.equals(hours.slice(1, 1))


def test_hand_worked_bars_of_trades() -> None:
    # Minute 0: prices 10, 12, 9 with volumes 2, 0, 3; minute 1: nothing; minute 2: 11 and 8, the last without volume.
    trades = at([0, 0.25, 0.5, 2, 2.5], [10.0, 12.0, 9.0, 11.0, 8.0], volume=[2, 0, 3, 4, None])
    bars = resample(trades, "1min", how="ohlcv", period="15s")
    assert bars.select("open", "high", "low", "close", "volume", "y").rows() == [
        (10.0, 12.0, 9.0, 9.0, 5.0, 9.0),
        (None, None, None, None, 0.0, None),
        (11.0, 11.0, 8.0, 8.0, 4.0, 8.0),
    ]
    assert bars["is_gap"].to_list() == [False, True, False]
    assert bars["y_raw"].to_list() == [9.0, None, 8.0]
    assert minutes(bars["available_at"]) == [1, 2, 3]
    # Two minutes at once: 10, 12, 9, 9, 5; then 11, 11, 8, 8, 4.
    pairs = resample(bars, "2min", how="ohlcv", period="1min")
    assert pairs.select("open", "high", "low", "close", "volume").rows() == [(10, 12, 9, 9, 5), (11, 11, 8, 8, 4)]


def test_hand_worked_mean_weighted_by_volume() -> None:
    # Minute 0: (10·2 + 12·0 + 9·3) / 5 = 9.4. Minute 1 moves no volume: the last price, 7. In minute 2 the price
    # without a volume and the volume without a price have no part: (4·1) / 1.
    trades = at(
        [0, 0.25, 0.5, 1, 1.25, 2, 2.25, 2.5],
        [10.0, 12.0, 9.0, 6.0, 7.0, 4.0, 50.0, None],
        volume=[2.0, 0.0, 3.0, 0.0, 0.0, 1.0, None, 8.0],
    )
    bars = resample(trades, "1min", how="vwap", period="15s")
    assert bars["y"].to_list() == [9.4, 7.0, 4.0]
    assert bars["y_raw"].to_list() == [9.4, 7.0, 4.0]
    assert bars["volume"].to_list() == [5.0, 0.0, 9.0]


def test_each_rule_is_taken_of_all_values_and_of_observed_ones() -> None:
    frame = at([0, 15, 30, 45], [3.0, 9.0, 1.0, 4.0]).with_columns(
        y_raw=pl.Series([3.0, None, 1.0, None]), fill_strategy=pl.Series([None, "mean", None, "mean"])
    )
    wanted = {"mean": (4.25, 2.0), "sum": (17.0, None), "min": (1.0, 1.0), "max": (9.0, 3.0), "last": (4.0, 1.0)}
    for how, values in wanted.items():
        assert resample(frame, "1h", how=how, period="15min").select("y", "y_raw").row(0) == values  # type: ignore[arg-type]


def test_hand_worked_sums_of_which_a_part_was_observed_are_no_truth() -> None:
    # Hour 0: 1 + 2 + 3 + 4, all observed, one of them an outlier that was refilled: 10 cleaned, 107 as it came. Hour 1:
    # the second of 5, 6, 7, 8 is a fill, so 20 of the 26 were observed: no truth, and no gap. Hour 2: nothing was.
    frame = at([*range(0, 180, 15)], [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9]).with_columns(
        y_raw=pl.Series([1.0, 99, 3, 4, 5, None, 7, 8, None, None, None, None]),
        is_outlier=pl.Series([False, True, *[False] * 10]),
    )
    hours = resample(frame, "1h", how="sum", period="15min")
    assert hours["y"].to_list() == [10.0, 26.0, 36.0]
    assert hours["y_raw"].to_list() == [107.0, None, None]
    assert hours["is_gap"].to_list() == [False, False, True]
    assert hours["observed_available_at"].is_null().to_list() == [False, True, True]
    assert hours["missing"].to_list() == [0, 1, 4]
    # Half an hour that is whole stands for itself; the hour made of both halves is the hour of all four.
    halves = resample(frame, "30min", how="sum", period="15min")
    assert halves["y_raw"].to_list() == [100.0, 7.0, None, 15.0, None, None]
    assert_frame_equal(resample(halves, "1h", how="sum", period="30min"), hours)


def test_a_sum_that_lacks_a_row_is_no_truth_and_one_of_unknown_period_is() -> None:
    # 0:30 has no row; hour 1 begins with its first and ends with its last.
    frame = at([0, 15, 45, 60, 75, 90, 105], [1.0, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    hours = resample(frame, "1h", how="sum", period="15min")
    assert hours.select("y", "y_raw", "is_gap", "unmarked").rows() == [(7.0, None, False, 1), (26.0, 26.0, False, 0)]
    assert hours["observed_available_at"].is_null().to_list() == [True, False]
    assert resample(frame, "1h", how="mean", period="15min")["y_raw"].to_list() == [7 / 3, 6.5]
    single = at([0], [3.0])
    assert resample(single, "1h", how="sum").select("y", "y_raw", "unmarked").row(0) == (3.0, 3.0, None)


def test_a_bucket_of_which_a_part_was_filled_is_marked_where_all_that_was_observed_is() -> None:
    # needs_fill: of hour 0 the one observed point is, of hour 1 one of two is.
    frame = at([0, 15, 60, 75], [1.0, None, 2.0, 3.0]).with_columns(needs_fill=pl.Series([True, False, True, False]))
    assert resample(frame, "1h", how="sum", period="15min")["needs_fill"].to_list() == [True, False]


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("UTC", "2024-01-30"),
        ("Europe/Berlin", "2024-03-28"),
        ("Europe/Berlin", "2024-10-25"),
        ("America/Sao_Paulo", "2018-10-30"),
        ("Asia/Kolkata", "2024-02-27"),
        ("Australia/Sydney", "2024-03-30"),
    ],
)
def test_buckets_of_the_calendar_are_those_of_pandas(zone: str, start: str) -> None:
    index = pd.date_range(start, periods=24 * 70, freq="h", tz=zone)
    table = pd.Series(np.random.default_rng(1).normal(size=len(index)), index=index)
    ds = pl.Series(index.tz_convert("UTC").tz_localize(None).to_numpy()).cast(pl.Datetime("us"))
    frame = pl.DataFrame({"unique_id": "a", "ds": ds.dt.replace_time_zone("UTC"), "y": table.to_numpy()})
    frame = frame.with_columns(available_at="ds")
    for to, rule in (("1d", "D"), ("1w", "W-MON"), ("1mo", "MS"), ("1q", "QS"), ("1y", "YS")):
        theirs = table.resample(rule, label="left", closed="left")
        for how in HOWS:
            ours = resample(frame, to, how=how, zone=zone, period="1h")  # type: ignore[arg-type]
            wanted = getattr(theirs, how)()
            assert ours["ds"].to_list() == [stamp.to_pydatetime() for stamp in wanted.index.tz_convert("UTC")]
            np.testing.assert_allclose(ours["y"].to_numpy(), wanted.to_numpy(), rtol=0, atol=1e-10)
        bars = resample(frame, to, how="ohlcv", zone=zone, period="1h")
        np.testing.assert_array_equal(bars.select(PRICES).to_numpy(), theirs.ohlc().to_numpy())
        assert bars["count"].to_list() == theirs.count().to_list()
        hours = [
            round((end - begin) / timedelta(hours=1))
            for begin, end in zip(bars["ds"], bars["available_at"], strict=True)
        ]
        assert (bars["count"] + bars["unmarked"]).to_list() == hours


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
@pytest.mark.parametrize(("to", "rule"), [("5s", "5s"), ("1min", "min"), ("20min", "20min"), ("1h", "h"), ("6h", "6h")])
def test_short_buckets_are_those_of_pandas(zone: str, to: str, rule: str) -> None:
    random = np.random.default_rng(2)
    index = pd.date_range("2024-01-10", periods=9000, freq="7s", tz=zone)
    table = pd.Series(random.normal(size=len(index)), index=index)[random.random(len(index)) < 0.2]
    ds = pl.Series(table.index.tz_convert("UTC").tz_localize(None).to_numpy()).cast(pl.Datetime("us"))
    frame = pl.DataFrame({"unique_id": "a", "ds": ds.dt.replace_time_zone("UTC"), "y": table.to_numpy()})
    frame = frame.with_columns(available_at="ds")
    ours = resample(frame, to, how="sum", zone=zone, period="1s")
    wanted = table.resample(rule).sum(min_count=1)
    assert ours["ds"].to_list() == [stamp.to_pydatetime() for stamp in wanted.index.tz_convert("UTC")]
    np.testing.assert_allclose(ours["y"].to_numpy(), wanted.to_numpy(), rtol=0, atol=1e-10)


def test_hand_worked_bars_without_prices_leave_out_fills() -> None:
    # Trades at 10, a fill of 999 in a gap, trades at 10 and 20: no trade was done at 999. An hour of fills has no bar.
    frame = at([0, 15, 30, 45, 60, 75], [10.0, 999.0, 10.0, 20.0, 999.0, 999.0]).with_columns(
        y_raw=pl.Series([10.0, None, 10.0, 20.0, None, None]),
        fill_strategy=pl.Series([None, "mean", None, None, "mean", "mean"]),
    )
    halves = resample(frame, "30min", how="ohlcv", period="15min")
    assert halves.select("open", "high", "low", "close").rows()[:2] == [(10, 10, 10, 10), (10, 20, 10, 20)]
    for table, period in ((frame, "15min"), (halves, "30min")):
        hour, fills = resample(table, "1h", how="ohlcv", period=period).select("y", *PRICES).rows()
        assert hour == (20.0, 10.0, 20.0, 10.0, 20.0)
        assert fills == (999.0, None, None, None, None)


def test_flags_say_whether_any_point_has_them() -> None:
    frame = at(
        [0, 15, 30, 45, 60, 75],
        is_outlier=[False, True, False, False, True, True],
        is_alert=[False, False, False, True, False, None],
        needs_fill=[False, True, False, False, True, True],
        fill_strategy=[None, "mean", None, None, "mean", "last"],
    )
    hours = resample(frame, "1h", period="15min")
    assert hours["is_outlier"].to_list() == [True, True]
    assert hours["is_alert"].to_list() == [True, False]
    # A bucket needs filling, and is filled, only where all of it is.
    assert hours["needs_fill"].to_list() == [False, True]
    assert hours["fill_strategy"].to_list() == [None, "last"]


def test_a_bucket_of_nulls_and_an_empty_one_are_gaps() -> None:
    frame = at([0, 15, 30, 45, 180, 195, 210, 225], [None] * 4 + [1.0] * 4)
    hours = resample(frame, "1h", period="15min", how="sum")
    assert hours["y"].to_list() == [None, None, None, 4.0]
    assert hours["is_gap"].to_list() == [True, True, True, False]
    assert counts(hours) == [(4, 4, 0, 0), (0, 0, 4, 0), (0, 0, 4, 0), (4, 0, 0, 4)]
    assert hours["needs_fill"].to_list() == [False] * 4


def test_columns_of_the_source_keep_their_meaning() -> None:
    columns: dict[str, list[Any]] = {
        "open": [1, 2, 3, 4],
        "high": [5.0, 9.0, None, 1.0],
        "low": [4.0, 2.0, 3.0, None],
        "close": [None, 7.0, 8.0, None],
        "volume": [1, None, 2, 3],
        "other": [1.0, None, 2.0, 6.0],
        "word": ["x", "y", None, None],
        "mark": [True, False, True, None],
    }
    made = {
        how: resample(at([0, 15, 30, 45], **columns), "1h", how=how, period="15min") for how in ("mean", "max", "ohlcv")
    }
    for hour in made.values():
        assert hour.select("open", "volume", "word", "mark").row(0) == (1.0, 6.0, "y", True)
        assert hour.select("high", "low").row(0) == (9.0, 2.0)
    assert [hour["other"][0] for hour in made.values()] == [3.0, 6.0, 6.0]
    # A bar without a close of its own closes with its y, here 3.
    assert [hour["close"][0] for hour in made.values()] == [8.0, 8.0, 3.0]


@pytest.mark.parametrize("name", ["count", "missing", "unmarked", "values", "volume_of_y", "values_of_other"])
@pytest.mark.parametrize("value", [5, "x"])
def test_a_column_of_the_source_never_gives_way_to_one_of_resampling(name: str, value: Any) -> None:
    frame = at([0, 15]).with_columns(pl.lit(value).alias(name))
    with pytest.raises(InputError, match=f"column '{name}' has a name that resampling gives.*'source_{name}'"):
        resample(frame, "1h", period="15min")


def test_not_even_all_four_counts_of_a_source_are_taken_for_those_of_resampling() -> None:
    frame = at([0, 15], count=[7, 7], missing=[0, 0], unmarked=[0, 0], values=[7, 7])
    with pytest.raises(InputError, match="column 'count'"):
        resample(frame, "1h", period="15min")


def test_business_days_end_with_the_weekend() -> None:
    # Friday 2024-01-05 to Tuesday, hourly: Friday's bucket has Saturday and Sunday too.
    frame = at([60.0 * hour for hour in range(4 * 24, 9 * 24)])
    days = resample(frame, "1bd", period="1h")
    assert days["ds"].to_list() == [START + timedelta(days=day) for day in (4, 7, 8)]
    assert days["count"].to_list() == [72, 24, 24]


def test_points_off_the_hour_are_expected_where_they_stand() -> None:
    frame = at([7.5, 37.5, 67.5, 97.5])
    assert counts(resample(frame, "1h", period="30min", edges="drop")) == [(2, 0, 0, 2), (2, 0, 0, 2)]
    months = pl.DataFrame(
        {"ds": pd.date_range("2024-01-15", periods=12, freq="MS").to_numpy() + np.timedelta64(14, "D")}
    )
    months = months.select(unique_id=pl.lit("a"), ds=pl.col("ds").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    months = months.with_columns(y=1.0, available_at="ds")
    assert resample(months, "1q", period="1mo")["unmarked"].to_list() == [1, 0, 0, 0, 2]


def test_the_period_is_found_and_a_series_without_one_is_brought_down_too() -> None:
    regular = at([15.0 * i for i in range(1, 12)])
    found = resample(regular, "1h")
    assert found["unmarked"].to_list() == [1, 0, 0]
    odd = at([0, 3, 61, 80, 100, 300], name="b")
    hours = resample(pl.concat([regular, odd]), "1h", edges="drop")
    assert minutes(hours.filter(unique_id="b")["ds"]) == [0, 60, 120, 180, 240, 300]
    assert hours.filter(unique_id="b")["unmarked"].to_list() == [None] * 6


def test_series_of_one_shard_do_not_touch_each_other() -> None:
    frame = pl.concat([at([0, 15, 30]), at([45, 60], name="b"), at([20, 40], name="c")])
    together = resample(frame, "1h", how="sum", period="15min")
    alone = pl.concat([resample(frame.filter(unique_id=name), "1h", how="sum", period="15min") for name in "abc"])
    assert together.equals(alone)
    assert together["y"].to_list() == [3.0, 0.0, 1.0, 1.0]


def test_a_pandas_frame_comes_back_as_one() -> None:
    table = at([0, 15]).to_pandas()
    assert resample(table, "1h", period="15min")["y"].to_list() == [0.5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"to": "fortnight"}, "to names no period to resample to: period must be .*, got 'fortnight'"),
        ({"to": "1min, 1h,1d"}, "to must be one period, got '1min, 1h,1d'. Give the last of the chain, '1d': a chain"),
        ({"to": "5s>1min"}, "Give the last of the chain, '1min'"),
        ({"how": "median"}, "how must be one of mean, sum, min, max, last, ohlcv, vwap, got 'median'"),
        ({"up": "spline"}, "up must be one of last, linear, none, got 'spline'"),
        ({"edges": "cut"}, "edges must be one of drop, keep, got 'cut'"),
        ({"zone": "Berlin"}, "zone must be"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_resampling(**{"to": "1h", "how": "mean", **arguments})
    with pytest.raises(InputError, match=message):
        resample(at([0, 15]), **{"to": "1h", **arguments})


def test_the_limit_of_even_grids_is_checked_beside_it() -> None:
    check_resampling(to="", how="mean", max_grid_points=1)
    with pytest.raises(InputError, match="max_grid_points must be at least 1, got 0"):
        check_resampling(to="", how="mean", max_grid_points=0)


def test_what_cannot_be_resampled_is_said() -> None:
    frame = at([0, 60, 120])
    with pytest.raises(InputError, match="to must be a period such as 1h or 1mo"):
        resample(frame, "")
    with pytest.raises(InputError, match="vwap weighs by a column 'volume' of numbers"):
        resample(frame, "1d", how="vwap")
    with pytest.raises(InputError, match="vwap weighs by a column 'volume' of numbers"):
        resample(frame.with_columns(volume=pl.lit("much")), "1d", how="vwap")
    with pytest.raises(InputError, match="series 'a' cannot be resampled: it covers no whole period of 1d"):
        resample(frame, "1d", period="1h", edges="drop")
    with pytest.raises(InputError, match="column 'available_at' is missing"):
        resample(frame.drop("available_at"), "1d")
    with pytest.raises(InputError, match="its gaps hold more than 1000000 periods of 1s; check its times"):
        resample(at([0, 60 * 24 * 365]), "1s", period="100ms")
    for how in ("sum", "ohlcv"):
        with pytest.raises(InputError, match=f"{how} cannot be split into shorter periods; choose mean or last"):
            resample(frame, "10min", how=how, period="1h")  # type: ignore[arg-type]
