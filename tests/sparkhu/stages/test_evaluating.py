"""Facts about evaluation: which part of the split may touch what."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu.lineage import read_trail
from sparkhu.models.linear import Linear
from sparkhu.shards import open_dataset
from sparkhu.stages.training import load_models, save_models
from tests.sparkhu.stages.conftest import Alter, Trained

pytestmark = pytest.mark.xdist_group("stages")


def metrics(evaluation: Path) -> dict:
    return json.loads((evaluation / "metrics.json").read_text())


def choice(evaluation: Path) -> dict:
    return json.loads((evaluation / "gate.json").read_text())


def chosen(evaluation: Path) -> dict:
    return {**choice(evaluation), "test_ratio": None}


def linear(training: Trained) -> Linear:
    (model,) = load_models(training.models["linear"]).values()
    assert isinstance(model, Linear)
    return model


def shifted(border: str) -> Alter:
    """Add 50 to every value from a border on."""
    moved = [
        pl.when(pl.col("ds") >= pl.col(border)).then(pl.col(name) + 50.0).otherwise(name) for name in ("y", "y_raw")
    ]
    return lambda rows: rows.with_columns(moved)


@pytest.fixture(scope="module")
def evaluation(first: Trained) -> Path:
    return first.evaluate()


def test_the_test_part_chooses_and_calibrates_nothing(
    first: Trained, evaluation: Path, altered: Callable[[Alter], Trained]
) -> None:
    other = altered(shifted("valid_end"))
    again = other.evaluate()

    assert metrics(again)["linear"]["mae"] > 5 * metrics(evaluation)["linear"]["mae"]
    assert chosen(again) == chosen(evaluation)
    assert open_dataset(again).scan().collect().equals(open_dataset(evaluation).scan().collect())
    assert linear(other).settings == linear(first).settings
    assert np.array_equal(linear(other).evaluation_weights, linear(first).evaluation_weights)


def test_nothing_behind_the_training_part_moves_the_weights_that_are_scored(
    first: Trained, altered: Callable[[Alter], Trained]
) -> None:
    noise = np.random.default_rng(1)

    def disturb(rows: pl.DataFrame) -> pl.DataFrame:
        by = pl.Series(noise.normal(0, 1e-9, rows.height))
        late = pl.col("ds") >= pl.col("train_end")
        return rows.with_columns(pl.when(late).then(pl.col(name) + by).otherwise(name) for name in ("y", "y_raw"))

    other = altered(disturb)

    assert linear(other).settings == linear(first).settings
    assert np.array_equal(linear(other).evaluation_weights, linear(first).evaluation_weights)
    assert not np.array_equal(linear(other).weights, linear(first).weights)


def test_the_weights_that_forecast_are_not_those_that_are_scored(
    first: Trained, evaluation: Path, tmp_path: Path
) -> None:
    (group,) = load_models(first.models["linear"])
    model = linear(first)
    blank = replace(model, weights=np.zeros_like(model.weights), intercept=np.zeros_like(model.intercept))
    folder = tmp_path / "linear"
    shutil.copytree(first.models["linear"], folder)
    shutil.rmtree(next(path for path in folder.iterdir() if path.is_dir()))
    save_models(folder, {group: blank})

    again = replace(first, models={**first.models, "linear": folder}).evaluate("blank")

    assert metrics(again) == metrics(evaluation)


def test_the_choice_is_the_lowest_error_on_validation(evaluation: Path) -> None:
    found = choice(evaluation)

    assert found["champion"] == min(found["scores"], key=found["scores"].get) == metrics(evaluation)["champion"]
    assert set(found["scores"]) == {"linear", "seasonal_naive"}


def test_a_run_whose_final_values_come_late_says_that_nothing_was_chosen(
    first: Trained, evaluation: Path, altered: Callable[[Alter], Trained]
) -> None:
    # The validation part is 40 hours long, and all values come 50 hours late.
    names = ("available_at", "observed_available_at", "handled_available_at")
    late = altered(lambda rows: rows.with_columns(pl.col(name) + timedelta(hours=50) for name in names)).evaluate()
    (record,) = (each for each in read_trail([late]).history if each.step == "evaluate")
    assert any(note.startswith("2 of 2 series have no window to choose a model by, 2 none") for note in record.notes)
    assert choice(late)["champion"] == "seasonal_naive"
    assert metrics(late)["linear"]["mae"] is not None, "the test part is scored all the same"
    (record,) = (each for each in read_trail([evaluation]).history if each.step == "evaluate")
    assert len(record.notes) == 1
