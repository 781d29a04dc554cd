from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.evaluation.backtest import SCHEMA, score_shard
from sparkhu.evaluation.conformal import borrow, calibrate_shard, merge_pools
from sparkhu.evaluation.metrics import coverage, mae, mase, mse, seasonal_scale, smape, wape
from sparkhu.evaluation.summary import metrics_document, with_metrics
from sparkhu.models.base import Models
from sparkhu.models.candidates import NAMES, candidates, for_evaluation
from sparkhu.results import check_metrics
from sparkhu.steps.normalisation import SCALERS, Scaler
from sparkhu.training.gram import gram_shard
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import Floats, MadeShard, made_shard, profile_of, sequences_of, shard_of


def models_of(made: MadeShard) -> Models:
    return for_evaluation(candidates(made.profile, fit_groups(gram_shard(assemble(*made)))[0]))


def naive_models(made: MadeShard) -> Models:
    return {name: groups for name, groups in candidates(made.profile, {}).items() if groups}


def last_value(made: MadeShard) -> dict[str, Any]:
    """The errors of the last value on the test windows of the only series."""
    scores = with_metrics(score_shard(assemble(*made), models=naive_models(made)))
    return scores.filter(model="last_value").row(0, named=True)


def by_hand(values: Floats, observed: Floats, rows: range) -> tuple[Floats, Floats]:
    """Last-value forecasts of all windows with L = 4, H = 2 and both targets in `rows`, and what was observed."""
    ends = [row for row in rows if row + 1 in rows]
    return np.array([observed[[row, row + 1]] for row in ends]), np.array([[values[row - 1]] * 2 for row in ends])


@pytest.mark.parametrize("scaler", SCALERS)
def test_errors_are_those_of_all_test_windows_by_hand(scaler: Scaler) -> None:
    random = np.random.default_rng(3)
    values = random.gamma(2.0, 2.0, 100)
    observed = values.copy()
    observed[[85, 91]] = np.nan
    made = shard_of(sequences_of({"a": values}, {"a": observed}), profile_of(["a"]), scaler)
    actual, forecast = by_hand(values, observed, range(80, 100))
    row = (
        with_metrics(score_shard(assemble(*made), models=naive_models(made)))
        .filter(model="last_value")
        .row(0, named=True)
    )
    deviation = values[:70].std()
    assert row["windows"] == 19
    assert row["points"] == 38 - 4
    assert row["mae"] == pytest.approx(mae(actual, forecast) / deviation, rel=1e-6)
    assert row["mse"] == pytest.approx(mse(actual, forecast) / deviation**2, rel=1e-6)
    assert row["rmse"] == pytest.approx(np.sqrt(mse(actual, forecast)) / deviation, rel=1e-6)
    assert row["smape"] == pytest.approx(smape(actual, forecast), rel=1e-6)
    assert row["wape"] == pytest.approx(wape(actual, forecast), rel=1e-6)
    assert row["mase"] == pytest.approx(mase(actual, forecast, seasonal_scale(values[:70], 3)), rel=1e-6)
    assert row["coverage_80"] is None


def test_values_that_a_step_made_are_never_scored() -> None:
    made = made_shard("a")
    changed = made.sequences.with_columns(
        y=pl.when(pl.int_range(pl.len()) == 99).then(1e9).otherwise("y"),
    )
    models = naive_models(made)
    for before, after in zip(
        score_shard(assemble(*made), models=models).iter_rows(),
        score_shard(assemble(changed, *made[1:]), models=models).iter_rows(),
        strict=True,
    ):
        assert before == after


def test_only_the_part_asked_for_is_scored() -> None:
    made = made_shard("a", "b", n=100, borders=(70, 80, 95))
    windows = {
        part: score_shard(assemble(*made), models=naive_models(made), part=part)["windows"].to_list()
        for part in ("train", "choose", "calibrate", "test")
    }
    # Validation 70..79, middle 75: targets (70, 71)..(73, 74) choose, (75, 76)..(78, 79) calibrate.
    assert windows == {"train": [65] * 4, "choose": [4] * 4, "calibrate": [4] * 4, "test": [14] * 4}
    with pytest.raises(InputError, match=r"^part must be one of train, choose, calibrate, test, other, got 'future'$"):
        score_shard(assemble(*made), models={}, part="future")


def test_a_window_without_an_observed_target_is_not_counted() -> None:
    observed = np.arange(100.0)
    observed[[90, 91]] = np.nan
    made = shard_of(sequences_of({"a": np.arange(100.0)}, {"a": observed}), profile_of(["a"]))
    scores = score_shard(assemble(*made), models=naive_models(made))
    assert scores["windows"].to_list() == [18, 18]
    assert scores["points"].to_list() == [34, 34]


def test_a_shard_is_the_sum_of_its_series() -> None:
    made = made_shard("a", "b", "c")
    models = models_of(made)
    apart = [score_shard(assemble(*(frame.filter(unique_id=name) for frame in made)), models=models) for name in "abc"]
    whole = score_shard(assemble(*made), models=models)
    parts = pl.concat(apart)
    assert whole.select("unique_id", "group", "model", "windows", "points").equals(
        parts.select("unique_id", "group", "model", "windows", "points")
    )
    np.testing.assert_allclose(whole["squared"], parts["squared"], rtol=1e-10)


def test_a_series_that_does_not_change_by_the_season_has_no_mase() -> None:
    made = shard_of(sequences_of({"a": np.tile([1.0, 2, 3], 40)}), profile_of(["a"]))
    row = (
        with_metrics(score_shard(assemble(*made), models=naive_models(made)))
        .filter(model="last_value")
        .row(0, named=True)
    )
    assert row["mase"] is None
    assert row["mae"] > 0


def test_an_empty_shard_gives_a_typed_empty_table() -> None:
    made = made_shard("a")
    found = score_shard(assemble(*(frame.clear() for frame in made)), models=naive_models(made))
    assert dict(found.schema) == SCHEMA
    assert found.is_empty()


def test_coverage_is_the_share_of_test_points_inside_the_intervals() -> None:
    made = made_shard("a", n=400, borders=(200, 300, 400))
    models = models_of(made)
    calibration = calibrate_shard(assemble(*made), models=models)
    intervals = borrow(calibration.table, merge_pools([calibration]))
    row = with_metrics(score_shard(assemble(*made), models=models, intervals=intervals)).filter(model="last_value")
    values = made.sequences["y"].to_numpy()
    actual, forecast = by_hand(values, values, range(300, 400))
    radius = intervals.filter(model="last_value").sort("step")["radius_80"].to_numpy() * values[:200].std()
    assert row["coverage_80"][0] == pytest.approx(coverage(actual, forecast - radius, forecast + radius))
    assert 0.7 < row["coverage_80"][0] < row["coverage_95"][0]


def sums(*rows: tuple[str, str, str, float, float, int]) -> pl.DataFrame:
    """Rows of series, group, model, absolute, squared, points; every other sum is 0."""
    table = pl.DataFrame(rows, schema=["unique_id", "group", "model", "absolute", "squared", "points"], orient="row")
    rest = {name: pl.lit(0) for name in SCHEMA if name not in table.columns}
    return table.with_columns(**rest).cast(dict(SCHEMA)).select(SCHEMA.keys())  # type: ignore[arg-type]


def test_over_all_is_the_mean_over_series_and_a_group_is_pooled() -> None:
    # a: 10 points, mse 1; b: 30 points, mse 5. Over all (1 + 5) / 2 = 3; the group: (10 + 150) / 40 = 4.
    scores = sums(("a", "g", "linear", 10, 10, 10), ("b", "g", "linear", 30, 150, 30))
    document = metrics_document(scores, champion="linear", models=["linear"])
    assert document["linear"]["mse"] == 3.0
    assert document["linear"]["rmse"] == pytest.approx(np.sqrt(3))
    assert document["linear"]["points"] == 40
    assert document["groups"]["g"]["linear"]["mse"] == 4.0
    assert document["groups"]["g"]["linear"]["rmse"] == 2.0
    assert [entry["linear"]["mse"] for entry in document["series"]] == [1.0, 5.0]
    assert document["linear"]["smape"] == 0.0
    assert document["linear"]["wape"] is None


def test_the_document_follows_the_schema() -> None:
    made = made_shard("a", "b")
    document = metrics_document(score_shard(assemble(*made), models=models_of(made)), champion="linear", models=NAMES)
    metrics = check_metrics(document)
    assert metrics.champion == "linear"
    assert [entry.unique_id for entry in metrics.series] == ["a", "b"]
    assert sorted(metrics.groups["1h/3"]) == sorted(NAMES)


def test_a_document_of_nothing_has_null_errors() -> None:
    document = metrics_document(sums(), champion=None, models=NAMES)
    check_metrics(document)
    assert document["linear"]["mse"] is None
    assert document["linear"]["windows"] == 0
    assert document["series"] == []
