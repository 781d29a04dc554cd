"""A bundle of two series: `hour` in hourly steps with a season of 24, `meter` irregular, on a grid of 90 s."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import from_pandas
from sparkhu.models.bundle import Bundle, Contents, read_bundle, write_bundle
from sparkhu.models.naive import LastValue, SeasonalNaive
from sparkhu.models.serving import Served, _load_pyfunc, serve

START = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = [START + timedelta(hours=number) for number in range(48)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    models = {
        "seasonal_naive": {"1h/24": SeasonalNaive(24, 24, 24), "90s/1": SeasonalNaive(2, 2, 1)},
        "last_value": {"1h/24": LastValue(24, 24), "90s/1": LastValue(2, 2)},
    }
    border = pl.lit(START).dt.cast_time_unit("us")
    profile = pl.DataFrame(
        {
            "unique_id": ["hour", "meter"],
            "decision": ["regular", "irregular"],
            "period_kind": ["fixed", "fixed"],
            "period_us": [3_600_000_000, 90_000_000],
            "period_label": ["1h", "90s"],
            "n": [1000, 1000],
            "median_gap_us": [3_600_000_000, 90_000_000],
            "season_length": [24, 1],
            "group": ["1h/24", "90s/1"],
            "input_size": [24, 2],
            "horizon": [24, 2],
        }
    ).with_columns(train_end=border, valid_end=border, test_end=border)
    scalers = pl.DataFrame(
        {"unique_id": ["hour", "meter"], "center": [5.0, 0.0], "scale": [2.0, 1.0], "lambda": [None, None]},
        schema_overrides={"lambda": pl.Float64},
    )
    intervals = pl.DataFrame(
        {"unique_id": "hour", "model": "seasonal_naive", "step": range(1, 25), "radius_80": 0.5, "radius_95": 1.0}
    )
    write_bundle(
        folder,
        Contents(
            name="forecaster",
            flavor="seasonal_naive",
            models=models,
            profile=profile,
            source_profile=profile,
            scalers=scalers,
            stats=pl.DataFrame({"unique_id": ["hour"], "fit_q1": [6.0], "fit_q3": [17.0]}).with_columns(
                fit_until=border
            ),
            choices=pl.DataFrame({"unique_id": ["hour"], "strategy": ["linear"]}).with_columns(
                fit_value=pl.lit(None, pl.Float64), fit_available_at=border
            ),
            cleaning=pl.DataFrame({"unique_id": ["hour", "meter"], "kept": ["outliers", "none"]}),
            intervals=intervals,
            params={"zone": "UTC"},
            sources=[],
            code="0.1.0+abc",
        ),
    )
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return read_bundle(folder)


def hourly(**changes: Any) -> pd.DataFrame:
    columns = {"unique_id": "hour", "ds": HOURS, "y": [float(number % 24) for number in range(48)], **changes}
    return pd.DataFrame(columns)


def test_pandas_observations_give_pandas_forecasts_in_their_own_units(bundle: Bundle) -> None:
    found = Served(bundle).predict(hourly())
    assert isinstance(found, pd.DataFrame)
    assert found["y_hat"].tolist() == [float(number) for number in range(24)]
    assert list(found["ds"]) == [HOURS[-1] + timedelta(hours=number) for number in range(1, 25)]
    # Half-widths of 0.5 and 1.0 in scaled units at a scale of 2: 1 and 2 in the series' own.
    assert (found["y_hat"] - found["lo_80"]).tolist() == [1.0] * 24
    assert (found["hi_95"] - found["y_hat"]).tolist() == [2.0] * 24
    assert set(found["model"]) == {"seasonal_naive"}


def test_a_gap_is_filled_as_chosen_in_training(bundle: Bundle) -> None:
    observed = hourly()
    holed = observed.drop(index=[30, 31])
    # Hours 6 and 7 of the second day, on the line from 5 (hour 5) to 8 (hour 8).
    assert Served(bundle).predict(holed)["y_hat"].tolist() == [float(number) for number in range(24)]
    rows = serve(from_pandas(holed), bundle=bundle).frames["sequences"]
    assert rows.filter(pl.col("is_gap"))["fill_strategy"].to_list() == ["linear", "linear"]


@pytest.mark.parametrize(("strategy", "filled"), [("last", 5.0), ("next", 8.0), ("mean", 11.5), ("median", 11.5)])
def test_every_strategy_of_training_is_there(bundle: Bundle, strategy: str, filled: float) -> None:
    # Hours 6 and 7 of both days are taken out: what is left has the mean 263 / 22 and the median 12.5, but training
    # fitted 11.5, of whole days.
    holed = hourly().drop(index=[6, 7, 30, 31])
    chosen = bundle.choices.with_columns(strategy=pl.lit(strategy), fit_value=pl.lit(11.5))
    rows = serve(from_pandas(holed), bundle=replace(bundle, choices=chosen)).frames["sequences"]
    assert rows.filter(pl.col("is_gap"))["y"].to_list() == [filled] * 4


def test_a_series_without_a_stored_strategy_is_filled_by_lines(bundle: Bundle) -> None:
    holed = hourly().drop(index=[6, 7])
    unmeasured = replace(bundle, choices=bundle.choices.clear())
    rows = serve(from_pandas(holed), bundle=unmeasured).frames["sequences"]
    assert rows.filter(pl.col("is_gap"))["y"].to_list() == [6.0, 7.0]


def test_outliers_of_new_data_are_those_of_the_training_quartiles(bundle: Bundle) -> None:
    # Fences at 6 - 1.5 * 11 = -10.5 and 17 + 1.5 * 11 = 33.5; the spike gives way to the line from 5 to 7.
    spiked = hourly().assign(y=[34.0 if number == 6 else float(number % 24) for number in range(48)])
    rows = serve(from_pandas(spiked), bundle=bundle).frames["sequences"]
    assert rows.filter(pl.col("is_outlier")).select("y", "y_raw", "fill_strategy").rows() == [(6.0, 34.0, "linear")]
    unflagged = replace(bundle, params={"outlier_width": 1.6})  # 17 + 1.6 * 11 = 34.6
    assert not serve(from_pandas(spiked), bundle=unflagged).frames["sequences"]["is_outlier"].any()


def test_outliers_of_new_data_stay_where_training_did_not_keep_their_cleaning(bundle: Bundle) -> None:
    spiked = hourly().assign(y=[34.0 if number == 47 else float(number % 24) for number in range(48)])
    stays = replace(bundle, cleaning=bundle.cleaning.with_columns(kept=pl.lit("none")))
    rows = serve(from_pandas(spiked), bundle=stays).frames["sequences"]
    assert rows.filter(pl.col("is_outlier")).select("y", "y_raw", "fill_strategy").rows() == [(34.0, 34.0, None)]
    assert Served(stays).predict(spiked)["y_hat"].iloc[-1] == 34.0


def test_limits_and_zone_of_training_hold(bundle: Bundle) -> None:
    holed = hourly().drop(index=[30, 31, 47])
    limited = replace(bundle, params={"max_gap_points": 1})
    assert serve(from_pandas(holed), bundle=limited).frames["sequences"].filter(pl.col("is_gap"))["y"].to_list() == [
        None,
        None,
    ]
    days = pd.date_range("2024-03-28", periods=5, tz="Europe/Berlin").delete(3)  # without the day of 23 hours
    daily = bundle.profile.filter(unique_id="hour").with_columns(period_label=pl.lit("1d"))
    for zone, gaps in (("Europe/Berlin", ["2024-03-30T23:00"]), ("UTC", None)):
        zoned = replace(bundle, profile=daily, params={"zone": zone})
        found = serve(from_pandas(pd.DataFrame({"unique_id": "hour", "ds": days, "y": 1.0})), bundle=zoned)
        rows = found.frames["sequences"]
        holes = rows.filter(pl.col("is_gap"))["ds"].dt.strftime("%Y-%m-%dT%H:%M").to_list()
        assert (holes == gaps) is (gaps is not None)


def test_an_irregular_series_is_forecast_on_its_grid(bundle: Bundle) -> None:
    times = [START + timedelta(seconds=second) for second in (0, 80, 180, 270)]
    found = Served(bundle).predict(pd.DataFrame({"unique_id": "meter", "ds": times, "y": [1.0, 2.0, 3.0, 4.0]}))
    assert found["y_hat"].tolist() == [4.0, 4.0]
    assert list(found["ds"]) == [START + timedelta(seconds=360), START + timedelta(seconds=450)]
    assert found["lo_80"].isna().all()


def test_of_two_rows_at_one_instant_the_last_stands_and_infinity_is_a_gap(bundle: Bundle) -> None:
    again = pd.concat([hourly(), hourly().tail(1).assign(y=24.0)])
    assert Served(bundle).predict(again)["y_hat"].iloc[-1] == 24.0
    values = hourly()["y"].tolist()
    values[30] = float("inf")
    assert Served(bundle).predict(hourly(y=values))["y_hat"].tolist() == [float(number) for number in range(24)]


def test_too_few_points_fall_back_to_the_last_value(bundle: Bundle) -> None:
    found = Served(bundle).predict(hourly().tail(3))
    assert set(found["model"]) == {"last_value"}
    assert found["y_hat"].tolist() == [23.0] * 24


def test_an_unknown_series_is_named(bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"series 'boiler' is unknown to model 'forecaster' \(1 such\)\. Leave it out"):
        Served(bundle).predict(pd.concat([hourly(), hourly(unique_id="boiler")]))


def test_no_observations_give_no_forecasts(bundle: Bundle) -> None:
    found = Served(bundle).predict(hourly().head(0))
    assert len(found) == 0
    assert "y_hat" in found.columns


def test_a_missing_column_is_named(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="column 'y' is missing"):
        Served(bundle).predict(hourly().drop(columns="y"))


def test_text_that_is_no_time_is_refused(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="column 'ds' holds text that is no ISO 8601 time"):
        Served(bundle).predict(hourly(ds="noon"))


def test_mlflow_opens_the_bundle_by_its_folder(folder: Path) -> None:
    assert _load_pyfunc(str(folder)).predict(hourly())["y_hat"].tolist() == [float(number) for number in range(24)]


def test_the_registered_champion_forecasts_through_plain_mlflow(folder: Path) -> None:
    import mlflow

    from sparkhu.registry import Candidate, Comparison, log_model, promote, tracking_uri

    version = log_model(folder, name="served", metrics={"mse": 1.0})
    promote("served", [Candidate(version, 1.0)], Comparison("mse"))
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracking_uri())
    try:
        model = mlflow.pyfunc.load_model("models:/served@champion")
    finally:
        mlflow.set_tracking_uri(before)
    zoneless = hourly(ds=[time.replace(tzinfo=None) for time in HOURS])
    text = hourly(ds=[time.isoformat() for time in HOURS])
    for observations in (hourly(), zoneless, text):
        assert model.predict(observations)["y_hat"].tolist() == [float(number) for number in range(24)]
    named = [column.name for column in model.metadata.signature.outputs]
    assert named == list(model.predict(zoneless).columns)
