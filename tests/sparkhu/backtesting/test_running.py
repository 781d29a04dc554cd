from pathlib import Path

import jsonschema
import numpy as np
import polars as pl
import pytest

from sparkhu.backtesting.folds import Ett, Rolling
from sparkhu.backtesting.running import Backtest, Progress, backtest
from sparkhu.errors import InputError, SparkhuError
from sparkhu.evaluation import metrics as reference
from sparkhu.models.base import Inputs
from sparkhu.models.naive import LastValue
from sparkhu.results import json_schemas
from sparkhu.training.linear import LinearRecipe
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.tuning.space import Space
from tests.sparkhu.backtesting.made_rows import made_rows, rows_of, values_of
from tests.sparkhu.made_shard import Floats, hours

ROLLING = Rolling(folds=2, horizon=12, input_size=48)
NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def done() -> Backtest:
    return backtest(made_rows(*NAMES), [LinearRecipe()], ROLLING)


class Fixed:
    """A recipe of one model for every group."""

    name = "fixed"
    space: Space = ()

    def __init__(self, model: LastValue) -> None:
        self._model = model

    def fit(self, data: TrainingData, settings: Settings, *, seed: int) -> Fitted:
        return Fitted(dict.fromkeys(data.seasons, self._model), [])


def test_forecasts_begin_at_the_cutoff_and_stand_beside_what_was_observed(done: Backtest) -> None:
    values = {name: values_of(400, seed) for seed, name in enumerate(NAMES)}
    naive = done.forecasts.filter(pl.col("model") == "seasonal_naive")
    assert naive.height == 3 * 2 * 12
    for row in naive.iter_rows(named=True):
        begin = (376, 388)[row["fold"] - 1]
        hour = begin + row["step"] - 1
        assert (row["cutoff"], row["ds"], row["y"]) == (hours(begin - 1), hours(hour), values[row["unique_id"]][hour])
        assert row["y_hat"] == pytest.approx(values[row["unique_id"]][hour - 24])


def test_errors_are_those_of_the_metrics_by_hand(done: Backtest) -> None:
    scores = []
    for seed in range(3):
        values = values_of(400, seed)
        absolute, squared, scaled, percent = [], [], [], []
        for begin in (376, 388):
            history, actual, forecast = values[:begin], values[begin : begin + 12], values[begin - 24 : begin - 12]
            absolute.append(reference.mae(actual, forecast) / history.std())
            squared.append(reference.mse(actual, forecast) / history.var())
            scaled.append(reference.mase(actual, forecast, reference.seasonal_scale(history, 24)))
            percent.append(reference.smape(actual, forecast))
        scores.append([np.mean(each) for each in (absolute, squared, scaled, percent)])
    mae, mse, mase, smape = np.mean(scores, axis=0)
    found = done.metrics["seasonal_naive"]
    assert (found["mae"], found["mse"]) == pytest.approx((mae, mse))
    assert (found["mase"], found["smape"]) == pytest.approx((mase, smape))
    assert found["rmse"] == pytest.approx(np.sqrt(mse))
    assert (found["windows"], found["points"], found["stood_in"], found["relative_mae"]) == (6, 72, 0, 1.0)


def test_owa_and_relative_mae_are_taken_beside_naive2_and_seasonal_naive(done: Backtest) -> None:
    linear, naive2 = done.metrics["linear"], done.metrics["naive2"]
    assert linear["owa"] == pytest.approx(
        reference.owa(
            smape=linear["smape"], mase=linear["mase"], naive2_smape=naive2["smape"], naive2_mase=naive2["mase"]
        )
    )
    assert naive2["owa"] == 1.0
    absolute = dict(done.scores.group_by("model").agg(pl.col("absolute").sum()).iter_rows())
    assert linear["relative_mae"] == pytest.approx(absolute["linear"] / absolute["seasonal_naive"])
    assert done.metrics["groups"]["1h/24"]["linear"]["relative_mae"] == pytest.approx(linear["relative_mae"])


def test_coverage_and_pinball_are_those_of_the_intervals_that_are_written(done: Backtest) -> None:
    rows = done.forecasts.filter(pl.col("model") == "linear").drop_nulls("lo_95")
    inside = rows.select(pl.col("y").is_between("lo_80", "hi_80").mean()).item()
    pooled = done.metrics["groups"]["1h/24"]["linear"]
    assert rows.height == 72
    assert pooled["coverage_80"] == pytest.approx(inside)
    deviation = {(n, f): values_of(400, s)[: (376, 388)[f - 1]].std() for s, n in enumerate(NAMES) for f in (1, 2)}
    losses = []
    for (name, fold), part in rows.partition_by("unique_id", "fold", as_dict=True).items():
        y = part["y"].to_numpy()
        ends = {"lo_80": 0.1, "hi_80": 0.9, "lo_95": 0.025, "hi_95": 0.975}
        made = [reference.pinball(y, part[column].to_numpy(), quantile) for column, quantile in ends.items()]
        losses.append(np.mean(made) / deviation[str(name), int(fold)])
    assert pooled["pinball"] == pytest.approx(np.mean(losses))
    assert done.metrics["naive2"]["pinball"] is None
    assert done.metrics["naive2"]["coverage_80"] is None


def test_the_final_model_forecasts_and_not_the_one_of_the_training_part(done: Backtest) -> None:
    from sparkhu.backtesting.fitting import fit_fold
    from sparkhu.backtesting.forecasts import at_cutoff

    rows = made_rows(*NAMES)
    fold = ROLLING.plan(rows).folds[1]
    fitted = fit_fold(rows, [LinearRecipe()], fold)
    made, trained = at_cutoff(fitted).by_model["linear"].values, fitted.evaluated()["linear"]["1h/24"]
    values = np.array([values_of(400, seed)[340:388] for seed in range(3)])
    scaler = fitted.prepared.shard.scaler
    scaled = (values - scaler.center[:, None]) / scaler.scale[:, None]
    series, cutoffs = pl.Series(NAMES), pl.Series([hours(387)] * 3)
    final = fitted.models["linear"]["1h/24"].predict(Inputs(scaled, series, cutoffs))
    np.testing.assert_allclose(made, final * scaler.scale[:, None] + scaler.center[:, None], rtol=1e-9)
    assert not np.allclose(final, trained.predict(Inputs(scaled, series, cutoffs)))
    written = done.forecasts.filter((pl.col("model") == "linear") & (pl.col("fold") == 2))["y_hat"].to_numpy()
    np.testing.assert_array_equal(written, made.ravel())


def test_what_was_not_observed_is_not_scored() -> None:
    values = values_of(400, 0)
    values[[390, 391, 399]] = np.nan
    rows = rows_of({"a": values, "b": values_of(400, 1)})
    rows = rows.filter((pl.col("ds") != hours(391)) | (pl.col("unique_id") == "b"))
    found = backtest(rows, [], Rolling(folds=1, horizon=12)).scores.filter(pl.col("model") == "last_value")
    assert dict(found.select("unique_id", "points").iter_rows()) == {"a": 9, "b": 12}


def test_rows_beside_their_instant_are_the_outcome_within_a_third_of_a_period() -> None:
    shifts = np.where(np.arange(400) == 395, 15, np.where(np.arange(400) == 396, -25, 0))
    rows = made_rows("a").with_columns(ds=pl.col("ds") + pl.duration(minutes=pl.Series(shifts)))
    found = backtest(rows, [], Rolling(folds=1, horizon=12), leaks=False).forecasts.filter(pl.col("model") == "naive2")
    values = values_of(400, 0)
    assert found["y"].to_list() == [*values[388:396], None, *values[397:]]


def test_seasonal_naive_stands_in_for_what_a_model_cannot_forecast_and_that_is_counted() -> None:
    rows = rows_of({"long": values_of(400, 0)})
    short = made_rows("short").filter(pl.col("ds") >= hours(350))
    result = backtest(pl.concat([rows, short]), [LinearRecipe()], Rolling(folds=1, horizon=12, input_size=48))
    assert result.metrics["linear"]["stood_in"] == 1
    both = result.forecasts.filter(pl.col("unique_id") == "short").pivot("model", index="step", values="y_hat")
    assert both["linear"].to_list() == both["seasonal_naive"].to_list()
    assert both["seasonal_naive"].to_list() == pytest.approx(values_of(400, 0)[364:376].tolist())


def test_the_yardsticks_are_exact_whatever_the_models_are_scaled_by() -> None:
    values = {"a": values_of(400, 0)}
    values["a"][370:388] += 500  # far beyond the range that the power transform brings values back into
    result = backtest(rows_of(values), [], Rolling(folds=1, horizon=12, scaler="power"), leaks=False)
    made = dict(result.forecasts.group_by("model").agg("y_hat").iter_rows())
    assert made["last_value"] == [values["a"][387]] * 12
    assert made["seasonal_naive"] == values["a"][364:376].tolist()


def test_the_intervals_of_seasonal_naive_are_those_of_the_season_that_it_repeats_however_short_the_inputs_are() -> None:
    season = 100 * np.sin(2 * np.pi * np.arange(400) / 24)
    rows = rows_of({name: season + np.random.default_rng(seed).normal(0, 1, 400) for seed, name in enumerate("ab")})
    # The last value is off by the season; a season ago differs by noise alone.
    result = backtest(rows, [], Rolling(folds=1, horizon=24, input_size=6), leaks=False)
    (note,) = [each for each in result.metrics["notes"] if "holds no season" in each]
    assert note.endswith("1h/24: input_size 6 holds no season of 24; seasonal naive looks back a season all the same")
    made = result.forecasts.filter(pl.col("model") == "seasonal_naive")
    assert made.select(((pl.col("hi_80") - pl.col("lo_80")) / 2).max()).item() < 10
    assert made["y"].is_between(made["lo_80"], made["hi_80"]).mean() > 0.6  # type: ignore[operator]


def test_what_was_stood_in_for_has_no_interval_and_is_in_no_coverage() -> None:
    short = made_rows("short").filter(pl.col("ds") >= hours(350))
    rows = pl.concat([made_rows("long"), short])
    result = backtest(rows, [LinearRecipe()], Rolling(folds=1, horizon=12, input_size=48), leaks=False)
    linear = result.forecasts.filter(pl.col("model") == "linear")
    bounds = linear.group_by("unique_id").agg(pl.col("lo_80", "hi_80", "lo_95", "hi_95").count())
    assert {row[0]: set(row[1:]) for row in bounds.iter_rows()} == {"long": {12}, "short": {0}}
    sums = result.scores.filter((pl.col("model") == "linear") & (pl.col("unique_id") == "short"))
    assert sums.select("interval_points_80", "inside_80", "pinball_points", "pinball").row(0) == (0, 0, 0, 0.0)


class Broken(LastValue):
    """Gives NaN for every second window."""

    def predict(self, inputs: Inputs) -> Floats:
        made = super().predict(inputs)
        made[::2] = np.nan
        return made


class Remembering(LastValue):
    """Repeats the mean of the last hundred points."""

    def predict(self, inputs: Inputs) -> Floats:
        return np.repeat(inputs.history(100).mean(axis=1, keepdims=True), self.horizon, axis=1)


def test_a_model_may_look_back_further_than_its_inputs() -> None:
    rows = pl.concat([made_rows("a").filter(pl.col("ds") >= hours(350)), made_rows("b", "c")])
    protocol = Rolling(folds=1, horizon=12, input_size=48)
    result = backtest(rows, [Fixed(Remembering(48, 12, "fixed"))], protocol)
    made = result.forecasts.filter((pl.col("model") == "fixed") & (pl.col("step") == 1))
    means = [values_of(400, seed)[288:388].mean() for seed in (0, 1)]
    assert made["stood_in"].to_list() == [True, False, False]
    assert made["y_hat"].to_list()[1:] == pytest.approx(means)


class Short(LastValue):
    """Gives a step too few."""

    def predict(self, inputs: Inputs) -> Floats:
        return super().predict(inputs)[:, 1:]


def test_a_forecast_that_is_not_finite_is_stood_in_for() -> None:
    result = backtest(made_rows(*NAMES), [Fixed(Broken(48, 12, "fixed"))], ROLLING)
    assert result.metrics["fixed"]["stood_in"] == 4
    assert np.isfinite(result.metrics["fixed"]["mae"])


def test_a_forecast_of_another_shape_and_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(SparkhuError, match=r"fixed gave forecasts of the shape \(3, 11\), wanted \(3, 12\)"):
        backtest(made_rows(*NAMES), [Fixed(Short(48, 12, "fixed"))], ROLLING)
    with pytest.raises(InputError, match="two models are called 'linear'"):
        backtest(made_rows(*NAMES), [LinearRecipe(), LinearRecipe()], ROLLING)


def test_short_series_are_left_out_with_the_reason_and_the_others_go_on() -> None:
    rows = pl.concat([made_rows("a"), made_rows("tiny").filter(pl.col("ds") >= hours(380))])
    result = backtest(rows, [], Rolling(folds=2, horizon=12))
    entries = {row["unique_id"]: row for row in result.entries.iter_rows(named=True)}
    assert (entries["a"]["status"], entries["a"]["counts"]) == ("ok", '{"folds":2}')
    assert entries["tiny"]["status"] == "skipped"
    assert "8 values before the cutoff" in entries["tiny"]["reason"]
    assert (result.metrics["series"], result.metrics["left_out"]) == (1, 1)


def test_where_no_series_can_be_scored_the_first_reason_is_told() -> None:
    with pytest.raises(InputError, match="no series can be scored; the first reason: 4 values before the cutoff"):
        backtest(made_rows("a", n=14), [], Rolling(folds=1, horizon=10))


def test_an_early_fold_whose_series_are_shorter_than_the_input_size_is_left_out_and_the_later_ones_go_on() -> None:
    result = backtest(made_rows("a"), [LinearRecipe()], Rolling(folds=3, horizon=48, input_size=300))
    assert [(fold["number"], fold["series"]) for fold in result.metrics["folds"]] == [(1, 0), (2, 0), (3, 1)]
    (entry,) = result.entries.iter_rows(named=True)
    assert (entry["status"], entry["counts"]) == ("ok", '{"folds":1}')
    first = f"the longest series of 1h/24 has 256 points before the cutoff {hours(256)}, an input size of 300"
    assert entry["reason"].startswith(first)


def test_a_group_whose_series_are_shorter_than_the_input_size_is_left_out_and_the_others_go_on() -> None:
    years = pl.datetime_range(pl.datetime(1980, 1, 1), pl.datetime(2019, 1, 1), "1y", time_unit="us", time_zone="UTC")
    yearly = made_rows("yearly", n=40).with_columns(years.alias("ds"))
    rows = pl.concat([made_rows("hourly"), yearly.with_columns(available_at="ds")])
    result = backtest(rows, [LinearRecipe()], Rolling(folds=2, input_size=48))
    assert list(result.metrics["groups"]) == ["1h/24"]
    entries = {row["unique_id"]: row for row in result.entries.iter_rows(named=True)}
    assert (entries["hourly"]["status"], entries["yearly"]["status"]) == ("ok", "skipped")
    assert "an input size of 48 and a horizon of 6 need 54" in entries["yearly"]["reason"]
    with pytest.raises(InputError, match="no series can be scored; the first reason: the longest series of 1h/24"):
        backtest(made_rows("a"), [], Rolling(input_size=500))


def test_the_document_follows_its_schema_and_says_how_it_asked(done: Backtest) -> None:
    jsonschema.validate(done.metrics, json_schemas()["backtest.schema.json"])
    assert done.metrics["protocol"]["name"] == "rolling"
    assert [(fold["number"], fold["series"], fold["input_size"]) for fold in done.metrics["folds"]] == [
        (1, 3, 48),
        (2, 3, 48),
    ]
    names = [name for name in done.metrics if name in ("linear", "seasonal_naive", "last_value", "naive2")]
    assert min(names, key=lambda name: done.metrics[name]["owa"]) == done.metrics["best"]
    assert done.metrics["best_by"] == "owa"


def test_a_sink_takes_the_forecasts_and_progress_is_told() -> None:
    parts: list[pl.DataFrame] = []
    told: list[Progress] = []
    result = backtest(made_rows("a"), [LinearRecipe()], ROLLING, sink=parts.append, told=told.append)
    assert result.forecasts.is_empty()
    assert [part["fold"].unique().to_list() for part in parts] == [[1], [2]]
    first = [(each.at, each.seconds is None) for each in told if each.fold.number == 1]
    assert first == [
        ("linear", True),
        ("linear", False),
        ("leaks", True),
        ("leaks", False),
        ("scores", True),
        ("1 windows scored", True),
    ]


def test_the_same_data_give_the_same_scores_and_forecasts(done: Backtest) -> None:
    again = backtest(made_rows(*NAMES), [LinearRecipe()], ROLLING)
    assert again.scores.equals(done.scores)
    assert again.forecasts.equals(done.forecasts)


def test_the_errors_on_etth1_are_those_that_are_published(evaluation_data: Path) -> None:
    wide = pl.read_csv(evaluation_data / "ett" / "ETTh1.csv", try_parse_dates=True)
    rows = wide.unpivot(index="date", variable_name="unique_id", value_name="y").select(
        "unique_id",
        pl.col("date").dt.replace_time_zone("UTC").dt.cast_time_unit("us").alias("ds"),
        pl.col("y").cast(pl.Float64),
    )
    rows = rows.with_columns(available_at="ds").sort("unique_id", "ds")
    metrics = backtest(rows, [LinearRecipe()], Ett(), leaks=False, sink=lambda _: None).metrics
    assert metrics["linear"]["windows"] == 7 * 2785
    assert metrics["linear"]["mse"] == pytest.approx(0.370, abs=1e-3)
    assert metrics["linear"]["mae"] == pytest.approx(0.391, abs=1e-3)
    assert 1.294 <= metrics["last_value"]["mse"] <= 1.295
    assert metrics["linear"]["owa"] is None


def test_ett_scores_every_later_window_by_the_model_of_the_training_part() -> None:
    rows = made_rows("a", n=20 * 720)
    result = backtest(rows, [Fixed(LastValue(24, 6, "fixed"))], Ett(horizon=6, input_size=24))
    assert result.metrics["leaks"]["models"] == ["fixed", "last_value", "seasonal_naive"]
    assert result.metrics["fixed"]["coverage_80"] is result.metrics["fixed"]["owa"] is None
    values, begins = values_of(20 * 720, 0), np.arange(16 * 720, 20 * 720 - 5)
    errors = values[begins[:, None] + np.arange(6)] - values[begins - 1][:, None]
    for name in ("fixed", "last_value"):
        found = result.metrics[name]
        assert (found["windows"], found["points"]) == (2875, 2875 * 6)
        assert found["mse"] == pytest.approx((errors**2).mean() / values[: 12 * 720].var())
    naive = result.forecasts.filter((pl.col("model") == "seasonal_naive") & (pl.col("step") == 6))
    assert (naive["ds"].min(), naive["ds"].max()) == (hours(16 * 720 + 5), hours(20 * 720 - 1))
    np.testing.assert_array_equal(naive["y_hat"].to_numpy(), values[begins + 5 - 24])


def test_windows_without_an_observed_point_count_neither_as_scored_nor_as_stood_in_for() -> None:
    values = values_of(20 * 720, 0)
    values[-20:] = np.nan
    protocol = Ett(horizon=6, input_size=24)
    errors = backtest(rows_of({"a": values}), [Fixed(Broken(24, 6, "fixed"))], protocol, leaks=False).metrics["fixed"]
    assert errors["windows"] == 2875 - 15
    assert errors["stood_in"] == 1430
