"""The recipes of the neural models: what they are given, what they give, and how a model goes on."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.models.base import Floats
from sparkhu.models.loading import load_model
from sparkhu.models.naive import LastValue
from sparkhu.models.neural.forecaster import Neural
from sparkhu.training.gradients import Gradients
from sparkhu.training.loop import train
from sparkhu.training.neural import NeuralRecipe, Run, fine_tune, fit_groups, lstm, nhits, patch_transformer
from sparkhu.training.parts import PARTS
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, TrainingData
from sparkhu.training.window_sets import GroupWindows, Runs, WindowSet, rank_sets, shard_sets
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import made_shard
from tests.sparkhu.training.changed_process import data
from tests.sparkhu.training.distribution.jobs import BORDERS, DATA, GROUP, PLAN, SETTINGS, SIZES, forecast
from tests.sparkhu.training.toy_windows import work
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
    again, other = (recipe.fit(DATA, {GROUP: {"width": "16"}}, seed=seed).models[GROUP] for seed in (1, 2))
    np.testing.assert_array_equal(forecast(again), forecast(model))
    assert (forecast(other) != forecast(model)).any()


def lifted(first: int) -> TrainingData:
    """Give windows whose values change from a row of each series on, the observed ones as well."""
    made = made_shard("a", n=200, borders=BORDERS, sizes=SIZES)
    change = (pl.int_range(pl.len()) >= first) * 3.0
    rows = made.sequences.with_columns(y=pl.col("y") + change, y_raw=pl.col("y_raw") + change)
    return TrainingData([partial(assemble, rows, made.windows, made.scalers, made.profile)], {GROUP: 3})


def fitted(data: TrainingData, plan: Plan) -> Neural:
    model = NeuralRecipe(nhits().architecture, plan).fit(data, SETTINGS).models[GROUP]
    assert isinstance(model, Neural)
    return model


@pytest.mark.parametrize(
    ("first", "plan"),
    [
        # All that does not choose: the late half of the validation part, the test part and what crosses a border.
        ((BORDERS[0] + BORDERS[1]) // 2, PLAN),
        # The choosing windows too; they decide which epoch is taken, and here there is one.
        (BORDERS[0], replace(PLAN, epochs=1)),
    ],
)
def test_the_evaluation_weights_have_seen_the_training_interval_alone(first: int, plan: Plan) -> None:
    before, after = fitted(lifted(BORDERS[2]), plan), fitted(lifted(first), plan)
    for name, weights in before.evaluation_weights.items():
        np.testing.assert_array_equal(after.evaluation_weights[name], weights)
    assert any((after.weights[name] != weights).any() for name, weights in before.weights.items())


def test_a_change_of_the_training_interval_changes_the_evaluation_weights() -> None:
    before, after = fitted(lifted(BORDERS[2]), PLAN), fitted(lifted(BORDERS[0] - 1), PLAN)
    assert any((after.evaluation_weights[name] != each).any() for name, each in before.evaluation_weights.items())


@pytest.mark.parametrize(("drawn", "epochs", "seen"), [(16, 200, None), (16, 2, 32)])
def test_the_pass_over_all_windows_sees_each_once_as_far_as_the_training_could(
    drawn: int, epochs: int, seen: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = windows()
    every = len(whole.train) + len(whole.rest)
    passes: list[list[int]] = []
    given = Gradients.of

    def of(self: Gradients, some: WindowSet, which: Floats) -> object:
        if len(some) == every:
            passes.append(which.tolist())
        return given(self, some, which)

    monkeypatch.setattr(Gradients, "of", of)
    plan = Plan(epochs=epochs, patience=1, batch=16, windows_per_epoch=drawn)
    notes = NeuralRecipe(nhits().architecture, plan).fit(DATA, SETTINGS).notes
    places = [place for which in passes for place in which]
    assert len(set(places)) == len(places) == (every if seen is None else seen)
    told = f"the pass over all windows drew {seen} of {every}"
    assert (told in notes[0]) == (seen is not None)


def test_notes_say_that_nothing_chose_and_which_checkpoints_were_damaged(tmp_path: Path) -> None:
    whole = windows()
    unknown = WindowSet(whole.choose.x, Runs.of(np.full((len(whole.choose), 2), np.nan)))
    given = {GROUP: replace(whole, choose=unknown)}

    def fit() -> Fitted:
        return fit_groups(nhits().architecture, given, {GROUP: 3}, SETTINGS, Run(plan=PLAN, folder=tmp_path))

    first = fit()
    assert first.notes == [f"{GROUP}: nhits: epoch 3 of 3, no choosing window has a known Y"]
    (tmp_path / "group-000/train/epoch-000003.safetensors").write_bytes(b"")
    again = fit()
    assert "; the checkpoint of epoch 3 is damaged (its checksum differs) and was passed over; " in again.notes[0]
    assert "; went on behind epoch 2; the pass over all windows went on behind epoch 1" in again.notes[0]
    np.testing.assert_array_equal(forecast(again.models[GROUP]), forecast(first.models[GROUP]))


def test_a_group_of_which_no_y_is_known_has_no_model() -> None:
    whole = windows()
    unknown = WindowSet(whole.train.x, Runs.of(np.full((len(whole.train), 2), np.nan)))
    found = fit_groups(
        nhits().architecture, {GROUP: replace(whole, train=unknown)}, {GROUP: 3}, SETTINGS, Run(plan=PLAN)
    )
    assert found == ({}, [f"{GROUP}: nhits has no window to train on"])


def test_a_group_without_windows_has_no_model_and_says_so(tmp_path: Path) -> None:
    data = TrainingData(DATA.shards, {"1d/7": 7, GROUP: 3})
    told = []
    recipe = NeuralRecipe(nhits().architecture, PLAN, tmp_path, lambda group, epoch: told.append((group, epoch.epoch)))
    found = recipe.fit(data, SETTINGS)
    assert list(found.models) == [GROUP]
    assert found.notes[0] == "1d/7: nhits has no window to train on"
    assert told == [(GROUP, 1), (GROUP, 2), (GROUP, 3)]
    assert sorted(path.name for path in (tmp_path / "group-001").iterdir()) == ["final", "train"]


def error_on(data: TrainingData, model: Neural) -> float:
    errors = [np.square(model.predict(given) - y).mean() for given, y in data.windows(GROUP, PARTS)]
    return float(np.mean(errors))


def no_unpickling(*_: object, **__: object) -> None:
    raise AssertionError("something was unpickled")


def test_an_update_on_a_changed_process_lowers_the_error_on_what_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = NeuralRecipe(nhits().architecture, replace(PLAN, epochs=6, patience=6))
    settings = {GROUP: {"width": "16", "learning_rate": "0.01"}}
    first = recipe.fit(data(changed=False, seed=0), settings, seed=1).models
    first[GROUP].save(tmp_path)
    for place in ("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load"):
        monkeypatch.setattr(place, no_unpickling)
    champion = {GROUP: load_model(tmp_path), "1d/7": first[GROUP]}
    new, later = data(changed=True, seed=1), data(changed=True, seed=2)
    found = recipe.update(champion, new, seed=1)
    assert list(found.models) == [GROUP, "1d/7"]
    before, after = error_on(later, champion[GROUP]), error_on(later, found.models[GROUP])
    assert after < 0.8 * before
    count = sum(len(y) for _, y in new.windows(GROUP, PARTS))
    assert found.notes == [
        f"{GROUP}: nhits went on over {count} new windows, and is scored by the weights that it had",
        "1d/7: nhits has no new window, and stays as it is",
    ]
    assert found.models["1d/7"] is champion["1d/7"]
    for name, weights in champion[GROUP].evaluation_weights.items():
        np.testing.assert_array_equal(found.models[GROUP].evaluation_weights[name], weights)
    again, other = (recipe.update(champion, new, seed=seed).models[GROUP] for seed in (1, 2))
    np.testing.assert_array_equal(forecast(again), forecast(found.models[GROUP]))
    assert (forecast(other)[:, :2] != forecast(again)[:, :2]).any()


def test_an_update_takes_models_of_its_own_recipe_and_sizes() -> None:
    recipe = nhits()
    with pytest.raises(InputError, match="the model of 1h/3 is 'last_value', and 'nhits' is updated"):
        recipe.update({GROUP: LastValue(8, 2)}, DATA)
    assert recipe.update({}, DATA).notes == [f"{GROUP}: nhits has no model to go on from"]
    model = fitted(DATA, replace(PLAN, epochs=1))
    with pytest.raises(InputError, match=r"the windows have the sizes \(5, 2\), the model \(8, 2\)"):
        fine_tune(model, GroupWindows.empty(5, 2), Run())


@pytest.mark.parametrize("name", ["fit", "update", "predict", "train"])
def test_without_torch_what_helps_is_said_before_it_is_imported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = work()
    model = Neural(given.design, {}, {}, 0.001)
    asked = {
        "fit": lambda: nhits().fit(DATA, {}),
        "update": lambda: nhits().update({GROUP: model}, DATA),
        "predict": lambda: model.predict(inputs(np.zeros((1, 12)))),
        "train": lambda: train(given),
    }
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        InputError, match=r"'nhits' needs torch, which is not installed: pip install 'sparkhu\[torch\]'"
    ):
        asked[name]()
