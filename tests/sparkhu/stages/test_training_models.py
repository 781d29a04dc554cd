"""Facts about the models that compete with the linear one, and about what several workers fit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.execution import recorded
from sparkhu.lineage import read_trail
from sparkhu.models.linear import Linear
from sparkhu.models.naive import LastValue
from sparkhu.models.serving import forecast_new
from sparkhu.models.trees import TreesSettings
from sparkhu.registry import load_champion
from sparkhu.registry.listing import list_versions
from sparkhu.registry.reigns import roll_back
from sparkhu.sections import Training
from sparkhu.shards import open_dataset
from sparkhu.stages import fitting
from sparkhu.stages.backtesting import recipes_of
from sparkhu.stages.evaluating import evaluate_models
from sparkhu.stages.fitting import check_libraries
from sparkhu.stages.training import load_further, load_models, save_further, train_linear
from sparkhu.stages.training_models import _entries, train_models
from sparkhu.training.distribution import horovod_ranks
from sparkhu.training.distribution.recipe import DistributedRecipe
from tests.components.chain import Chain
from tests.sparkhu.stages.conftest import HOURS, Trained

pytestmark = pytest.mark.xdist_group("stages")


def notes_of(folder: Path) -> tuple[str, ...]:
    return read_trail([folder]).history[-1].notes


def only(folder: Path) -> Linear:
    (model,) = load_models(folder).values()
    assert isinstance(model, Linear)
    return model


def test_two_workers_give_the_linear_weights_of_one_process_to_the_bit(first: Trained, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    out = tmp_path / "linear"
    told = train_linear(**first.data, out=out, settings=Training(distribution="torch", workers=2))
    alone = only(first.models["linear"])

    assert np.array_equal(only(out).weights, alone.weights)
    assert np.array_equal(only(out).evaluation_weights, alone.evaluation_weights)
    assert told["training windows"] == read_trail([first.models["linear"]]).history[-1].counts["training windows"]
    assert notes_of(out)[-1] == "Gram matrices summed by 2 workers of torch"


def test_without_models_there_is_an_artifact_that_holds_none(first: Trained, tmp_path: Path) -> None:
    told = train_models(**first.data, out=tmp_path / "none")

    assert load_further(tmp_path / "none") == {}
    assert (told["models"], told["series_skipped"]) == (0, 0)
    with pytest.raises(SparkhuError, match=r"holds no further models \(models.json is missing\). Run train_models"):
        load_further(first.models["linear"])


def test_trees_compete_are_registered_and_forecast_new_points(prepared: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    chain = Chain(tmp_path, training={"models": ["trees"], "distribution": "torch"}, tuning={"models": "linear,trees"})
    made = chain.forecast(prepared, horizon=6, input_size=24)
    metrics = json.loads((made["results"] / "metrics.json").read_text())
    step = next(each for each in read_trail([made["results"]]).history if each.step == "train_models")
    version = max((each for each in list_versions("chain") if each.flavor == "trees"), key=lambda each: each.made)
    roll_back("chain", to=version.number)
    bundle, _ = load_champion("chain", tmp_path / "fetched")
    rows = open_dataset(prepared["resampled"]).scan().select("unique_id", "ds", "y", "available_at").collect()
    forecasts = forecast_new(rows, bundle)

    tuned = json.loads((made["results"] / "tuning.json").read_text())["groups"]
    assert [(group["model"], group["origin"]) for group in tuned] == [("linear", "search"), ("trees", "search")]
    assert bundle.models["trees"]["1h/24"].settings == TreesSettings.of(tuned[1]["assignment"])  # type: ignore[attr-defined]
    assert "Trees</a> was tuned with 4 trials" in made["report"].read_text()
    assert metrics["trees"]["mae"] > 0
    assert set(bundle.models) == {"trees", "linear", "seasonal_naive", "last_value"}
    assert step.notes[0] == "trees is fitted in one process: workers cannot share it"
    assert "training windows" in step.notes[1]
    assert set(forecasts["model"]) == {"trees"}
    assert set(bundle.intervals["model"]) >= {"trees", "linear"}
    truth = 10 + 3 * np.sin(np.arange(HOURS, HOURS + 6) * 2 * np.pi / 24)
    assert np.abs(forecasts.filter(unique_id="a")["y_hat"].to_numpy() - truth).max() < 1


def test_a_neural_model_is_fitted_by_two_workers(
    first: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events"))
    settings = Training(models=("nhits",), distribution="torch", workers=2, seed=3)
    train_models(**first.data, out=tmp_path / "shared", settings=settings)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    epochs = [each for each in events if each["kind"] == "epoch_done"]
    (model,) = load_further(tmp_path / "shared")["nhits"].values()

    assert notes_of(tmp_path / "shared")[0].endswith(", on 2 workers of torch")
    assert [each["done"] for each in epochs] == list(range(1, len(epochs) + 1))
    assert {each["what"] for each in epochs} == {"epochs of nhits 1h/24"}
    assert (model.input_size, model.horizon) == (24, 6)


def test_a_model_that_lacks_a_group_does_not_leave_its_series_out_of_the_choice(first: Trained, tmp_path: Path) -> None:
    with recorded("train_models", inputs=[], outputs=[tmp_path / "further"]) as (_, (draft,)):
        save_further(draft, {"lacking": {}})
    before = json.loads((first.evaluate("alone") / "metrics.json").read_text())
    evaluate_models(**first.data, models=first.models, further=tmp_path / "further", out=tmp_path / "evaluation")
    after = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())

    assert "lacking does not compete: it was not fitted for 1h/24" in notes_of(tmp_path / "evaluation")
    assert after["champion"] == before["champion"] == "linear"
    assert after["linear"] == before["linear"]


def test_series_whose_group_has_no_model_are_told_in_the_ledger() -> None:
    planned = pl.DataFrame({"unique_id": ["a", "b", "c"], "group": ["1h/24", "1d/7", None]})
    models = {"lstm": {"1h/24": LastValue(4, 2)}, "trees": {"1h/24": LastValue(4, 2), "1d/7": LastValue(4, 2)}}
    entries = _entries(planned, models)

    assert entries["status"].to_list() == ["ok", "ok", "skipped"]
    assert entries["reason"].to_list() == [None, "its group has no lstm", "its group has no lstm, trees"]


@pytest.mark.parametrize(
    ("missing", "settings", "message"),
    [
        ("lightgbm", {"models": "trees"}, r"'trees' needs lightgbm: pip install 'sparkhu\[models\]'"),
        ("torch", {"models": "lstm"}, r"'lstm' needs torch: pip install 'sparkhu\[torch\]'"),
        ("torch", {"distribution": "torch"}, "training.distribution torch needs torch: pip install"),
        ("horovod", {"distribution": "horovod", "workers": 2}, "Horovod is not installed"),
    ],
)
def test_a_missing_library_is_told_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, missing: str, settings: dict[str, Any], message: str
) -> None:
    for module in (fitting, horovod_ranks):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == missing else name)
    with pytest.raises(InputError, match=message):
        check_libraries(Training.of(settings))


def test_a_backtest_shares_what_workers_can_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "check_libraries", lambda _: None)
    linear, trees = recipes_of(["linear", "trees"], Training(distribution="torch", workers=3))

    assert isinstance(linear, DistributedRecipe)
    assert (linear.how.distribution, linear.how.workers) == ("torch", 3)
    assert (linear.name, trees.name) == ("linear", "trees")
    assert not isinstance(trees, DistributedRecipe)
    with pytest.raises(InputError, match="workers is 2, but nothing connects them"):
        recipes_of(["linear"], Training(workers=2))
