"""Tuning of the models that a recipe fits anew for each trial: what is scored, what is kept, what training takes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lineage import read_trail
from sparkhu.models.base import Forecaster
from sparkhu.models.own_linear import OwnLinear
from sparkhu.models.spaces import SPACES, UNTUNED
from sparkhu.models.trees import Trees, TreesSettings
from sparkhu.results import warnings_of
from sparkhu.sections import Training, Tuning
from sparkhu.stages.storing import training_data
from sparkhu.stages.training import load_further
from sparkhu.stages.training_models import train_models
from sparkhu.stages.tuned import read_tuned
from sparkhu.stages.tuning import _questions, tune
from sparkhu.stages.tuning_engines import run_search
from sparkhu.stages.tuning_search import check_tuning, search_of
from sparkhu.stages.tuning_trials import RecipeTrials
from sparkhu.training.known import load_recipe
from sparkhu.training.own_linear import OwnLinearRecipe
from sparkhu.training.parts import CHOOSE, TRAIN
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.tuning.trials import Trial
from tests.sparkhu.made_shard import laid_out
from tests.sparkhu.stages.test_storing import MADE, NAMES, Made, stored

pytestmark = pytest.mark.xdist_group("tuning")
GROUP = "1h/3"
TREES = Tuning(trials=5, algorithm="random", models=("linear", "trees"))
TRAINING = Training(models=("trees",), seed=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return stored(tmp_path_factory.mktemp("tuned"), NAMES)


@pytest.fixture(scope="module", autouse=True)
def own_registry(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What these tests store is found by no other test, and the other way round."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKHU_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def searched(made: Made) -> Path:
    pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    tune(**made.data, out=made.folder / "tuned", settings=TREES, training=TRAINING)
    return made.folder / "tuned"


def told(folder: Path) -> dict[str, dict[str, Any]]:
    """What `tuning.json` says, by model."""
    return {group["model"]: group for group in json.loads((folder / "tuning.json").read_text())["groups"]}


def choosing_error(made: Made, model: Forecaster) -> float:
    """The mean squared error on choosing windows all of which was observed, by the frame that was stored."""
    laid = laid_out(*MADE)
    starts = laid.table.filter(pl.col("part") == CHOOSE)["start"].to_numpy()
    targets = laid.truth[starts[:, None] + 4 + np.arange(2)]
    (windows,) = training_data(made.open()).windows(GROUP, (CHOOSE,))
    forecasts = model.for_evaluation().predict(windows[0])
    known = [place for place, row in enumerate(targets) if not np.isnan(row).any()]
    assert 0 < len(known) < len(targets) == len(forecasts)
    return sum(float((forecasts[place] - targets[place]) @ (forecasts[place] - targets[place])) for place in known) / (
        2 * len(known)
    )


def search(made: Made, name: str, settings: Tuning, *, seed: int = 0) -> tuple[Trial, ...]:
    trials = RecipeTrials(load_recipe(name), training_data(made.open()), GROUP, seed=seed)
    space, quiet = SPACES[name], (lambda _: None)
    return run_search(name, space, search_of(settings), trials=trials, settings=settings, on_trial=quiet).trials


def test_every_trial_of_trees_is_the_error_of_a_fit_on_the_choosing_windows(made: Made, searched: Path) -> None:
    trials = pl.read_parquet(searched / "trials.parquet").filter(model="trees")
    assert trials.height == 5
    for row in trials.iter_rows(named=True):
        given = {parameter.name: row[f"param.{parameter.name}"] for parameter in SPACES["trees"]}
        model = load_recipe("trees").fit(training_data(made.open()), {GROUP: given}, seed=2).models[GROUP]
        assert row["objective"] == pytest.approx(choosing_error(made, model), rel=1e-12)
    found = told(searched)["trees"]
    usual = load_recipe("trees").fit(training_data(made.open()), {}, seed=2).models[GROUP]
    assert found["defaults"]["objective"] == pytest.approx(choosing_error(made, usual), rel=1e-12)
    assert found["defaults"]["assignment"] == UNTUNED["trees"]
    assert found["best"]["objective"] == trials["objective"].min()


def test_training_fits_the_trees_that_were_found(made: Made, searched: Path, tmp_path: Path) -> None:
    found = told(searched)["trees"]
    train_models(**made.data, tuned=searched, out=tmp_path / "models", settings=TRAINING)
    model = load_further(tmp_path / "models")["trees"][GROUP]
    assert isinstance(model, Trees)
    assert found["chosen"] == "best"
    assert model.settings == TreesSettings.of(found["best"]["assignment"]) != TreesSettings()
    assert choosing_error(made, model) == pytest.approx(found["best"]["objective"], rel=1e-12)
    assert (
        read_trail([tmp_path / "models"]).history[-1].notes[-1]
        == "trees has the parameters that tuning settled on for 1h/3"
    )


def test_each_model_is_tuned_by_itself_in_one_document(searched: Path) -> None:
    found, trials = told(searched), pl.read_parquet(searched / "trials.parquet")
    assert list(found) == ["linear", "trees"]
    assert trials["model"].to_list() == ["linear"] * 5 + ["trees"] * 5
    assert trials.filter(model="linear")["param.leaves"].null_count() == 5
    assert set(read_tuned(searched, "linear")[GROUP]) == {"strength", "look_back", "shrink_to"}
    assert read_tuned(searched, "lstm") == {}


def test_a_second_run_fits_no_trial(
    made: Made, searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> float:
        raise AssertionError("a model was fitted")

    monkeypatch.setattr(RecipeTrials, "_fit", never)
    tune(**made.data, out=tmp_path / "again", settings=TREES, training=TRAINING)
    assert told(tmp_path / "again") == {name: {**each, "origin": "store"} for name, each in told(searched).items()}
    assert read_trail([tmp_path / "again"]).history[-1].counts["trials"] == 0


def test_the_seed_belongs_to_the_question_where_a_fit_draws(made: Made) -> None:
    one, other = (
        {each.model: each.fingerprint for each in _questions(made.open(), search_of(TREES), TREES, seed)}
        for seed in (0, 1)
    )
    assert one["linear"] == other["linear"]
    assert one["trees"] != other["trees"]


def test_equal_seeds_give_equal_searches_to_the_bit_and_another_another(made: Made) -> None:
    pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    few = Tuning(trials=3)
    first, again, other = (search(made, "trees", few, seed=seed) for seed in (4, 4, 5))
    assert [(each.assignment, each.objective) for each in first] == [
        (each.assignment, each.objective) for each in again
    ]
    assert first[0].assignment == other[0].assignment
    assert first[0].objective != other[0].objective


def test_windows_that_calibrate_or_test_and_other_groups_are_no_part_of_a_trial(made: Made) -> None:
    data = training_data(made.open()).only(GROUP, (TRAIN, CHOOSE))
    assert {part for read in data.shards for part in read().table["part"]} == {TRAIN, CHOOSE}
    assert dict(data.seasons) == {GROUP: 3}


def test_what_a_fit_chooses_by_itself_is_told_as_its_default(made: Made, tmp_path: Path) -> None:
    own = Training(models=("own_linear",))
    tune(**made.data, out=tmp_path / "tuned", settings=Tuning(trials=1, models=("own_linear",)), training=own)
    found = told(tmp_path / "tuned")["own_linear"]
    for name, tuned in (("with", tmp_path / "tuned"), ("without", None)):
        train_models(**made.data, tuned=tuned, out=tmp_path / name, settings=own)
    tuned_one, usual = (load_further(tmp_path / name)["own_linear"][GROUP] for name in ("with", "without"))
    assert isinstance(tuned_one, OwnLinear)
    assert isinstance(usual, OwnLinear)
    assert found["defaults"]["assignment"] == {"strength": repr(usual.strength)}
    assert found["assignment"] == {"strength": repr(tuned_one.strength)}
    assert found["defaults"]["objective"] == pytest.approx(choosing_error(made, usual), rel=1e-9)


def test_a_group_that_nothing_can_judge_keeps_the_defaults_of_its_models(tmp_path: Path) -> None:
    late = stored(tmp_path / "late", NAMES)
    windows = pl.read_parquet(late.data["windows"] / "00000.parquet")
    early = pl.col("targets_until") < pl.col("targets_until").min() + pl.duration(hours=60)
    windows.with_columns(valid=pl.col("valid") & early).write_parquet(late.data["windows"] / "00000.parquet")
    tune(**late.data, out=tmp_path / "tuned", settings=Tuning(models=("trees",)), training=TRAINING)
    found = told(tmp_path / "tuned")["trees"]
    assert (found["chosen"], found["trials"], found["assignment"]) == ("defaults", 0, {})
    assert "so nothing can choose" in found["reason"]


def refuse_fits(patch: pytest.MonkeyPatch, error: Exception, *, tuned_too: bool) -> None:
    """Let no fit of the series' own regressions succeed with its defaults, or none at all."""
    fit = OwnLinearRecipe.fit

    def refusing(self: OwnLinearRecipe, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:
        if tuned_too or not any(settings.values()):
            raise error
        return fit(self, data, settings, seed=seed)

    patch.setattr(OwnLinearRecipe, "fit", refusing)


TWO = Tuning(trials=2, algorithm="random", models=("own_linear", "linear"))


def test_defaults_that_cannot_be_fitted_are_told_and_the_search_finds_what_can(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    refuse_fits(monkeypatch, InputError("the loss is no number"), tuned_too=False)
    own = Training(models=("own_linear",))
    tune(**made.data, out=tmp_path / "tuned", settings=TWO, training=own)
    found = told(tmp_path / "tuned")
    assert found["own_linear"]["defaults"] == {"objective": None, "assignment": {}}
    assert found["own_linear"]["reason"].endswith("; the defaults cannot be fitted: the loss is no number")
    assert (found["own_linear"]["chosen"], found["linear"]["trials"]) == ("best", 2)
    assert found["own_linear"]["assignment"] == found["own_linear"]["best"]["assignment"]
    assert ": those of the best trial; " in read_trail([tmp_path / "tuned"]).history[-1].notes[0]
    train_models(**made.data, tuned=tmp_path / "tuned", out=tmp_path / "models", settings=own)
    assert set(load_further(tmp_path / "models")["own_linear"]) == {GROUP}


def test_a_model_that_cannot_be_fitted_at_all_is_told_and_the_others_are_tuned_and_trained(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    refuse_fits(monkeypatch, RuntimeError("singular"), tuned_too=True)
    both = Training(models=("own_linear", "trees"))
    tune(**made.data, out=tmp_path / "tuned", settings=TWO, training=both)
    found = told(tmp_path / "tuned")
    assert (found["own_linear"]["best"], found["own_linear"]["assignment"]) == (None, {})
    assert found["linear"]["best"] is not None
    train_models(**made.data, tuned=tmp_path / "tuned", out=tmp_path / "models", settings=both)
    models, trail = load_further(tmp_path / "models"), read_trail([tmp_path / "models"])
    assert {name: set(groups) for name, groups in models.items()} == {"trees": {GROUP}}
    assert trail.history[-1].notes[0] == "own_linear takes no part, for it cannot be fitted: singular"
    assert warnings_of(trail) == ["1 model could not be fitted and took no part; see the notes of the run"]
    entries = trail.entries.filter(step="train_models")
    assert (set(entries["status"]), set(entries["reason"])) == ({"ok"}, {"its group has no own_linear"})


def test_a_failure_of_the_disk_ends_tuning_and_training(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    refuse_fits(monkeypatch, OSError("no space left"), tuned_too=True)
    own = Training(models=("own_linear",))
    with pytest.raises(OSError, match="no space left"):
        tune(**made.data, out=tmp_path / "tuned", settings=TWO, training=own)
    with pytest.raises(OSError, match="no space left"):
        train_models(**made.data, out=tmp_path / "models", settings=own)


def test_a_group_without_a_training_window_fails_its_trials(made: Made) -> None:
    data = training_data(made.open()).only(GROUP, (CHOOSE,))
    trials = RecipeTrials(load_recipe("own_linear"), data, GROUP, seed=0)
    assert trials.defaults() is None
    with pytest.raises(SparkhuError, match="own_linear has no window of 1h/3 to train on"):
        trials.objective({"strength": "1"}, lambda _: None)


@pytest.mark.parametrize("name", ["lstm", "nhits", "patch_transformer"])
def test_a_neural_trial_reports_every_epoch_and_its_last_value_is_its_objective(made: Made, name: str) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    small = {"lstm": {"width": "32"}, "nhits": {"width": "64"}, "patch_transformer": {"width": "16"}}[name]
    given, reported = {**UNTUNED[name], **small}, list[float]()
    trials = RecipeTrials(load_recipe(name), training_data(made.open()), GROUP, seed=1)
    objective = trials.objective(given, reported.append)
    model = load_recipe(name).fit(training_data(made.open()), {GROUP: given}, seed=1).models[GROUP]
    assert objective == pytest.approx(choosing_error(made, model), rel=1e-9)
    assert len(reported) >= 4  # of 8 epochs, as patience is 3
    assert all(np.isfinite(reported))


def test_a_neural_search_takes_the_error_and_no_loss_of_an_epoch(made: Made) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    (trial,) = search(made, "nhits", Tuning(trials=1, algorithm="random"), seed=1)
    assert trial.status == "Succeeded"
    assert len(trial.measurements) >= 5
    assert trial.objective == float(trial.measurements[-1].value)
    assert trial.objective != min(float(each.value) for each in trial.measurements[:-1])


@pytest.mark.parametrize(
    ("models", "settings", "message"),
    [
        ("trees", {}, "models cannot hold 'trees', which this run does not train; let training.models name it"),
        (
            "linear,ensemble",
            {},
            "models cannot hold 'ensemble', which has no parameters to tune; there is linear, lstm",
        ),
        ("lsmt", {}, r"models cannot hold 'lsmt', which is no model that can be tuned; did you mean lstm\?"),
        ("seasonal_naive", {}, "models cannot hold 'seasonal_naive', which is no model that can be tuned; there is"),
        ("lstm,lstm", {}, "models names 'lstm' twice"),
        (
            "lstm",
            {"engine": "katib", "storage": "s3://b/t"},
            "engine cannot be katib for lstm: .* tuning.engine be loca",
        ),
        ("own_linear", {"algorithm": "cmaes"}, "algorithm cannot be 'cmaes' for the own_linear model"),
    ],
)
def test_models_that_cannot_be_tuned_are_refused_with_a_way_out(
    models: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_tuning(Tuning.of({"models": models, **settings}), Training(models=("ensemble", "lstm", "own_linear")))


def test_no_model_or_no_trial_leaves_all_defaults(made: Made, tmp_path: Path) -> None:
    for name, settings in (("models", Tuning(models=())), ("trials", Tuning(trials=0, models=("trees",)))):
        tune(**made.data, out=tmp_path / name, settings=settings, training=TRAINING)
        assert told(tmp_path / name) == {}
        assert f"not tuned, for tuning.{name}" in read_trail([tmp_path / name]).history[-1].notes[0]
