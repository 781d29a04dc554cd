import json
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.evaluation.conformal import borrow, calibrate_shard, merge_pools
from sparkhu.forecasting import SCHEMA, forecast
from sparkhu.frame import TIME
from sparkhu.models.base import Floats, Inputs, Models
from sparkhu.models.candidates import candidates
from sparkhu.models.linear import Linear, LinearSettings
from sparkhu.models.naive import LastValue
from sparkhu.steps.normalisation import SCALERS, Scaler
from sparkhu.training.gram import gram_shard
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import MadeShard, hours, made_shard, profile_of, sequences_of, shard_of
from tests.sparkhu.window_inputs import inputs

NO_INTERVALS = pl.DataFrame(
    schema={
        "unique_id": pl.String,
        "model": pl.String,
        "step": pl.Int64,
        "radius_80": pl.Float64,
        "radius_95": pl.Float64,
    }
)


def models_of(made: MadeShard) -> Models:
    return candidates(made.profile, fit_groups(gram_shard(assemble(*made)))[0])


def intervals_of(made: MadeShard, models: Models) -> pl.DataFrame:
    calibration = calibrate_shard(assemble(*made), models=models)
    return borrow(calibration.table, merge_pools([calibration]))


def forecasts_of(made: MadeShard, champion: str = "linear", models: Models | None = None) -> pl.DataFrame:
    chosen = models or models_of(made)
    result = forecast(
        made.sequences, made.profile, made.scalers, intervals_of(made, chosen), models=chosen, champion=champion
    )
    return result.frames["forecasts"]


def test_every_series_is_forecast_from_its_newest_input_in_its_own_units() -> None:
    made = made_shard("a", "b")
    models = models_of(made)
    found = forecasts_of(made, models=models)
    assert dict(found.schema) == SCHEMA
    assert found["unique_id"].to_list() == ["a", "a", "b", "b"]
    assert found["cutoff"].to_list() == [hours(99)] * 4
    assert found["ds"].to_list() == [hours(100), hours(101)] * 2
    assert found["available_at"].to_list() == [hours(99)] * 4
    assert set(found["model"]) == {"linear"}
    values = made.sequences.filter(unique_id="b")["y"].to_numpy()
    center, scale = made.scalers.filter(unique_id="b").select("center", "scale").row(0)
    wanted = models["linear"]["1h/3"].predict(inputs((values[None, -4:] - center) / scale))[0] * scale + center
    np.testing.assert_allclose(found.filter(unique_id="b")["y_hat"], wanted, rtol=1e-12)


class LookingBack(LastValue):
    """Repeats the mean of its last ten points, of which an input holds four."""

    def predict(self, inputs: Inputs) -> Floats:
        return np.repeat(np.nanmean(inputs.history(10), axis=1, keepdims=True), self.horizon, axis=1)


def test_a_model_that_looks_further_back_is_given_what_its_series_had_before() -> None:
    random = np.random.default_rng(0)
    series = {"a": random.normal(20, 1, 100), "b": random.normal(30, 1, 7), "c": random.normal(9, 1, 90)}
    series["c"][83] = np.nan
    made = shard_of(sequences_of(series), profile_of(list(series)))
    models = {**models_of(made), "looking_back": {"1h/3": LookingBack(4, 2)}}
    found = forecast(made.sequences, made.profile, made.scalers, NO_INTERVALS, models=models, champion="looking_back")
    for name, values in series.items():
        y_hat = found.frames["forecasts"].filter(unique_id=name)["y_hat"]
        np.testing.assert_allclose(y_hat, [np.nanmean(values[-10:])] * 2)


def test_intervals_are_the_half_widths_in_the_series_units() -> None:
    made = made_shard("a", n=400, borders=(200, 300, 400))
    models = models_of(made)
    found = forecasts_of(made, models=models)
    radii = intervals_of(made, models).filter(model="linear").sort("step")
    scale = made.scalers["scale"][0]
    np.testing.assert_allclose(found["hi_80"] - found["y_hat"], radii["radius_80"] * scale, rtol=1e-9)
    np.testing.assert_allclose(found["y_hat"] - found["lo_95"], radii["radius_95"] * scale, rtol=1e-9)
    assert (found["lo_95"] <= found["lo_80"]).all()
    assert (found["hi_80"] <= found["hi_95"]).all()


@pytest.mark.parametrize("scaler", SCALERS)
def test_every_scaler_is_inverted(scaler: Scaler) -> None:
    # The last value scaled, repeated and brought back is the last value itself.
    made = made_shard("a", "b", scaler=scaler)
    found = forecasts_of(made, "last_value")
    last = made.sequences.group_by("unique_id", maintain_order=True).last()["y"].to_list()
    np.testing.assert_allclose(found["y_hat"], np.repeat(last, 2), rtol=1e-7)
    assert (found["lo_80"] < found["y_hat"]).all()


def test_seasonal_naive_repeats_the_last_season() -> None:
    made = shard_of(sequences_of({"a": np.arange(100.0)}), profile_of(["a"]))
    assert forecasts_of(made, "seasonal_naive")["y_hat"].to_list() == pytest.approx([97.0, 98.0])


def test_what_the_champion_cannot_do_falls_back_and_says_so() -> None:
    values = np.random.default_rng(1).normal(10, 1, 100)
    holed, recent = values.copy(), values.copy()
    holed[96] = np.nan  # three points since: a season, but no input of four
    recent[97] = np.nan  # two points since: not even a season
    rows = sequences_of({"a": values, "b": holed, "c": recent, "d": values[:2]})
    made = shard_of(rows, profile_of(["a", "b", "c", "d"]))
    models = models_of(made)
    result = forecast(
        made.sequences, made.profile, made.scalers, intervals_of(made, models), models=models, champion="linear"
    )
    found = result.frames["forecasts"]
    assert found["model"].to_list() == ["linear"] * 2 + ["seasonal_naive"] * 2 + ["last_value"] * 4
    assert found.filter(unique_id="b")["y_hat"].to_list() == pytest.approx(values[[97, 98]].tolist())
    assert found.filter(unique_id="c")["y_hat"].to_list() == pytest.approx([values[99]] * 2)
    assert found.filter(unique_id="d")["ds"].to_list() == [hours(2), hours(3)]
    assert found["lo_95"].null_count() == 0
    assert result.ledger.select("unique_id", "status", "reason").rows() == [
        ("a", "ok", None),
        ("b", "skipped", "forecast by seasonal_naive, not linear: 3 points since the last hole, the input needs 4"),
        ("c", "skipped", "forecast by last_value, not linear: 2 points since the last hole, the input needs 4"),
        ("d", "skipped", "forecast by last_value, not linear: 2 points, the input needs 4"),
    ]
    assert json.loads(result.ledger["counts"][0]) == {"forecast_points": 2}


def test_a_group_without_a_champion_falls_back() -> None:
    made = made_shard("a")
    models = candidates(made.profile, {})
    result = forecast(made.sequences, made.profile, made.scalers, NO_INTERVALS, models=models, champion="linear")
    assert set(result.frames["forecasts"]["model"]) == {"seasonal_naive"}
    why = "no linear model of its group, or an input that does not move"
    assert result.ledger["reason"].to_list() == [f"forecast by seasonal_naive, not linear: {why}"]


def test_a_series_that_does_not_move_is_forecast_as_it_is() -> None:
    moving = np.random.default_rng(2).normal(size=100).cumsum()
    rows = sequences_of({"a": moving, "still": np.full(100, 5.0)})
    made = shard_of(rows, profile_of(["a", "still"]))
    found = forecasts_of(made)
    assert set(found.filter(unique_id="a")["model"]) == {"linear"}
    assert set(found.filter(unique_id="still")["model"]) == {"seasonal_naive"}
    assert set(found.filter(unique_id="still")["y_hat"]) == {5.0}


def test_a_forecast_that_is_not_finite_is_not_given() -> None:
    made = made_shard("a")
    broken = Linear(np.full((4, 2), np.inf), np.zeros(2), np.zeros((4, 2)), np.zeros(2), LinearSettings(1.0))
    with np.errstate(invalid="ignore"):
        found = forecasts_of(made, models=candidates(made.profile, {"1h/3": broken}))
    assert set(found["model"]) == {"seasonal_naive"}


def test_trailing_missing_points_move_the_cutoff_back() -> None:
    values = np.random.default_rng(1).normal(10, 1, 100)
    values[98:] = np.nan
    found = forecasts_of(shard_of(sequences_of({"a": values}), profile_of(["a"])))
    assert found["cutoff"].to_list() == [hours(97)] * 2
    assert found["ds"].to_list() == [hours(98), hours(99)]
    assert set(found["model"]) == {"linear"}


def test_series_without_period_or_scaler_or_value_have_no_forecast() -> None:
    made = made_shard("a", "b", "c", "d")
    unknown = pl.col("unique_id") == "b"
    profile = made.profile.with_columns(
        *[pl.when(~unknown).then(name).alias(name) for name in ("period_label", "group", "input_size", "horizon")]
    )
    sequences = made.sequences.with_columns(y=pl.when(pl.col("unique_id") != "d").then("y"))
    scalers = made.scalers.filter(pl.col("unique_id") != "c")
    models = candidates(profile, {})
    result = forecast(sequences, profile, scalers, NO_INTERVALS, models=models, champion="last_value")
    assert result.frames["forecasts"]["unique_id"].to_list() == ["a", "a"]
    missing = "no forecast: it has no plan, no scaler or no value"
    assert result.ledger.select("status", "reason").rows() == [
        ("ok", None),
        ("skipped", "no forecast: no period was found"),
        ("skipped", missing),
        ("skipped", missing),
    ]


def test_forecasts_without_intervals_have_null_bounds() -> None:
    made = made_shard("a")
    found = forecast(
        made.sequences, made.profile, made.scalers, NO_INTERVALS, models=models_of(made), champion="linear"
    ).frames["forecasts"]
    assert found["y_hat"].null_count() == 0
    assert found.select("lo_80", "hi_80", "lo_95", "hi_95").null_count().row(0) == (2, 2, 2, 2)


def test_steps_are_those_of_the_calendar() -> None:
    months = pl.datetime_range(datetime(2016, 1, 31), datetime(2024, 4, 30), "1mo", time_zone="UTC", eager=True)
    made = made_shard("a", n=100)
    rows = made.sequences.with_columns(ds=months.cast(TIME), available_at=months.cast(TIME))
    profile = made.profile.with_columns(period_label=pl.lit("1mo"))
    models = candidates(profile, {})
    found = forecast(rows, profile, made.scalers, NO_INTERVALS, models=models, champion="last_value")
    assert found.frames["forecasts"]["ds"].to_list() == [
        datetime(2024, 5, 31, tzinfo=UTC),
        datetime(2024, 6, 30, tzinfo=UTC),
    ]


def test_months_keep_the_day_and_the_zone_of_their_profile() -> None:
    # Midnights of Berlin on the 30th: 29 February stands in for the 30th, and March has a 30th again.
    made = made_shard("a", "b", n=100)
    months = pl.datetime_range(
        datetime(2015, 10, 30), datetime(2024, 1, 30), "1mo", time_zone="Europe/Berlin", eager=True
    ).dt.convert_time_zone("UTC")
    ds = pl.concat([months, months]).cast(TIME)
    rows = made.sequences.with_columns(ds=ds, available_at=ds)
    profile = made.profile.with_columns(
        period_label=pl.lit("1mo"), zone=pl.lit("Europe/Berlin"), month_day=pl.Series([30, None], dtype=pl.Int64)
    )
    models = candidates(profile, {})
    result = forecast(rows, profile, made.scalers, NO_INTERVALS, models=models, champion="last_value")
    berlin = result.frames["forecasts"]["ds"].dt.convert_time_zone("Europe/Berlin").dt.strftime("%Y-%m-%d %H")
    assert berlin.to_list() == ["2024-02-29 00", "2024-03-30 00"] * 2


def test_days_keep_their_local_midnight() -> None:
    midnights = pl.datetime_range(
        datetime(2024, 7, 18), datetime(2024, 10, 25), "1d", time_zone="Europe/Berlin", eager=True
    ).dt.convert_time_zone("UTC")
    made = made_shard("a", n=100)
    rows = made.sequences.with_columns(ds=midnights.cast(TIME), available_at=midnights.cast(TIME))
    profile = made.profile.with_columns(period_label=pl.lit("1d"), horizon=pl.lit(3, pl.Int64))
    models = candidates(profile, {})
    found = forecast(
        rows, profile, made.scalers, NO_INTERVALS, models=models, champion="last_value", zone="Europe/Berlin"
    ).frames["forecasts"]
    steps = [after - before for before, after in zip(found["ds"], found["ds"][1:], strict=False)]
    assert steps == [timedelta(days=1), timedelta(hours=25)]


def test_the_latest_input_says_from_when_a_forecast_could_be_made() -> None:
    made = made_shard("a")
    late = made.sequences.with_columns(
        available_at=pl.when(pl.int_range(pl.len()) == 97).then(pl.lit(hours(150)).cast(TIME)).otherwise("available_at")
    )
    assert forecasts_of(made._replace(sequences=late))["available_at"].to_list() == [hours(150)] * 2


def test_an_unknown_champion_is_refused() -> None:
    made = made_shard("a")
    with pytest.raises(InputError, match=r"^champion must be one of linear, seasonal_naive, last_value, got 'oracle'$"):
        forecasts_of(made, "oracle")


def test_an_empty_shard_has_no_forecasts() -> None:
    made = made_shard("a")
    empty = MadeShard(*(frame.clear() for frame in made))
    result = forecast(
        empty.sequences, made.profile, empty.scalers, NO_INTERVALS, models=models_of(made), champion="linear"
    )
    assert dict(result.frames["forecasts"].schema) == SCHEMA
    assert result.frames["forecasts"].is_empty()
    assert result.ledger.is_empty()


class Looking(LastValue):
    """Remembers what it is given of the points before its input."""

    seen: ClassVar[list[np.ndarray]] = []

    def predict(self, inputs: Inputs) -> np.ndarray:
        self.seen.append(inputs.history(6))
        return super().predict(inputs)


def test_a_model_that_looks_further_back_is_given_the_points_before_its_input() -> None:
    made = made_shard("a", "b")
    (group,) = models_of(made)["linear"]
    L, H = made.profile.select("input_size", "horizon").row(0)
    forecasts_of(made, models={**models_of(made), "looking": {group: Looking(L, H)}}, champion="looking")
    values = made.sequences.filter(unique_id="b")["y"].to_numpy()
    center, scale = made.scalers.filter(unique_id="b").select("center", "scale").row(0)
    np.testing.assert_allclose(Looking.seen[-1][1], (values[-6:] - center) / scale, rtol=1e-12)
    few = made._replace(sequences=made.sequences.group_by("unique_id", maintain_order=True).tail(L + 1))
    models = {**models_of(made), "looking": {group: Looking(L, H)}}
    forecast(few.sequences, few.profile, few.scalers, NO_INTERVALS, models=models, champion="looking")
    assert np.isnan(Looking.seen[-1]).tolist() == [[True] * (6 - L - 1) + [False] * (L + 1)] * 2
