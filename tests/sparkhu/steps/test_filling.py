"""Filling of missing points."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.filled_rows import check_filling
from sparkhu.steps.filling import (
    fill,
    fill_last,
    fill_linear,
    fill_mean,
    fill_median,
    fill_mode,
    fill_moving_average,
    fill_next,
    fill_seasonal,
    fill_spline,
)
from sparkhu.steps.strategies import FITTED, STRATEGIES

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILLS: dict[str, Callable[..., Any]] = {
    "mean": fill_mean,
    "median": fill_median,
    "last": fill_last,
    "next": fill_next,
    "linear": fill_linear,
    "mode": fill_mode,
    "spline": fill_spline,
    "seasonal": partial(fill_seasonal, season_length=2),
    "moving_average": fill_moving_average,
}
EDGED = ("last", "next", "linear", "spline", "seasonal", "moving_average")
VALUES = st.lists(st.floats(-1e3, 1e3) | st.none(), min_size=1, max_size=25)


def series(values: list[float | None], hours: list[float] | None = None, name: str = "a") -> pl.DataFrame:
    ds = [START + h * HOUR for h in (hours or range(len(values)))]
    return pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def profile(*names: str, train_end: datetime | None = None, season: int | None = 1) -> pl.DataFrame:
    schema = {"unique_id": pl.String, "train_end": TIME, "season_length": pl.Int64}
    return pl.DataFrame([(name, train_end, season) for name in names], schema=schema, orient="row")


def available(frame: pl.DataFrame) -> list[float]:
    return [(moment - START) / HOUR for moment in frame["available_at"]]


def test_hand_worked_line_is_straight_in_time_not_in_rows() -> None:
    # Known: 10 at 0 h and 50 at 8 h, that is 5 an hour. At 2 h: 20, at 7 h: 45.
    filled = fill_linear(series([10.0, None, None, 50.0], [0, 2, 7, 8]))
    assert filled["y"].to_list() == [10.0, 20.0, 45.0, 50.0]
    assert filled["y_raw"].to_list() == [10.0, None, None, 50.0]
    assert filled["fill_strategy"].to_list() == [None, "linear", "linear", None]
    assert available(filled) == [0, 8, 8, 8]


def test_hand_worked_mean_and_median_of_the_training_part() -> None:
    # Before hour 5 the known values are 1, 2, 3 and 10: mean 16/4 = 4, median (2 + 3)/2 = 2.5.
    frame = series([1.0, 10.0, None, 2.0, 3.0, 99.0, None])
    mean = fill_mean(frame, train_end=START + 5 * HOUR)
    assert mean["y"].to_list() == [1.0, 10.0, 4.0, 2.0, 3.0, 99.0, 4.0]
    assert available(mean) == [0, 1, 4, 3, 4, 5, 6]
    median = fill_median(frame, train_end=START + 5 * HOUR)
    assert median["y"].to_list() == [1.0, 10.0, 2.5, 2.0, 3.0, 99.0, 2.5]
    assert fill_mean(frame)["y"].to_list()[2] == 23.0
    assert fill_median(frame)["y"].to_list()[2] == 3.0


def test_last_and_next_take_the_observed_neighbour() -> None:
    frame = series([1.0, None, None, 4.0])
    last, next_ = fill_last(frame), fill_next(frame)
    assert last["y"].to_list() == [1.0, 1.0, 1.0, 4.0]
    assert next_["y"].to_list() == [1.0, 4.0, 4.0, 4.0]
    # A carried value is known when the row is known to be missing, the next one not before it comes.
    assert available(last) == [0, 1, 2, 3]
    assert available(next_) == [0, 3, 3, 3]


def test_a_late_point_makes_what_was_filled_with_it_late() -> None:
    frame = series([1.0, None, 3.0, None]).with_columns(
        available_at=pl.Series([START + h * HOUR for h in (9.0, 1.0, 5.0, 20.0)]).cast(TIME)
    )
    assert available(fill_last(frame)) == [9, 9, 5, 20]
    assert available(fill_next(frame)) == [9, 5, 5, 20]
    assert available(fill_linear(frame)) == [9, 9, 5, 20]
    assert available(fill_mean(frame)) == [9, 9, 5, 20]


@pytest.mark.parametrize(
    ("strategy", "leave", "nearest"),
    [
        ("last", [None, 1.0, 1.0, 3.0, 3.0], [1.0, 1.0, 1.0, 3.0, 3.0]),
        ("next", [1.0, 1.0, 3.0, 3.0, None], [1.0, 1.0, 3.0, 3.0, 3.0]),
        ("linear", [None, 1.0, 2.0, 3.0, None], [1.0, 1.0, 2.0, 3.0, 3.0]),
        ("moving_average", [None, 1.0, 2.0, 3.0, None], [1.0, 1.0, 2.0, 3.0, 3.0]),
    ],
)
def test_edges_follow_the_policy(strategy: str, leave: list[float | None], nearest: list[float]) -> None:
    frame = series([None, 1.0, None, 3.0, None])
    assert FILLS[strategy](frame)["y"].to_list() == leave
    filled = FILLS[strategy](frame, edge="nearest")
    assert filled["y"].to_list() == nearest
    assert filled["fill_strategy"].to_list() == [strategy, None, strategy, None, strategy]
    assert available(filled)[0] == 1
    assert available(filled)[4] == 4


@pytest.mark.parametrize("strategy", FILLS)
def test_a_series_without_a_known_point_stays_null(strategy: str) -> None:
    filled = FILLS[strategy](series([None, None]))
    assert filled["y"].to_list() == [None, None]
    assert filled["fill_strategy"].to_list() == [None, None]
    assert available(filled) == [0, 1]
    if strategy in EDGED:
        assert FILLS[strategy](series([None]), edge="nearest")["y"].to_list() == [None]


@pytest.mark.parametrize("strategy", FITTED)
def test_without_a_known_point_in_the_training_part_nothing_is_fitted(strategy: str) -> None:
    filled = FILLS[strategy](series([None, 1.0, None]), train_end=START + HOUR)
    assert filled["y"].to_list() == [None, 1.0, None]


@pytest.mark.parametrize("strategy", FILLS)
def test_gaps_longer_than_the_limit_are_left_whole(strategy: str) -> None:
    frame = series([1.0, None, 3.0, None, None, 6.0, 7.0, 8.0, 9.0])
    one = FILLS[strategy](frame, max_gap_points=1)["fill_strategy"].to_list()
    assert one == [None, strategy, None, None, None, *[None] * 4]
    two = FILLS[strategy](frame, max_gap_points=2)["fill_strategy"].to_list()
    assert two == [None, strategy, None, strategy, strategy, *[None] * 4]


@pytest.mark.parametrize("strategy", ["mean", "median", "mode", "last", "next", "linear", "moving_average"])
def test_a_flagged_point_is_missing_and_helps_nobody(strategy: str) -> None:
    frame = series([1.0, 500.0, None, 4.0]).with_columns(needs_fill=pl.Series([False, True, None, False]))
    filled = FILLS[strategy](frame)
    assert (
        filled["y"].to_list()
        == {
            "mean": [1.0, 2.5, 2.5, 4.0],
            "median": [1.0, 2.5, 2.5, 4.0],
            "last": [1.0, 1.0, 1.0, 4.0],
            "next": [1.0, 4.0, 4.0, 4.0],
            "linear": [1.0, 2.0, 3.0, 4.0],
            "mode": [1.0, 1.0, 1.0, 4.0],
            "moving_average": [1.0, 2.5, 2.5, 4.0],
        }[strategy]
    )
    assert filled["y_raw"].to_list() == [1.0, 500.0, None, 4.0]
    assert filled["fill_strategy"].to_list() == [None, strategy, strategy, None]


def test_a_flagged_point_that_cannot_be_filled_keeps_its_value() -> None:
    filled = fill_last(series([500.0, 1.0]).with_columns(needs_fill=pl.Series([True, False])))
    assert filled["y"].to_list() == [500.0, 1.0]
    assert filled["y_raw"].to_list() == [500.0, 1.0]
    assert filled["fill_strategy"].to_list() == [None, None]


def test_an_earlier_fill_is_kept_and_not_taken_for_an_observation() -> None:
    first = fill_last(series([1.0, None, None, None, 5.0, None, 7.0]), max_gap_points=1)
    both = fill_mean(first)
    # Observed are 1, 5 and 7: the mean is 13/3, without the 5 that was carried forward.
    assert both["fill_strategy"].to_list() == [None, "mean", "mean", "mean", None, "last", None]
    assert both["y"].to_list() == [1.0, 13 / 3, 13 / 3, 13 / 3, 5.0, 5.0, 7.0]


def test_series_do_not_lend_each_other_values() -> None:
    frame = pl.concat([series([1.0, None]), series([None, 2.0], name="b")])
    for strategy in ("last", "next", "linear", "moving_average"):
        filled = FILLS[strategy](frame)["y"].to_list()
        assert filled == {"last": [1.0, 1.0, None, 2.0], "next": [1.0, None, 2.0, 2.0]}.get(
            strategy, [1.0, None, None, 2.0]
        )
    assert fill_mean(frame)["y"].to_list() == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.filterwarnings("ignore:Mean of empty slice")  # pandas' median of nothing
@given(VALUES, st.randoms(use_true_random=False))
def test_fills_agree_with_pandas(values: list[float | None], random: Any) -> None:
    hours = np.cumsum([random.randint(1, 9) for _ in values]).tolist()
    frame = series(values, hours)
    reference = pd.Series(values, index=pd.DatetimeIndex(frame["ds"].to_list()), dtype=float)
    wanted = {
        "mean": reference.fillna(reference.mean()),
        "median": reference.fillna(reference.median()),
        "last": reference.ffill(),
        "next": reference.bfill(),
        "linear": reference.interpolate(method="time", limit_area="inside"),
        "mode": reference.fillna(reference.mode().min()),
    }
    for strategy, expected in wanted.items():
        got = FILLS[strategy](frame)["y"].to_numpy()
        np.testing.assert_allclose(got, expected.to_numpy(), rtol=1e-9, atol=1e-9)


@given(VALUES, st.sampled_from(sorted(FILLS)), st.integers(0, 3))
def test_flags_explain_every_changed_value_and_a_second_pass_changes_nothing(
    values: list[float | None], strategy: str, limit: int
) -> None:
    filled = FILLS[strategy](series(values), max_gap_points=limit)
    changed = filled["y"].ne_missing(filled["y_raw"])
    assert changed.to_list() == (filled["fill_strategy"] == strategy).fill_null(value=False).to_list()
    assert filled["y_raw"].to_list() == values
    assert FILLS[strategy](filled, max_gap_points=limit).equals(filled)


@given(VALUES, st.sampled_from(sorted(FILLS)), st.integers(0, 24), st.randoms(use_true_random=False))
def test_no_filled_value_depends_on_what_came_after_it_was_available(
    values: list[float | None], strategy: str, cut: int, random: Any
) -> None:
    changed = [v if i <= cut else random.choice([None, -7.0, 1e3]) for i, v in enumerate(values)]
    moment = START + cut * HOUR
    known = [FILLS[strategy](series(v)).filter(pl.col("available_at") <= moment) for v in (values, changed)]
    both = known[0].join(known[1], on="ds", suffix="_changed")
    assert both["y"].equals(both["y_changed"], null_equal=True)


def test_a_pandas_frame_gives_a_pandas_frame() -> None:
    table = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024", periods=3, freq="h"), "y": [1.0, np.nan, 3.0]})
    filled = fill_linear(table)
    assert isinstance(filled, pd.DataFrame)
    assert filled["y"].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"strategy": "guess"},
            rf"^strategy must be one of {', '.join(STRATEGIES)}, got 'guess'\.$",
        ),
        ({"strategy": "moving_average", "window": 0}, r"^window must be 1 or more known points on each side, got 0\.$"),
        ({"edge": "wrap"}, r"^edge must be one of leave, nearest, got 'wrap'\.$"),
        ({"max_gap_points": -1}, r"^max_gap_points must be 0 \(no limit\) or more, got -1\.$"),
    ],
)
def test_unusable_parameters_are_refused(arguments: dict[str, Any], message: str) -> None:
    given_ = {"strategy": "linear", "edge": "leave", "max_gap_points": 0} | arguments
    with pytest.raises(InputError, match=message):
        fill(series([1.0]), profile("a"), **given_)
    if "strategy" not in arguments:
        with pytest.raises(InputError, match=message):
            fill_linear(series([1.0]), **arguments)
        with pytest.raises(InputError, match=message):
            check_filling(**({"edge": "leave", "max_gap_points": 0} | arguments))


def test_the_step_writes_a_layer_of_its_own_where_a_point_is_missing() -> None:
    frame = series([None, 1.0, None, 500.0, 4.0]).with_columns(needs_fill=pl.Series([False] * 3 + [True, False]))
    result = fill(frame, profile("a"), strategy="linear")
    layer = result.frames["filled"]
    assert layer.columns == ["linear", "linear_available_at"]
    assert layer["linear"].to_list() == [None, None, 2.0, 3.0, None]
    assert layer["linear_available_at"].to_list() == [None, None, START + 4 * HOUR, START + 4 * HOUR, None]
    assert result.ledger.rows() == [("a", "ok", None, '{"missing":3,"filled":2,"left":1}')]


def test_the_step_passes_edge_and_limit_on() -> None:
    frame = series([None, 1.0, None, None, 4.0])
    layer = fill(frame, profile("a"), strategy="linear", edge="nearest", max_gap_points=1).frames["filled"]
    assert layer["linear"].to_list() == [1.0, None, None, None, None]


def test_the_step_fits_on_each_series_own_training_part() -> None:
    frame = pl.concat([series([1.0, 3.0, None, 100.0]), series([1.0, 3.0, None, 100.0], name="b")])
    table = pl.concat([profile("b"), profile("a", train_end=START + 2 * HOUR)])
    layer = fill(frame, table, strategy="mean").frames["filled"]
    assert layer["mean"].to_list() == [None, None, 2.0, None, None, None, 104 / 3, None]
    assert layer["mean_fit"].to_list() == [2.0] * 4 + [104 / 3] * 4
    assert layer["mean_fit_available_at"].to_list() == [START + HOUR] * 4 + [START + 3 * HOUR] * 4


@pytest.mark.parametrize("strategy", FITTED)
def test_a_training_part_without_a_known_point_fits_nothing(strategy: str) -> None:
    layer = fill(series([None, 2.0]), profile("a", train_end=START + HOUR), strategy=strategy).frames["filled"]
    assert layer.rows() == [(None, None, None, None)] * 2


def test_an_empty_shard_gives_typed_empty_frames() -> None:
    for strategy in FILLS:
        result = fill(series([]), profile(), strategy=strategy)
        fit = {f"{strategy}_fit": pl.Float64, f"{strategy}_fit_available_at": TIME}
        wanted = {strategy: pl.Float64, f"{strategy}_available_at": TIME}
        assert result.frames["filled"].schema == wanted | (fit if strategy in FITTED else {})
        assert result.frames["scores"].columns == ["unique_id", "strategy", "mask_length", "mae", "points", "weight"]
        assert result.ledger.height == 0


@pytest.mark.parametrize("strategy", FILLS)
def test_shard_composition_does_not_matter_to_the_last_bit(strategy: str) -> None:
    rng = np.random.default_rng(5)
    parts = []
    for name, size, scale in (("a", 70, 1e9), ("b", 33, 1e-6), ("c", 51, 1.0)):
        values = rng.normal(size=size) * scale
        parts.append(series([None if rng.random() < 0.2 else float(v) for v in values], name=name))
    table = profile("a", "b", "c", train_end=START + 45 * HOUR, season=7)
    whole = fill(pl.concat(parts), table, strategy=strategy)
    alone = [fill(part, table, strategy=strategy) for part in parts]
    for name in ("filled", "scores"):
        assert whole.frames[name].equals(pl.concat([one.frames[name] for one in alone]))


def test_every_strategy_has_a_function_of_its_own() -> None:
    assert set(FILLS) == set(STRATEGIES)


@pytest.mark.parametrize(
    ("strategy", "season", "need"),
    [
        ("spline", 2, "fewer than 4 known points"),
        ("seasonal", 2, "fewer than two seasons of known points, or no season at all"),
    ],
)
@pytest.mark.parametrize("edge", ["leave", "nearest"])
def test_a_series_too_short_for_a_strategy_is_skipped_and_left(
    strategy: str, season: int, need: str, edge: Any
) -> None:
    frame = pl.concat([series([1.0, None, 3.0, 4.0]), series([1.0, None, 3.0, 4.0, 5.0], name="b")])
    result = fill(frame, profile("a", "b", season=season), strategy=strategy, edge=edge)
    assert result.ledger.rows() == [
        ("a", "skipped", need, '{"missing":1,"filled":0,"left":1}'),
        ("b", "ok", None, '{"missing":1,"filled":1,"left":0}'),
    ]


@pytest.mark.parametrize("season", [None, 0, 1])
def test_without_a_season_nothing_is_filled_seasonally(season: int | None) -> None:
    result = fill(series([1.0, None, *[3.0] * 20]), profile("a", season=season), strategy="seasonal")
    assert result.ledger["status"].to_list() == ["skipped"]
    assert result.frames["filled"]["seasonal"].null_count() == 22


def test_the_step_passes_the_window_on() -> None:
    frame = series([0.0, 1.0, None, 3.0, 8.0])
    layers = [fill(frame, profile("a"), strategy="moving_average", window=n).frames["filled"] for n in (1, 2)]
    assert [layer["moving_average"][2] for layer in layers] == [2.0, 3.0]
    assert fill_moving_average(frame, window=1)["y"][2] == 2.0


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_largest_values_are_filled_as_smaller_ones_are(name: str) -> None:
    # 2^1024 is more than a number holds, and the sum of these values is. What is filled, and the error, is 2^1018 times
    # that of 8 and 4, to the last bit; a series of ordinary size beside it keeps its own values.
    small = [None if i % 7 == 0 else (-8.0 if i % 10 == 0 else 8.0 / (1 + i % 2)) for i in range(1, 40)]
    unit = 2.0**1018
    plain = fill(series(small), profile("a", season=2), strategy=name, edge="nearest").frames
    both = pl.concat([series([value and value * unit for value in small]), series([1.0, None, 1.0, 1.0], name="b")])
    huge = fill(both, profile("a", "b", season=2), strategy=name, edge="nearest").frames
    values, wanted = huge["filled"][name].to_list(), plain["filled"][name].to_list()
    assert wanted.count(None) == len(small) - 5
    assert values[: len(small)] == [value and value * unit for value in wanted]
    assert values[len(small) + 1] in (1.0, None)
    errors = huge["scores"].filter(unique_id="a")["mae"]
    assert errors.to_list() == [mae and mae * unit for mae in plain["scores"]["mae"]]


def test_a_line_between_the_largest_values_of_both_signs_passes_through_0() -> None:
    # From 1.7e308 to −1.7e308 is a step of 3.4e308, more than a number holds; half of the way is 0.
    frame = series([1.7e308, None, -1.7e308])
    for fill_value in (fill_linear, fill_mean, fill_median, fill_moving_average):
        assert fill_value(frame)["y"].to_list() == [1.7e308, 0.0, -1.7e308]


def test_an_estimate_beyond_what_a_number_holds_is_none() -> None:
    # The spline swings over the largest value that there is: its point stays missing instead of being infinite.
    top = np.finfo(np.float64).max
    frame = series([0.0, top, None, top, 0.0])
    assert fill_spline(frame)["y"].to_list() == [0.0, top, None, top, 0.0]
    assert fill_linear(frame)["y"].to_list() == [0.0, top, top, top, 0.0]


@pytest.mark.parametrize("length", [-3, 0, 1])
def test_a_season_of_fewer_than_two_points_is_refused(length: int) -> None:
    with pytest.raises(InputError, match=rf"^season_length must be 2 points or more, got {length}\."):
        fill_seasonal(series([1.0, None, 2.0]), season_length=length)
