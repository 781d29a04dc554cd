"""Pooling of fills."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.sections import Filling
from sparkhu.steps.filling import fill
from sparkhu.steps.masks import SCORES
from sparkhu.steps.pooling import DEFAULT_VARIANTS, check_pooling, choose_strategies, pool_fills
from sparkhu.steps.strategies import FITTED, STRATEGIES

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BY_SCORE = "lowest masked error"
BY_TIE = "the simplest of those with the lowest masked error"
SHORT = "not measured: too few known points in the training part to hide any; linear by default"


def series(values: list[float | None], name: str = "a") -> pl.DataFrame:
    ds = [START + h * HOUR for h in range(len(values))]
    return pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def profile(frame: pl.DataFrame, season: int = 1) -> pl.DataFrame:
    ids = frame.select(pl.col("unique_id").unique(maintain_order=True))
    return ids.with_columns(train_end=pl.lit(None, dtype=TIME), season_length=pl.lit(season, dtype=pl.Int64))


def filled_by_all(frame: pl.DataFrame, **options: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    season = options.pop("season", 1)
    results = [fill(frame, profile(frame, season), strategy=name, **options).frames for name in STRATEGIES]
    layers = pl.concat([frame, *[one["filled"] for one in results]], how="horizontal")
    return layers, pl.concat([one["scores"] for one in results])


def scores(*rows: tuple[str, str, int, float | None, float]) -> pl.DataFrame:
    full = [(name, strategy, length, mae, 20, weight) for name, strategy, length, mae, weight in rows]
    return pl.DataFrame(full, schema=SCORES, orient="row")


def choose(*rows: tuple[str, str, int, float | None, float], **options: Any) -> tuple[Any, ...]:
    return choose_strategies(pl.Series(["a"]), scores(*rows), **options).row(0)


def test_hand_worked_weighted_errors() -> None:
    # mean: 0.25·4 + 0.75·4 = 4; last: 0.25·1 + 0.75·3 = 2.5; linear: 0.25·0 + 0.75·3.2 = 2.4.
    rows = [
        ("a", "mean", 1, 4.0, 0.25),
        ("a", "mean", 4, 4.0, 0.75),
        ("a", "last", 1, 1.0, 0.25),
        ("a", "last", 4, 3.0, 0.75),
        ("a", "linear", 1, 0.0, 0.25),
        ("a", "linear", 4, 3.2, 0.75),
    ]
    assert choose(*rows) == ("a", "linear", pytest.approx(2.4), "last", BY_SCORE)


def test_hand_worked_other_weights_turn_the_choice() -> None:
    # Only single gaps: last 1, mean 0.5.
    rows = [
        ("a", "mean", 1, 0.5, 1.0),
        ("a", "mean", 4, 9.0, 0.0),
        ("a", "last", 1, 1.0, 1.0),
        ("a", "last", 4, 0.0, 0.0),
    ]
    assert choose(*rows) == ("a", "mean", 0.5, "last", BY_SCORE)


@pytest.mark.parametrize(
    ("above", "chosen", "reason"), [(1e-9, "median", BY_TIE), (0.0, "median", BY_TIE), (2.1e-9, "linear", BY_SCORE)]
)
def test_a_tie_within_a_billionth_goes_to_the_simpler(above: float, chosen: str, reason: str) -> None:
    choice = choose(("a", "linear", 1, 0.0, 1.0), ("a", "median", 1, above, 1.0))
    assert choice[1] == chosen
    assert choice[3] == {"median": "linear", "linear": "median"}[chosen]
    assert choice[4] == reason


def test_ties_follow_the_order_of_simplicity() -> None:
    names = ["linear", "next", "last", "median", "mean"]
    while names:
        choice = choose(*[("a", name, 1, 3.0, 1.0) for name in names])
        assert choice[1] == names.pop()
        assert choice[3] == (names[-1] if names else None)


def test_a_variant_that_could_not_fill_its_masks_is_not_chosen() -> None:
    rows = [
        ("a", "mean", 1, None, 0.5),
        ("a", "mean", 4, 0.0, 0.5),
        ("a", "last", 1, 5.0, 0.5),
        ("a", "last", 4, 5.0, 0.5),
    ]
    assert choose(*rows) == ("a", "last", 5.0, None, BY_SCORE)


def test_a_series_without_scores_takes_the_line_and_says_why() -> None:
    assert choose(("b", "mean", 1, 0.0, 1.0)) == ("a", "linear", None, None, SHORT)


def test_without_the_line_among_the_variants_the_simplest_stands_in() -> None:
    choice = choose(variants=("next", "median"))
    assert choice == ("a", "median", None, None, SHORT.replace("linear", "median"))


def test_a_choice_by_name_overrides_the_scores_and_keeps_them_in_sight() -> None:
    rows = [("a", "mean", 1, 0.5, 1.0), ("a", "last", 1, 1.0, 1.0), ("a", "next", 1, 2.0, 1.0)]
    assert choose(*rows, choice="next") == ("a", "next", 2.0, "mean", "chosen by name")
    assert choose(choice="next") == ("a", "next", None, None, "chosen by name")


@pytest.mark.parametrize("own", [[], [("a", "linear", 1, None, 1.0)]])
def test_a_choice_by_name_holds_where_it_could_not_be_measured(own: list[Any]) -> None:
    rows = [("a", "mean", 1, 0.5, 1.0), ("a", "last", 1, 0.25, 1.0), *own]
    assert choose(*rows, choice="linear") == ("a", "linear", None, "last", "chosen by name")


def test_the_default_variants_are_those_of_the_settings() -> None:
    assert Filling().variants == DEFAULT_VARIANTS
    assert DEFAULT_VARIANTS == ("mean", "median", "last", "next", "linear", "spline", "seasonal")


@pytest.mark.parametrize("choice", ["", *STRATEGIES, "drop", "leave"])
def test_every_strategy_may_be_chosen_by_name_also_beside_the_variants(choice: str) -> None:
    check_pooling(variants=("mean",), choice=choice)
    chosen = choose(("a", "mean", 1, 0.5, 1.0), ("a", "mode", 1, 0.25, 1.0), variants=("mean",), choice=choice)
    error = {"mode": 0.25, "mean": 0.5, "": 0.5}.get(choice)
    other = None if choice in ("mean", "") else "mean"
    assert chosen == ("a", choice or "mean", error, other, "chosen by name" if choice else BY_SCORE)


@pytest.mark.parametrize("name", ["drop", "leave"])
def test_what_is_not_measured_is_no_variant(name: str) -> None:
    with pytest.raises(InputError, match=rf"^variants must be some of .*, each once, got \['mean', '{name}'\]\.$"):
        check_pooling(variants=("mean", name), choice="")


def test_scores_of_other_strategies_do_not_count() -> None:
    rows = [("a", "mean", 1, 0.5, 1.0), ("a", "last", 1, 1.0, 1.0)]
    assert choose(*rows, variants=("last", "next")) == ("a", "last", 1.0, None, BY_SCORE)


def test_series_choose_apart_in_the_order_given() -> None:
    table = scores(
        ("b", "mean", 1, 0.0, 1.0), ("b", "last", 1, 1.0, 1.0), ("a", "mean", 1, 7.0, 1.0), ("a", "last", 1, 6.0, 1.0)
    )
    chosen = choose_strategies(pl.Series(["b", "a"]), table)
    assert chosen.select("unique_id", "strategy").rows() == [("b", "mean"), ("a", "last")]


def test_the_step_fills_with_the_chosen_layer() -> None:
    ramp: list[float | None] = [float(i) for i in range(20)]
    ramp[7] = None
    layers, table = filled_by_all(series(ramp))
    result = pool_fills(layers, table)
    filled = result.frames["filled"]
    assert filled.columns == ["y", "y_raw", "available_at", "fill_strategy"]
    assert filled["y"].to_list() == pytest.approx([float(i) for i in range(20)])
    assert filled["y_raw"].to_list() == ramp
    assert filled["fill_strategy"].to_list() == ["linear" if i == 7 else None for i in range(20)]
    assert filled["available_at"].to_list() == [START + (8 if i == 7 else i) * HOUR for i in range(20)]
    assert result.frames["choices"].row(0)[:3] == ("a", "linear", pytest.approx(0.0))
    assert result.ledger.rows() == [("a", "ok", None, '{"missing":1,"filled":1,"left":0}')]


@pytest.mark.parametrize(("choice", "value", "hours"), [("mean", 2.0, 2), ("last", 1.0, 1), ("next", 3.0, 2)])
def test_the_choice_by_name_fills(choice: str, value: float, hours: int) -> None:
    layers, table = filled_by_all(series([1.0, None, 3.0]))
    filled = pool_fills(layers, table, choice=choice).frames["filled"]
    assert filled.row(1) == (value, None, START + hours * HOUR, choice)


def test_a_flagged_point_is_replaced_and_its_observed_value_kept() -> None:
    frame = series([1.0, 500.0, 3.0, 4.0]).with_columns(
        needs_fill=pl.Series([False, True, False, False]), y_raw=pl.Series([1.0, 500.0, 3.0, 4.0])
    )
    layers, table = filled_by_all(frame)
    filled = pool_fills(layers, table, choice="linear").frames["filled"]
    assert filled["y"].to_list() == [1.0, 2.0, 3.0, 4.0]
    assert filled["y_raw"].to_list() == [1.0, 500.0, 3.0, 4.0]
    assert filled["fill_strategy"].to_list() == [None, "linear", None, None]


def test_what_the_choice_cannot_fill_stays_as_it_is_and_is_counted() -> None:
    frame = series([None, 1.0, 2.0, 900.0]).with_columns(needs_fill=pl.Series([False, False, False, True]))
    layers, table = filled_by_all(frame)
    result = pool_fills(layers, table, choice="linear")
    filled = result.frames["filled"]
    assert filled["y"].to_list() == [None, 1.0, 2.0, 900.0]
    assert filled["y_raw"].to_list() == [None, 1.0, 2.0, 900.0]
    assert filled["fill_strategy"].to_list() == [None] * 4
    assert filled["available_at"].to_list() == frame["ds"].to_list()
    assert result.ledger["counts"].to_list() == ['{"missing":2,"filled":0,"left":2}']


def test_each_series_of_a_shard_has_its_own_strategy() -> None:
    ramp: list[float | None] = [float(i) for i in range(40)]
    # Mostly zero: the median misses the spikes only, the neighbours of a spike miss more.
    noise: list[float | None] = [5.0 * (i % 4 == 1) - 5.0 * (i % 4 == 3) for i in range(40)]
    ramp[9] = noise[9] = None
    layers, table = filled_by_all(pl.concat([series(ramp), series(noise, "b")]))
    result = pool_fills(layers, table, variants=("median", "last", "next", "linear"))
    assert result.frames["choices"]["strategy"].to_list() == ["linear", "median"]


@given(st.lists(st.floats(-100, 100) | st.none(), min_size=1, max_size=30), st.booleans())
def test_flags_explain_every_changed_value(values: list[float | None], flagged: bool) -> None:
    flags = pl.Series([flagged and i % 5 == 2 for i in range(len(values))])
    layers, table = filled_by_all(series(values).with_columns(needs_fill=flags))
    filled = pool_fills(layers, table).frames["filled"].with_columns(flag=flags)
    changed = filled.filter(pl.col("y").ne_missing(pl.col("y_raw")))
    assert (changed["fill_strategy"].is_not_null() | changed["flag"]).all()
    assert filled["y_raw"].to_list() == values
    kept = filled.filter(pl.col("fill_strategy").is_null())
    assert (kept["y"].is_null() | kept["y"].eq_missing(kept["y_raw"])).all()


def test_shard_composition_does_not_matter() -> None:
    rng = np.random.default_rng(9)
    parts = [
        series([None if rng.random() < 0.2 else float(v) for v in rng.normal(size=n)], name)
        for name, n in (("a", 40), ("b", 3), ("c", 25))
    ]
    whole_layers, whole_scores = filled_by_all(pl.concat(parts))
    whole = pool_fills(whole_layers, whole_scores)
    alone = [pool_fills(*filled_by_all(part)) for part in parts]
    for name in ("filled", "choices"):
        assert whole.frames[name].equals(pl.concat([one.frames[name] for one in alone]))


def test_fills_stay_in_the_valid_range_and_observed_values_are_not_touched() -> None:
    # At hour 1 the cubic through (0, 0), (2, 4), (3, 11), (4, 8) is -3 (worked out in test_refilling); 11 was observed.
    layers, table = filled_by_all(series([0.0, None, 4.0, 11.0, 8.0]))
    limits = pl.DataFrame({"unique_id": ["a"], "valid_min": [1.0], "valid_max": [10.0]})
    free = pool_fills(layers, table, choice="spline")
    held = pool_fills(layers, table, limits=limits, choice="spline")
    assert free.frames["filled"]["y"].to_list() == pytest.approx([0.0, -3.0, 4.0, 11.0, 8.0])
    assert held.frames["filled"]["y"].to_list() == pytest.approx([0.0, 1.0, 4.0, 11.0, 8.0])
    others = ["y_raw", "available_at", "fill_strategy"]
    assert held.frames["filled"].select(others).equals(free.frames["filled"].select(others))
    assert (free.counts, held.counts) == ({"brought_into_range": 0}, {"brought_into_range": 1})
    assert held.frames["choices"].select("valid_min", "valid_max").row(0) == (1.0, 10.0)


def test_an_empty_shard_gives_typed_empty_frames() -> None:
    result = pool_fills(*filled_by_all(series([])))
    assert result.frames["scores"].schema == SCORES
    assert result.frames["filled"].schema == {
        "y": pl.Float64,
        "y_raw": pl.Float64,
        "available_at": TIME,
        "fill_strategy": pl.String,
    }
    assert result.frames["choices"].schema == {
        "unique_id": pl.String,
        "strategy": pl.String,
        "mae": pl.Float64,
        "runner_up": pl.String,
        "reason": pl.String,
        "fit_value": pl.Float64,
        "fit_available_at": TIME,
        "valid_min": pl.Float64,
        "valid_max": pl.Float64,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"variants": ("mean", "guess")},
            r"^variants must be some of mean, median, .*, each once, got \['mean', 'guess'\]\.$",
        ),
        ({"variants": ()}, r"each once, got \[\]\.$"),
        ({"variants": ("mean", "mean")}, r"each once, got \['mean', 'mean'\]\.$"),
        (
            {"choice": "guess"},
            rf"^choice must be empty \(by score\) or one of {', '.join(STRATEGIES)}, drop, leave, got 'guess'\.$",
        ),
    ],
)
def test_unusable_parameters_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_pooling(**({"variants": DEFAULT_VARIANTS, "choice": ""} | arguments))
    with pytest.raises(InputError, match=message):
        pool_fills(*filled_by_all(series([1.0])), **arguments)
    with pytest.raises(InputError, match=message):
        choose(**arguments)


@pytest.mark.parametrize(
    ("choice", "value", "hour"), [("mean", 5.0, 3), ("median", 4.0, 3), ("last", None, None), ("linear", None, None)]
)
def test_what_the_chosen_way_fitted_is_kept(choice: str, value: float | None, hour: int | None) -> None:
    # Of 0, 4 and 11 the mean is 5 and the median 4; all are known at hour 3. Nothing is missing in `b`: still kept.
    frame = pl.concat([series([0.0, None, 4.0, 11.0]), series([0.0, 4.0, 4.0, 12.0], "b")])
    layers, table = filled_by_all(frame)
    kept = (
        pool_fills(layers, table, choice=choice).frames["choices"].select("unique_id", "fit_value", "fit_available_at")
    )
    known = None if hour is None else START + hour * HOUR
    other = {"mean": 5.0, "median": 4.0}.get(choice)
    assert kept.rows() == [("a", value, known), ("b", other, known)]


def test_a_missing_layer_is_named() -> None:
    layers, table = filled_by_all(series([1.0, None]))
    with pytest.raises(InputError, match="column 'next' is missing"):
        pool_fills(layers.drop("next"), table)
    with pytest.raises(InputError, match="column 'next_available_at' is missing"):
        pool_fills(layers.drop("next_available_at"), table)
    with pytest.raises(InputError, match="column 'mean_fit' is missing"):
        pool_fills(layers.drop("mean_fit"), table)
    with pytest.raises(InputError, match="column 'median_fit_available_at' is missing"):
        pool_fills(layers.drop("median_fit_available_at"), table)
    with pytest.raises(InputError, match="column 'weight' is missing"):
        pool_fills(layers, table.drop("weight"))


@pytest.mark.parametrize(("choice", "label"), [("drop", "drop"), ("leave", None)])
def test_missing_and_flagged_points_are_dropped_or_left_by_name(choice: str, label: str | None) -> None:
    frame = series([1.0, None, 500.0, 4.0]).with_columns(needs_fill=pl.Series([False, False, True, False]))
    layers, table = filled_by_all(frame)
    result = pool_fills(layers, table, choice=choice)
    filled = result.frames["filled"]
    assert filled["y"].to_list() == [1.0, None, None if choice == "drop" else 500.0, 4.0]
    assert filled["y_raw"].to_list() == [1.0, None, 500.0, 4.0]
    assert filled["fill_strategy"].to_list() == [None, label, label, None]
    assert filled["available_at"].to_list() == frame["ds"].to_list()
    assert result.ledger["counts"].to_list() == ['{"missing":2,"filled":0,"left":2}']
    assert result.frames["choices"].select("strategy", "mae", "reason").row(0) == (choice, None, "chosen by name")


def test_layers_that_are_not_looked_at_need_not_be_there() -> None:
    layers, table = filled_by_all(series([1.0, None, 3.0]))
    few = layers.select("unique_id", "ds", "y", "available_at", "linear", "linear_available_at")
    assert pool_fills(few, table, variants=("linear",)).frames["filled"]["y"][1] == 2.0
    with pytest.raises(InputError, match="column 'spline' is missing"):
        pool_fills(few, table, variants=("linear",), choice="spline")


def test_the_fitted_value_of_a_choice_beside_the_variants_is_kept() -> None:
    layers, table = filled_by_all(series([1.0, None, 1.0, 3.0]))
    choices = pool_fills(layers, table, variants=("linear",), choice="mode").frames["choices"]
    assert choices["fit_value"].to_list() == [1.0]
    assert set(FITTED) == {"mean", "median", "mode"}


def test_all_scores_are_kept_by_series_from_the_simplest_on() -> None:
    values: list[float | None] = [float(i % 7) for i in range(40)]
    layers, table = filled_by_all(pl.concat([series(values), series(values, "b")]), season=7)
    kept = pool_fills(layers, table.sample(fraction=1, shuffle=True, seed=1)).frames["scores"]
    assert kept["unique_id"].to_list() == ["a"] * 27 + ["b"] * 27
    assert kept["strategy"].unique(maintain_order=True).to_list() == [
        "mean", "median", "mode", "last", "next", "linear", "spline", "seasonal", "moving_average"
    ]  # fmt: skip
    assert kept["mask_length"].to_list()[:3] == [1, 4, 7]


def test_a_series_too_short_for_a_strategy_does_not_take_it() -> None:
    # A season of 6 on 12 points: two seasons are known, but not once a point is hidden.
    swing: list[float | None] = [[0.0, 9.0, -7.0, 8.0, -9.0, 3.0][i % 6] for i in range(30)]
    _, short = filled_by_all(series(swing[:12]), season=6)
    seasonal = short.filter(pl.col("strategy") == "seasonal")
    assert seasonal["mae"].to_list() == [None, None]
    layers, table = filled_by_all(pl.concat([series(swing[:12]), series(swing, "b")]), season=6)
    chosen = pool_fills(layers, table).frames["choices"]["strategy"].to_list()
    assert chosen[0] != "seasonal"
    assert chosen[1] == "seasonal"
