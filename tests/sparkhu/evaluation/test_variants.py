"""What cleaning brings: planted cases in which it must be kept and must not, and what may not move the choice.

Hourly series of 400 points with a season of 24; the training part ends at hour 280, the choosing half of validation at
hour 310, validation at hour 340.
"""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sparkhu.evaluation.variants import (
    DIGITS,
    NO_MODELS,
    common_windows,
    fit_variants,
    measure_variants,
    variant_grams,
)
from sparkhu.models.linear import Linear
from sparkhu.models.naive import SeasonalNaive
from sparkhu.steps.cleaning import ERRORS, NONE, OUTLIERS, VARIANTS, choose_variants, clean_inputs, find_candidates
from tests.sparkhu.made_shard import Floats, cleaned_of, hours, profile_of, shard_of
from tests.sparkhu.window_inputs import inputs as window_inputs

HOURS, TRAIN, CHOSEN, VALID = 400, 280, 310, 340
SPIKES = np.array([40, 75, 110, 145, 180, 215, 250])
DAILY = np.arange(HOURS) % 24 == 8


def seasonal(seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(0, 0.3, HOURS)
    return 10 + 3 * np.sin(2 * np.pi * np.arange(HOURS) / 24) + noise


def spiked(values: Floats, at: np.ndarray = SPIKES, by: float = 40.0) -> Floats:
    spiky = values.copy()
    spiky[at] += by
    return spiky


def plan_of(rows: pl.DataFrame, borders: tuple[int, int, int] = (TRAIN, VALID, HOURS)) -> pl.DataFrame:
    names = rows["unique_id"].unique(maintain_order=True)
    table = profile_of(["", *names], borders=borders, sizes=(24, 6), season=24, group="1h/24")
    return table.filter(pl.col("unique_id").is_in(names.implode()))


def measured(*shards: pl.DataFrame, borders: tuple[int, int, int] = (TRAIN, VALID, HOURS)) -> pl.DataFrame:
    plans = [plan_of(rows, borders) for rows in shards]
    found = [find_candidates(rows, plan) for rows, plan in zip(shards, plans, strict=True)]
    changed = [table.filter(pl.col("candidates") != NONE)["unique_id"] for table in found]
    grams = [variant_grams(*given) for given in zip(shards, plans, changed, strict=True)]
    models = fit_variants(grams, pl.concat(plans))
    tables = [measure_variants(*given, models=models) for given in zip(shards, plans, found, strict=True)]
    return pl.concat(tables)


def kept(*shards: pl.DataFrame) -> list[str]:
    return choose_variants(measured(*shards))["kept"].to_list()


POLLUTED = cleaned_of({"a": spiked(seasonal(1))}, {"a": seasonal(1)})
BURSTS = spiked(seasonal(3), np.flatnonzero(DAILY), 20.0)


def test_isolated_spikes_in_the_training_part_alone_are_cleaned() -> None:
    assert kept(POLLUTED) == ["outliers"]


def test_anomalies_of_the_training_part_are_handled_where_that_helps() -> None:
    rows = cleaned_of({"a": spiked(seasonal(1))}, None, {"a": seasonal(1)}, handled_known=TRAIN - 1)
    assert kept(rows) == ["anomalies"]


def test_what_one_step_leaves_the_other_takes() -> None:
    raw, half = spiked(seasonal(1)), spiked(seasonal(1), SPIKES[::2])
    rows = cleaned_of({"a": raw}, {"a": half}, {"a": seasonal(1)}, handled_known=TRAIN - 1)
    assert kept(rows) == ["outliers+anomalies"]


def test_bursts_that_recur_and_matter_stay() -> None:
    flat = np.where(DAILY, seasonal(3), BURSTS)
    assert kept(cleaned_of({"a": BURSTS}, {"a": flat})) == ["none"]
    # Each window of 24 hours holds a burst: handled, none is left to train on, so that variant cannot be measured.
    handled = cleaned_of({"a": BURSTS}, None, {"a": flat}, handled_known=TRAIN - 1)
    assert kept(handled) == ["none"]
    assert measured(handled)["error_anomalies"].to_list() == [None]


def test_heavy_tails_that_carry_on_into_the_next_hours_stay() -> None:
    # Shocks of a Student's t with 2 degrees of freedom fade by 0.8 an hour: what lies beyond the fences says most.
    noise, level = np.random.default_rng(8).standard_t(2, HOURS), np.zeros(HOURS)
    for hour in range(1, HOURS):
        level[hour] = 0.8 * level[hour - 1] + noise[hour]
    clipped = np.clip(level, *np.quantile(level[:TRAIN], [0.05, 0.95]))
    assert kept(cleaned_of({"a": level}, {"a": clipped})) == ["none"]


def test_series_that_cleaning_leaves_alone_are_not_measured() -> None:
    rows = pl.concat([POLLUTED, cleaned_of({"b": seasonal(2)})])
    found = measured(rows).row(1, named=True)
    assert [found[name] for name in ("unique_id", "candidates", "windows")] == ["b", NONE, 0]
    assert [found[name] for name in ERRORS.values()] == [None] * 4


def test_an_error_is_the_mean_absolute_one_in_the_deviations_of_the_raw_training_part() -> None:
    # By hand: the model of each variant on the inputs of that variant, its targets the observed values.
    plan, table = plan_of(POLLUTED), measured(POLLUTED)
    deviation = spiked(seasonal(1))[:TRAIN].std()
    models = fit_variants([variant_grams(POLLUTED, plan, pl.Series(["a"]))], plan).by_variant
    for variant in (NONE, OUTLIERS):
        rows = POLLUTED.with_columns(clean_inputs(POLLUTED, plan, variant).get_columns())
        scaler = shard_of(rows, plan).scalers.row(0, named=True)
        scaled = (rows["y"].to_numpy() - scaler["center"]) / scaler["scale"]
        ends = range(TRAIN, CHOSEN - 5)
        inputs = np.array([scaled[end - 24 : end] for end in ends])
        truth = np.array([POLLUTED["y_raw"].to_numpy()[end : end + 6] for end in ends])
        forecast = models[variant]["1h/24"].predict(window_inputs(inputs)) * scaler["scale"] + scaler["center"]
        expected = np.abs(forecast - truth).mean() / deviation
        assert table[ERRORS[variant]][0] == pytest.approx(expected, rel=10.0 ** (1 - DIGITS))
        assert table["windows"][0] == len(ends)


def test_filled_values_are_no_truth() -> None:
    # Hour 308 was not observed and is filled with a million: a target of the last two choosing windows, no input.
    gap = np.arange(HOURS) == 308
    rows = cleaned_of({"a": np.where(gap, np.nan, spiked(seasonal(1)))}, {"a": np.where(gap, 1e6, seasonal(1))})
    assert rows.filter(pl.col("y") == 1e6).height == 1
    assert measured(rows)["error_outliers"][0] < 1
    assert measured(rows)["windows"].to_list() == measured(POLLUTED)["windows"].to_list()


def test_the_windows_are_those_that_are_valid_in_all_variants_and_known_in_the_last() -> None:
    columns = {"unique_id": ["a"] * 3, "offset": [0, 1, 2], "reason": [None, None, None]}
    schema = {"inputs_available_at": pl.Datetime("us", "UTC"), "targets_available_at": pl.Datetime("us", "UTC")}

    def table(valid: list[bool], inputs: list[int], targets: list[int]) -> pl.DataFrame:
        times = {"inputs_available_at": map(hours, inputs), "targets_available_at": map(hours, targets)}
        known = {name: list(moments) for name, moments in times.items()}
        return pl.DataFrame({**columns, "valid": valid, **known}, schema_overrides=schema)

    one = table([True, True, False], [1, 2, 3], [4, 5, 6])
    other = table([True, False, False], [3, 1, 3], [2, 8, 6])
    found = common_windows([one, other])
    assert found["valid"].to_list() == [True, False, False]
    assert found["inputs_available_at"].to_list() == [hours(3), hours(2), hours(3)]
    assert found["targets_available_at"].to_list() == [hours(4), hours(8), hours(6)]
    assert_frame_equal(common_windows([one]), one)


def test_a_window_that_one_variant_lacks_is_scored_in_none() -> None:
    # Refilled two hours late, the outlier of hour 290 is no input of a window that ends within these hours.
    late = spiked(seasonal(1), np.array([290]))
    rows = cleaned_of({"a": spiked(late)}, {"a": seasonal(1)})
    assert measured(rows)["windows"][0] == measured(POLLUTED)["windows"][0] - 1


def test_without_a_linear_model_seasonal_naive_measures() -> None:
    # 24 hours of training hold no window of 24 + 6; the naive model of three seasons' inputs does not need one.
    rows = cleaned_of({"a": spiked(seasonal(1), np.array([29]))}, {"a": seasonal(1)})
    found = measured(rows, borders=(29, 100, 120))
    assert found["model"].to_list() == ["seasonal_naive"]
    assert found["error_raw"][0] > found["error_outliers"][0] > 0
    assert found["windows"][0] > 0
    plan = plan_of(rows, borders=(29, 100, 120))
    models = fit_variants([variant_grams(rows, plan, pl.Series(["a"]))], plan)
    assert models.stood_in == {"1h/24"}
    assert {type(model["1h/24"]) for model in models.by_variant.values()} == {SeasonalNaive}


def test_linear_models_are_those_of_the_training_part() -> None:
    plan = plan_of(POLLUTED)
    models = fit_variants([variant_grams(POLLUTED, plan, pl.Series(["a"]))], plan)
    assert models.stood_in == frozenset()
    model = models.by_variant[NONE]["1h/24"]
    assert isinstance(model, Linear)
    assert np.array_equal(model.weights, model.evaluation_weights)


def test_without_models_or_windows_nothing_is_measured() -> None:
    plan = plan_of(POLLUTED)
    found = measure_variants(POLLUTED, plan, find_candidates(POLLUTED, plan), models=NO_MODELS)
    assert found.select(*ERRORS.values(), "windows").row(0) == (None, None, None, None, 0)
    ungrouped = plan.with_columns(group=pl.lit(None, pl.String), input_size=pl.lit(None, pl.Int64))
    assert variant_grams(POLLUTED, ungrouped, pl.Series(["a"])) == {key: {} for key in ("alike", *VARIANTS)}
    short = measured(POLLUTED, borders=(TRAIN, TRAIN + 3, HOURS))
    assert short.select(*ERRORS.values(), "windows").row(0) == (None, None, None, None, 0)
    assert choose_variants(short)["kept"].to_list() == ["none"]


def test_a_shard_without_rows_adds_nothing() -> None:
    assert_frame_equal(measured(POLLUTED, POLLUTED.clear()), measured(POLLUTED))


def moved(rows: pl.DataFrame, hour: int) -> pl.DataFrame:
    """Change all values from an hour on, and make some of them outliers."""
    late = pl.col("ds") >= hours(hour)
    refilled = pl.when(late & (pl.int_range(pl.len()) % 7 == 0))
    return rows.with_columns(
        y=pl.when(late).then(pl.col("y") + 50).otherwise("y"),
        y_raw=refilled.then(999.0).when(late).then(pl.col("y_raw") - 3).otherwise("y_raw"),
        fill_strategy=refilled.then(pl.lit("linear")).otherwise("fill_strategy"),
        is_outlier=refilled.then(pl.lit(value=True)).otherwise("is_outlier"),
    )


@pytest.mark.parametrize("hour", [CHOSEN, VALID])
@pytest.mark.parametrize("rows", [POLLUTED, cleaned_of({"a": BURSTS}, {"a": np.where(DAILY, seasonal(3), BURSTS)})])
def test_nothing_behind_the_choosing_half_moves_the_choice(rows: pl.DataFrame, hour: int) -> None:
    assert_frame_equal(measured(moved(rows, hour)), measured(rows))


@settings(max_examples=5)
@given(st.integers(CHOSEN, HOURS - 1), st.floats(-1e3, 1e3))
def test_no_single_later_value_moves_the_choice(hour: int, value: float) -> None:
    there = pl.col("ds") == hours(hour)
    changed = pl.when(there).then(pl.lit(value))
    rows = POLLUTED.with_columns(y=changed.otherwise("y"), y_raw=changed.otherwise("y_raw"))
    assert_frame_equal(measured(rows), measured(POLLUTED))


def test_a_planted_leak_is_refused_as_input_and_brings_nothing() -> None:
    # The handled value of an hour tells the value six hours behind it. Dated honestly, at the end of the training part,
    # no training window takes it; dated at its own hour, it would teach a weight that serving cannot use.
    noise = np.random.default_rng(4).normal(0, 1, HOURS)
    series = 10 + np.convolve(noise, np.ones(3), "same")
    future = np.append(series[6:], np.full(6, 10.0))
    leak = np.where(np.arange(HOURS) < TRAIN, future, series)
    honest = cleaned_of({"a": series}, None, {"a": leak}, handled_known=TRAIN - 1)
    found = measured(honest)
    assert found["error_anomalies"].to_list() == [None]
    assert choose_variants(found)["kept"].to_list() == ["none"]
    few = np.where(np.arange(HOURS) % 50 == 7, leak, series)
    planted = cleaned_of({"a": series}, None, {"a": few}, handled_known=TRAIN - 1)
    plan = plan_of(planted)
    train = variant_grams(planted, plan, pl.Series(["a"]))["anomalies"]["1h/24"].train
    lying = variant_grams(
        planted.with_columns(handled_available_at="available_at"), plan, pl.Series(["a"])
    )["anomalies"]["1h/24"].train  # fmt: skip
    holding = sum(any(hour % 50 == 7 for hour in range(at, at + 24)) for at in range(TRAIN - 29))
    assert lying.windows - train.windows == holding


def test_any_sharding_gives_the_same_errors() -> None:
    parts = [POLLUTED, cleaned_of({"b": seasonal(2)}), cleaned_of({"c": spiked(seasonal(5))}, {"c": seasonal(5)})]
    parts.append(cleaned_of({"d": BURSTS}, None, {"d": seasonal(3)}, handled_known=TRAIN - 1))
    whole = measured(pl.concat(parts))
    assert_frame_equal(measured(*parts), whole, check_exact=True)
    assert_frame_equal(measured(pl.concat(parts[:2]), pl.concat(parts[2:])), whole, check_exact=True)
