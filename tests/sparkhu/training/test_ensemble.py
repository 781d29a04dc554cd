"""The ensemble: how it averages, what it weighs by, and that its members lie in folders of their own."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.models.base import Floats, Inputs
from sparkhu.models.ensemble import Ensemble, weighted
from sparkhu.models.loading import load_model
from sparkhu.models.naive import LastValue, SeasonalNaive
from sparkhu.training.ensemble import EnsembleRecipe, weigh
from sparkhu.training.known import RECIPES, load_recipe
from sparkhu.training.parts import CHOOSE
from sparkhu.training.recipes import TrainingData
from sparkhu.training.sampling import sample_windows
from sparkhu.training.weights import simplex_weights, window_products
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import made_shard
from tests.sparkhu.window_inputs import inputs

GROUP = "1h/3"
SHARDS = [made_shard("a", "b", n=300, borders=(200, 250, 300), sizes=(6, 4))]
DATA = TrainingData([partial(assemble, *shard) for shard in SHARDS], {GROUP: 3})
MEMBERS = {"last_value": LastValue(6, 4), "seasonal_naive": SeasonalNaive(6, 4, 3)}
X = np.random.default_rng(0).normal(size=(3, 6))


class Silent(LastValue):
    """Has no forecast."""

    def predict(self, inputs: Inputs) -> Floats:
        return np.full((len(inputs.values), self.horizon), np.nan)


def ensemble(*weights: float) -> Ensemble:
    return Ensemble(MEMBERS, np.array([0.25, 0.75]), ("a",), np.array([weights or (0.5, 0.5)]))


def test_a_series_has_its_own_weights_and_a_stranger_those_of_all() -> None:
    last, naive = (member.predict(inputs(X)) for member in MEMBERS.values())
    np.testing.assert_allclose(ensemble(0.9, 0.1).predict(inputs(X)), 0.9 * last + 0.1 * naive)
    stranger = replace(inputs(X), series=pl.Series(["z"] * 3))
    np.testing.assert_allclose(ensemble(0.9, 0.1).predict(stranger), 0.25 * last + 0.75 * naive)


def test_a_member_without_a_forecast_of_a_window_is_left_out_there() -> None:
    forecasts = np.array(
        [[[1.0, 1], [3, 3], [9, 9]], [[1, np.nan], [3, 3], [9, 9]], [[np.inf, 1], [3, np.nan], [9, 9]]]
    )
    weights = np.array([[0.5, 0.25, 0.25]] * 3)
    np.testing.assert_allclose(weighted(forecasts, weights), [[3.5, 3.5], [6, 6], [9, 9]])
    nothing = np.array([[[np.nan, 1], [3, 3], [9, 9]]])
    np.testing.assert_allclose(weighted(nothing, np.array([[1.0, 0, 0]])), [[6, 6]])
    assert np.isnan(weighted(np.full((1, 2, 3), np.nan), np.array([[0.5, 0.5]]))).all()


def test_the_weights_are_those_of_the_errors_on_the_choosing_windows() -> None:
    found, note = weigh(DATA, GROUP, MEMBERS, seed=0)
    sample = sample_windows(DATA, GROUP, (CHOOSE,), depth=6, most=10**6, seed=0, target="truth")
    assert sample is not None
    forecasts = np.stack([member.predict(sample.inputs(6)) for member in MEMBERS.values()], axis=1)
    products = window_products(forecasts - sample.targets[:, None, :])
    np.testing.assert_allclose(found.weights, simplex_weights(products.mean(axis=0)), rtol=1e-6)
    assert f"chosen on {len(sample.targets)} of {len(sample.targets)} validation windows" in note
    assert note.startswith(f"weights last_value {found.weights[0]:.2f}, seasonal_naive {found.weights[1]:.2f}, ")
    np.testing.assert_allclose(found.series_weights.sum(axis=1), 1.0)


def test_a_silent_member_weighs_nothing_that_is_seen() -> None:
    found, _ = weigh(DATA, GROUP, {**MEMBERS, "linear": Silent(6, 4)}, seed=0)
    alone, _ = weigh(DATA, GROUP, MEMBERS, seed=0)
    np.testing.assert_allclose(found.predict(inputs(X)), alone.predict(inputs(X)), atol=0.01)


def test_without_choosing_windows_all_members_weigh_the_same() -> None:
    shards = [made_shard("a", n=300, borders=(299, 300, 300), sizes=(6, 4))]
    data = TrainingData([partial(assemble, *shard) for shard in shards], {GROUP: 3})
    found, note = weigh(data, GROUP, MEMBERS, seed=0)
    assert found.weights.tolist() == [0.5, 0.5]
    assert note == "equal weights of last_value, seasonal_naive, for want of validation windows"


def test_the_recipe_fits_its_members_and_weighs_them() -> None:
    recipe = EnsembleRecipe(members=("linear", "own_linear"))
    fit = recipe.fit(DATA, {}, seed=1)
    model = fit.models[GROUP]
    assert isinstance(model, Ensemble)
    assert list(model.members) == ["linear", "own_linear"]
    assert [note.partition(":")[0] for note in fit.notes] == ["linear", "own_linear", GROUP]
    np.testing.assert_array_equal(model.predict(inputs(X)), recipe.fit(DATA, {}).models[GROUP].predict(inputs(X)))
    members = {name: load_recipe(name).fit(DATA, {}, seed=1).models[GROUP] for name in ("linear", "own_linear")}
    np.testing.assert_array_equal(model.weights, weigh(DATA, GROUP, members, seed=1)[0].weights)


def test_its_members_are_fitted_with_what_was_found_for_each() -> None:
    own = {"strength": "10"}
    recipe = EnsembleRecipe(members=("linear", "own_linear"))
    fit = recipe.fit(DATA, {GROUP: {f"linear.{name}": value for name, value in own.items()}}, seed=1)
    model = fit.models[GROUP]
    assert isinstance(model, Ensemble)
    alone = load_recipe("linear").fit(DATA, {GROUP: own}, seed=1).models[GROUP]
    plain = load_recipe("linear").fit(DATA, {}, seed=1).models[GROUP]
    np.testing.assert_array_equal(model.members["linear"].predict(inputs(X)), alone.predict(inputs(X)))
    assert not np.array_equal(alone.predict(inputs(X)), plain.predict(inputs(X)))


def test_it_is_saved_with_its_members_and_forecasts_the_same_to_the_bit(tmp_path: Path) -> None:
    linear = load_recipe("linear").fit(DATA, {}, seed=0).models[GROUP]
    model = Ensemble({"linear": linear, **MEMBERS}, np.array([0.5, 0.25, 0.25]), ("a",), np.array([[0.2, 0.3, 0.5]]))
    model.save(tmp_path)
    assert sorted(folder.name for folder in (tmp_path / "members").iterdir()) == [
        "last_value",
        "linear",
        "seasonal_naive",
    ]
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.predict(inputs(X)), model.predict(inputs(X)))
    evaluated = model.for_evaluation().predict(inputs(X))
    np.testing.assert_array_equal(loaded.for_evaluation().predict(inputs(X)), evaluated)
    assert (evaluated != model.predict(inputs(X))).any()
    assert (loaded.input_size, loaded.horizon) == (6, 4)


def test_a_member_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    ensemble().save(tmp_path)
    text = (tmp_path / "model.json").read_text()
    (tmp_path / "model.json").write_text(text.replace('"last_value"', '"../../elsewhere"'))
    with pytest.raises(SparkhuError, match=r"'../../elsewhere' names no member"):
        load_model(tmp_path)


def test_weights_that_do_not_belong_to_the_members_are_refused() -> None:
    with pytest.raises(SparkhuError, match=r"weights must have the shape \(2,\), got \(1,\)"):
        Ensemble(MEMBERS, np.ones(1), (), np.empty((0, 2)))
    with pytest.raises(SparkhuError, match=r"series_weights must have the shape \(1, 2\), got \(0, 2\)"):
        Ensemble(MEMBERS, np.ones(2) / 2, ("a",), np.empty((0, 2)))


@pytest.mark.parametrize("name", ["own_linear", "trees", "ensemble", "ets", "mstl", "theta"])
def test_the_recipes_are_known_by_their_names(name: str) -> None:
    assert load_recipe(name).name == name
    assert RECIPES[name].refits == (name in {"ets", "mstl", "theta"})


def test_the_statistical_recipes_set_a_model_up_for_every_group() -> None:
    fit = load_recipe("theta").fit(DATA, {}, seed=0)
    model = fit.models[GROUP]
    assert (model.name, model.input_size, model.horizon) == ("theta", 6, 4)
    assert fit.notes == [f"{GROUP}: fitted anew for every window, on its last 1,000 points at most"]
