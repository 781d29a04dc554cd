"""The recipes of the neural models: what they are given, what they give, and how a model goes on."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import InputError
from sparkhu.training.neural import NeuralRecipe, Run, fine_tune, lstm, nhits, patch_transformer
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import TrainingData
from sparkhu.training.window_sets import GroupWindows, Runs, WindowSet, rank_sets, shard_sets
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import made_shard
from tests.sparkhu.training.distribution.jobs import BORDERS, DATA, GROUP, PLAN, SETTINGS, SIZES, forecast
from tests.sparkhu.window_inputs import inputs

pytest.importorskip("torch", reason="torch is not installed")


def windows() -> GroupWindows:
    return rank_sets([partial(shard_sets, DATA, read) for read in DATA.shards], Run().ranks)[GROUP]


@pytest.mark.parametrize("made", [lstm, nhits, patch_transformer])
def test_every_recipe_fits_every_group(made: object) -> None:
    recipe = replace(made(), plan=replace(PLAN, epochs=1))
    found = recipe.fit(DATA, {GROUP: {"width": "16"}}, seed=1)
    model = found.models[GROUP]
    assert (model.name, model.input_size, model.horizon) == (recipe.name, 8, 2)
    assert found.notes[0].startswith(f"{GROUP}: {recipe.name}: epoch 1 of 1, loss ")
    assert {parameter.name for parameter in recipe.space} >= {"learning_rate", "dropout", "centre"}
    again = recipe.fit(DATA, {GROUP: {"width": "16"}}, seed=1)
    np.testing.assert_array_equal(forecast(again.models[GROUP]), forecast(model))


def test_the_evaluation_weights_have_seen_the_training_interval_alone() -> None:
    # Behind the training interval everything is changed: what scores are made of is not.
    models = []
    for lift in (0.0, 3.0):
        made = made_shard("a", n=200, borders=BORDERS, sizes=SIZES)
        rows = made.sequences.with_row_index("row")
        lifted = rows.with_columns(y=rows["y"] + (rows["row"] >= BORDERS[1]) * lift).drop("row")
        data = TrainingData([partial(assemble, lifted, made.windows, made.scalers, made.profile)], {GROUP: 3})
        models.append(NeuralRecipe(nhits().architecture, PLAN).fit(data, SETTINGS).models[GROUP])
    first, second = (forecast(model) for model in models)
    np.testing.assert_array_equal(first[:, 2:], second[:, 2:])
    assert (first[:, :2] != second[:, :2]).any()


def test_a_group_without_windows_has_no_model_and_says_so(tmp_path: Path) -> None:
    data = TrainingData(DATA.shards, {"1d/7": 7, GROUP: 3})
    told = []
    recipe = NeuralRecipe(nhits().architecture, PLAN, tmp_path, lambda group, epoch: told.append((group, epoch.epoch)))
    found = recipe.fit(data, SETTINGS)
    assert list(found.models) == [GROUP]
    assert found.notes[0] == "1d/7: nhits has no window to train on"
    assert told == [(GROUP, 1), (GROUP, 2), (GROUP, 3)]
    assert sorted(path.name for path in (tmp_path / "group-001").iterdir()) == ["final", "train"]


def test_a_model_goes_on_over_windows_that_came_since() -> None:
    model = NeuralRecipe(nhits().architecture, PLAN).fit(DATA, SETTINGS).models[GROUP]
    own = windows()
    x, y = own.rest.x.rows(slice(None)), own.rest.y.rows(slice(None)) + 0.5
    later = GroupWindows(WindowSet(Runs.of(x), Runs.of(y)), own.choose, WindowSet.empty(*own.sizes))
    run = Run(plan=Plan(batch=8))
    tuned = fine_tune(model, later, run)
    error = [np.square(each.predict(inputs(x)) - y).mean() for each in (model, tuned)]
    assert error[1] < error[0]
    np.testing.assert_array_equal(forecast(tuned)[:, 2:], forecast(model)[:, 2:])
    with pytest.raises(InputError, match=r"the windows have the sizes \(5, 2\), the model \(8, 2\)"):
        fine_tune(model, GroupWindows.empty(5, 2), run)
