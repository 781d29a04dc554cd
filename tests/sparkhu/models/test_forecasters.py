import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Forecaster
from sparkhu.models.candidates import NAMES, candidates, for_evaluation
from sparkhu.models.linear import Linear, LinearSettings
from sparkhu.models.loading import load_model
from sparkhu.models.naive import LastValue, SeasonalNaive
from tests.sparkhu.window_inputs import inputs

INPUTS = np.array([[1.0, 2.0, 3.0, 4.0], [9.0, 8.0, 7.0, 6.0]])


def linear() -> Linear:
    random = np.random.default_rng(3)
    return Linear(
        random.normal(size=(4, 3)), np.arange(3.0), random.normal(size=(4, 3)), -np.arange(3.0), LinearSettings(0.1)
    )


MODELS: list[Forecaster] = [LastValue(4, 3), SeasonalNaive(4, 3, 2), linear()]


def test_last_value_repeats_the_last_value() -> None:
    assert LastValue(4, 2).predict(inputs(INPUTS)).tolist() == [[4, 4], [6, 6]]


def test_seasonal_naive_repeats_the_last_season() -> None:
    assert SeasonalNaive(4, 5, 3).predict(inputs(INPUTS)).tolist() == [[2, 3, 4, 2, 3], [8, 7, 6, 8, 7]]
    assert SeasonalNaive(4, 2, 4).predict(inputs(INPUTS)).tolist() == [[1, 2], [9, 8]]


@pytest.mark.parametrize("season", [1, 5, 0])
def test_seasonal_naive_without_a_season_in_its_input_repeats_the_last_value(season: int) -> None:
    assert SeasonalNaive(4, 2, season).predict(inputs(INPUTS)).tolist() == [[4, 4], [6, 6]]


def test_the_linear_forecast_worked_by_hand() -> None:
    # Input 1 2 4 less its last: −3 −2 0. Weights 1 1 1: −5, intercept 0.5, plus the last 4: −0.5.
    model = Linear(np.ones((3, 1)), np.array([0.5]), np.zeros((3, 1)), np.zeros(1), LinearSettings(1.0))
    assert model.predict(inputs(np.array([[1.0, 2.0, 4.0]]))).tolist() == [[-0.5]]
    assert (model.input_size, model.horizon) == (3, 1)


def test_a_forecast_does_not_depend_on_the_rows_beside_it() -> None:
    generator = np.random.default_rng(0)
    weights, intercept = generator.normal(size=(24, 6)), generator.normal(size=6)
    model = Linear(weights, intercept, weights, intercept, LinearSettings(1.0))
    for rows in (1, 2, 3, 7, 40):
        windows = generator.normal(size=(rows, 24))
        alone = np.vstack([model.predict(inputs(windows[row : row + 1])) for row in range(rows)])
        assert (model.predict(inputs(windows)) == alone).all()


def test_the_evaluation_model_is_the_one_fitted_on_the_training_interval() -> None:
    model = linear()
    wanted = (INPUTS - INPUTS[:, -1:]) @ model.evaluation_weights + model.evaluation_intercept + INPUTS[:, -1:]
    np.testing.assert_array_equal(model.for_evaluation().predict(inputs(INPUTS)), wanted)
    assert model.for_evaluation().settings == model.settings


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_saved_model_forecasts_the_same_to_the_last_bit(model: Forecaster, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert (loaded.name, loaded.input_size, loaded.horizon) == (model.name, 4, 3)
    np.testing.assert_array_equal(loaded.predict(inputs(INPUTS)), model.predict(inputs(INPUTS)))
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == ["arrays.safetensors", "model.json"]


def test_a_saved_linear_model_keeps_both_fits(tmp_path: Path) -> None:
    linear().save(tmp_path)
    loaded = load_model(tmp_path)
    assert isinstance(loaded, Linear)
    np.testing.assert_array_equal(
        loaded.for_evaluation().predict(inputs(INPUTS)), linear().for_evaluation().predict(inputs(INPUTS))
    )
    assert loaded.settings == LinearSettings(0.1)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_inputs_of_another_size_are_refused(model: Forecaster) -> None:
    with pytest.raises(InputError, match=r"^inputs must have the shape \(windows, 4\), got \(2, 3\)$"):
        model.predict(inputs(INPUTS[:, :3]))
    with pytest.raises(InputError, match=r"got \(4,\)"):
        model.predict(inputs(INPUTS[0]))


@pytest.mark.parametrize("name", ["intercept", "evaluation_weights", "evaluation_intercept"])
def test_arrays_that_do_not_fit_together_are_refused(name: str) -> None:
    arrays = {
        "weights": np.ones((4, 3)),
        "intercept": np.ones(3),
        "evaluation_weights": np.ones((4, 3)),
        "evaluation_intercept": np.ones(3),
    }
    with pytest.raises(SparkhuError, match=rf"^{name} must have the shape .*, got .*. Train the model again.$"):
        Linear(**(arrays | {name: np.ones((2, 2))}), settings=LinearSettings(1.0))


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no model"):
        load_model(tmp_path)


def rewritten(folder: Path, **changes: object) -> Path:
    linear().save(folder)
    content = json.loads((folder / "model.json").read_text())
    kept = {name: value for name, value in (content | changes).items() if value is not None}
    (folder / "model.json").write_text(json.dumps(kept))
    return folder


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has model schema 1, this version of Sparkhu reads 2"):
        load_model(rewritten(tmp_path, schema_version=1))
    with pytest.raises(SparkhuError, match="kind 'oracle'; known are last_value, seasonal_naive, linear"):
        load_model(rewritten(tmp_path, kind="oracle"))
    with pytest.raises(SparkhuError, match="is incomplete: 'settings'"):
        load_model(rewritten(tmp_path, settings=None))
    rewritten(tmp_path)
    (tmp_path / "arrays.safetensors").write_bytes(b"\x80\x04nothing")
    with pytest.raises(SparkhuError, match="cannot be read"):
        load_model(tmp_path)
    (tmp_path / "arrays.safetensors").unlink()
    with pytest.raises(SparkhuError, match="cannot be read"):
        load_model(tmp_path)


def test_every_group_has_candidates() -> None:
    profile = pl.DataFrame(
        {
            "unique_id": ["a", "b", "c", "d"],
            "group": ["1h/24", "1h/24", "1y/1", None],
            "input_size": [4, 4, 2, None],
            "horizon": [3, 3, 1, None],
            "season_length": [2, 2, None, None],
        }
    )
    models = candidates(profile, {"1h/24": linear()})
    assert tuple(models) == NAMES
    assert {name: sorted(groups) for name, groups in models.items()} == {
        "linear": ["1h/24"],
        "seasonal_naive": ["1h/24", "1y/1"],
        "last_value": ["1h/24", "1y/1"],
    }
    assert models["seasonal_naive"]["1h/24"] == SeasonalNaive(4, 3, 2)
    assert models["seasonal_naive"]["1y/1"] == SeasonalNaive(2, 1, 1)
    evaluated = for_evaluation(models)
    np.testing.assert_array_equal(
        evaluated["linear"]["1h/24"].predict(inputs(INPUTS)), linear().for_evaluation().predict(inputs(INPUTS))
    )
    assert evaluated["last_value"] == models["last_value"]
