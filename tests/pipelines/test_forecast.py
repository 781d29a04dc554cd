"""Tests of the forecast pipeline, run whole by kfp's local runner on real processes."""

import json

import polars as pl
import pytest

from sparkhu.models.bundle import read_bundle
from sparkhu.models.linear import Linear
from sparkhu.results import check_metrics
from sparkhu_components import COMPONENTS
from tests.pipelines.conftest import HOURS, Finished

ONLY_ELSEWHERE = {
    "load_champion",
    "learn_new",
    "forecast_new",
    "publish_forecasts",
    "take_group",
    "pack_group",
    "gather_groups",
}
TWICE = {"flag_outliers": ["flag_outliers_regular", "flag_outliers_irregular"]}

pytestmark = pytest.mark.xdist_group("pipelines")


def test_every_task_of_both_ways_of_the_split_ran_once(finished: Finished) -> None:
    expected = [name for part in COMPONENTS if part not in ONLY_ELSEWHERE for name in TWICE.get(part, [part])]

    assert sorted(finished.finished_steps()) == sorted(expected)


def test_rows_are_all_accounted_for(finished: Finished) -> None:
    records = {event["step"]: event["record"] for event in finished.events if event["kind"] == "step_finished"}
    clean, marked = finished.table("clean"), records["mark_gaps"]["rows_out"] - records["mark_gaps"]["rows_in"]
    quarantined, dropped = finished.table("quarantine").height, records["drop_duplicates"]["counts"]["dropped"]

    assert (quarantined, dropped, marked) == (2, 1, 4)
    assert records["ingest"]["rows_out"] + marked == clean.height + quarantined + dropped


def test_irregular_series_keep_their_own_rows_and_regular_ones_have_no_hole(finished: Finished) -> None:
    rows = dict(finished.table("clean").group_by("unique_id").len().iter_rows())

    assert rows == {"boiler": HOURS, "pump": HOURS, "still": HOURS, "visitors": HOURS, "short": 3}


def test_flags_explain_every_changed_value(finished: Finished) -> None:
    changed = finished.table("clean").filter(pl.col("y").ne_missing(pl.col("y_raw")))
    spike = changed.filter((pl.col("unique_id") == "pump") & (pl.col("y_raw") == 500.0))

    assert changed.filter(~(pl.col("is_gap") | pl.col("is_outlier"))).is_empty()
    assert changed["fill_strategy"].null_count() == 0
    assert spike.height == 1
    assert spike["y"][0] < 10


def test_every_series_with_a_period_is_forecast_in_its_own_steps(finished: Finished) -> None:
    forecasts = finished.table("forecasts")
    steps = forecasts.group_by("unique_id").agg(pl.len(), gap=pl.col("ds").diff().drop_nulls().unique().implode())

    assert set(steps["unique_id"]) >= {"boiler", "pump", "still", "visitors"}
    assert set(steps["len"]) == {12}
    assert forecasts.filter(unique_id="boiler")["ds"].diff().drop_nulls().dt.total_hours().unique().to_list() == [1]
    assert forecasts.filter(pl.col("ds") <= pl.col("cutoff")).is_empty()


def test_forecasts_of_a_sine_with_little_noise_are_close(finished: Finished) -> None:
    import numpy as np

    boiler = finished.table("forecasts").filter(unique_id="boiler")
    truth = 20 + 3 * np.sin(np.arange(HOURS, HOURS + 12) * 2 * np.pi / 24)

    assert np.abs(boiler["y_hat"].to_numpy() - truth).max() < 0.5


def test_the_metrics_follow_their_schema_and_the_champion_is_one_of_the_models(finished: Finished) -> None:
    document = json.loads((finished.results / "metrics.json").read_text())

    check_metrics(document)
    assert document["champion"] == "linear"
    assert document["linear"]["mae"] < document["seasonal_naive"]["mae"]


def test_the_trained_model_has_what_was_tuned(finished: Finished) -> None:
    found = json.loads((finished.results / "tuning.json").read_text())
    trained = read_bundle(finished.outputs["champion"]).models["linear"]
    trials = finished.table("trials")

    assert [group["group"] for group in found["groups"]] == sorted(trained)
    for group in found["groups"]:
        model = trained[group["group"]]
        assert isinstance(model, Linear)
        assert model.settings.assignment().items() >= group["assignment"].items()
        assert trials.filter(group=group["group"]).height == group["trials"]
    told = {group["group"]: (group["origin"], group["trials"], len(group["assignment"])) for group in found["groups"]}
    # The arrivals of visitors are too few for windows that could judge a model.
    assert told.pop("1h/24") == ("search", 24, 3)
    assert set(told.values()) == {("search", 0, 0)}


def test_the_ledger_tells_of_every_series_at_the_steps_of_its_way(finished: Finished) -> None:
    steps = finished.table("ledger").group_by("unique_id").agg("step", "status")
    by_series = {name: dict(zip(step, status, strict=True)) for name, step, status in steps.iter_rows()}

    assert by_series["short"]["detect_regularity"] == "skipped"
    assert "mark_gaps" in by_series["boiler"]
    assert "mark_gaps" not in by_series["visitors"]
    assert "resample_irregular" in by_series["visitors"]


def test_lineage_reaches_from_the_report_back_to_the_source(finished: Finished) -> None:
    history = json.loads((finished.results / "history.json").read_text())
    ingest = next(record for record in history if record["step"] == "ingest")

    assert ingest["sources"][0]["uri"].endswith("observations.csv")
    assert len(ingest["sources"][0]["sha256"]) == 64
    assert {record["step"] for record in history} >= {"promote", "make_forecasts", "publish"}
    assert finished.report.read_text().startswith("<!doctype html>")
