"""The recipe of the linear model, and what it learns from windows that come later."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import Ridge

from sparkhu.errors import SparkhuError
from sparkhu.models.base import Forecaster
from sparkhu.models.linear import Linear
from sparkhu.models.loading import load_model
from sparkhu.training.linear import LinearRecipe
from sparkhu.training.recipes import TrainingData
from sparkhu.training.windows import ShardWindows, assemble
from tests.sparkhu.made_shard import MadeShard, laid_out, made_shard

GROUP, L, H = "1h/3", 6, 2
MADE = made_shard("a", "b", n=300, borders=(140, 170, 200), sizes=(L, H))
SETTINGS = {GROUP: {"strength": "0.01"}}


def of_windows(made: MadeShard, low: int, behind: int) -> TrainingData:
    """The windows of each series whose number lies in [low, behind)."""

    def read() -> ShardWindows:
        shard = assemble(*made)
        table = shard.table.filter(pl.col("offset").is_between(low, behind, closed="left"))
        return replace(shard, table=table)

    return TrainingData([read], {GROUP: 3})


def linear(model: Forecaster) -> Linear:
    assert isinstance(model, Linear)
    return model


def test_new_windows_make_the_weights_of_a_fit_on_all_of_them() -> None:
    recipe = LinearRecipe()
    first = recipe.fit(of_windows(MADE, 0, 200), SETTINGS)
    once = recipe.update(first.models, of_windows(MADE, 200, 230))
    twice = recipe.update(once.models, of_windows(MADE, 230, 300))
    assert twice.notes == ["1h/3: 126 new windows beside 460"]
    found, whole = linear(twice.models[GROUP]), linear(recipe.fit(of_windows(MADE, 0, 300), SETTINGS).models[GROUP])
    np.testing.assert_allclose(found.weights, whole.weights, atol=1e-12)
    # And those of scikit-learn's ridge on all windows.
    shard = laid_out(*MADE)
    points = np.array([shard.inputs[start : start + L + H] for start in shard.table["start"]])
    x, y = points[:, :L] - points[:, L - 1 : L], points[:, L:] - points[:, L - 1 : L]
    reference = Ridge(alpha=0.01 * (x**2).mean() * len(x), fit_intercept=False, solver="svd").fit(x, y)
    np.testing.assert_allclose(found.weights, reference.coef_.T, atol=1e-9)
    # What is scored stays as it was after the training interval.
    np.testing.assert_array_equal(found.evaluation_weights, linear(first.models[GROUP]).evaluation_weights)
    assert np.abs(found.weights - linear(first.models[GROUP]).weights).max() > 1e-3


def test_a_saved_model_learns_as_the_one_in_memory(tmp_path: Path) -> None:
    first = LinearRecipe().fit(of_windows(MADE, 0, 200), SETTINGS).models[GROUP]
    first.save(tmp_path)
    new = of_windows(MADE, 200, 300)
    again, here = (
        linear(LinearRecipe().update({GROUP: model}, new).models[GROUP]) for model in (load_model(tmp_path), first)
    )
    np.testing.assert_array_equal(again.weights, here.weights)


def test_a_group_without_new_windows_stays_and_says_so() -> None:
    models = LinearRecipe().fit(of_windows(MADE, 0, 200), SETTINGS).models
    for data in (of_windows(MADE, 300, 300), TrainingData([partial(assemble, *made_shard("c", n=4))], {GROUP: 3})):
        found = LinearRecipe().update(models, data)
        assert found.models[GROUP] is models[GROUP]
        assert found.notes == ["1h/3: no new window, so the model stays as it is"]


def test_a_model_without_its_sums_has_to_be_trained_again() -> None:
    model = linear(LinearRecipe().fit(of_windows(MADE, 0, 200), SETTINGS).models[GROUP]).for_evaluation()
    found = LinearRecipe().update({GROUP: model}, of_windows(MADE, 200, 300))
    assert found.models[GROUP] is model
    assert found.notes == ["1h/3: the model does not hold what new windows are added to; train it again"]


def test_windows_of_other_sizes_are_refused() -> None:
    models = LinearRecipe().fit(of_windows(MADE, 0, 200), SETTINGS).models
    other = made_shard("a", n=300, borders=(140, 170, 200), sizes=(5, 3))
    with pytest.raises(SparkhuError, match=r"^Gram matrices of windows 6 \+ 2 and 5 \+ 3 cannot be added"):
        LinearRecipe().update(models, of_windows(other, 0, 300))
