"""The recipe of the trees: against LightGBM itself, by seed, on any number of threads, blind for what comes later."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models import trees as models_trees
from sparkhu.models.base import Histories, Inputs
from sparkhu.models.lagged import Layout, Rows
from sparkhu.models.loading import load_model
from sparkhu.models.trees import MEANINGS, SPACE, UNTUNED, Trees, TreesSettings
from sparkhu.training import sampling
from sparkhu.training import trees as training_trees
from sparkhu.training import windows as training_windows
from sparkhu.training.parts import CHOOSE, PARTS, TRAIN
from sparkhu.training.recipes import Fitted, TrainingData
from sparkhu.training.sampling import sample_windows
from sparkhu.training.trees import Bounds, Grower, TreesRecipe
from sparkhu.training.windows import FrameSource, assemble
from tests.sparkhu.made_shard import MadeShard, made_shard

lightgbm = pytest.importorskip("lightgbm")

GROUP = "1h/3"
SETTINGS = {GROUP: {"leaves": "6", "leaf_rows": 10, "learning_rate": "0.2"}}
SIZES = {"n": 400, "borders": (300, 340, 400), "sizes": (6, 4)}
SHARDS = [made_shard("a", "b", **SIZES), made_shard("c", seed=1, **SIZES)]  # type: ignore[arg-type]
RECIPE = TreesRecipe(bounds=Bounds(trees=60))


def data_of(shards: list[MadeShard]) -> TrainingData:
    return TrainingData([partial(assemble, *shard) for shard in shards], {GROUP: 3})


DATA = data_of(SHARDS)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return RECIPE.fit(DATA, SETTINGS, seed=3)


@pytest.fixture(scope="module")
def trees(fitted: Fitted) -> Trees:
    model = fitted.models[GROUP]
    assert isinstance(model, Trees)
    return model


def windows(part: str) -> tuple[Inputs, np.ndarray]:
    sample = sample_windows(DATA, GROUP, (part,), depth=42, most=10**6, seed=0)
    assert sample is not None
    return sample.inputs(6), sample.targets


def test_the_forecasts_are_those_of_lightgbm_on_the_same_rows(trees: Trees) -> None:
    (given, targets), (asked, _) = windows(TRAIN), windows("test")
    rows = trees.layout.rows(given.history(42), given.cutoffs)
    count = lightgbm.Booster(model_str=trees.trained).num_trees()
    reference = lightgbm.LGBMRegressor(
        objective="l1", n_estimators=count, learning_rate=0.2, num_leaves=6, min_child_samples=10, colsample_bytree=0.5,
        subsample=0.5, subsample_freq=1, max_bin=63, random_state=3, deterministic=True, force_row_wise=True,
        n_jobs=1, verbosity=-1, min_child_weight=1e-3,
    )  # fmt: skip
    reference.fit(rows.table, rows.answers(targets))
    laid = trees.layout.rows(asked.history(42), asked.cutoffs)
    wanted = laid.offset + reference.booster_.predict(laid.table).reshape(-1, 4) * laid.unit[:, None]
    np.testing.assert_allclose(trees.for_evaluation().predict(asked), wanted, rtol=1e-12)


def test_they_forecast_better_than_the_seasonal_naive_that_they_start_from(trees: Trees) -> None:
    given, targets = windows("test")
    naive = given.values[:, [-3, -2, -1, -3]]
    error = np.abs(trees.for_evaluation().predict(given) - targets).mean()
    assert error < 0.85 * np.abs(naive - targets).mean()


def test_the_choosing_windows_say_when_to_stop_and_the_final_trees_are_as_many(trees: Trees, fitted: Fitted) -> None:
    counts = [lightgbm.Booster(model_str=text).num_trees() for text in (trees.final, trees.trained)]
    assert counts[0] == counts[1] < 60
    assert trees.final != trees.trained
    chosen = sum(len(y) for _, y in DATA.windows(GROUP, [CHOOSE]))
    train = sum(len(y) for _, y in DATA.windows(GROUP, [TRAIN]))
    assert fitted.notes == [
        f"{GROUP}: {counts[0]} trees chosen on {chosen} validation windows; {train} of {train} training windows"
    ]


def grown(text: str) -> str:
    return text.partition("\nparameters:")[0]


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads_and_another_seed_others(trees: Trees) -> None:
    for threads in (1, 3):
        recipe = TreesRecipe(bounds=Bounds(trees=60, threads=threads))
        again = recipe.fit(DATA, SETTINGS, seed=3).models[GROUP]
        assert isinstance(again, Trees)
        assert (grown(again.final), grown(again.trained)) == (grown(trees.final), grown(trees.trained))
    other = RECIPE.fit(DATA, SETTINGS, seed=4).models[GROUP]
    assert isinstance(other, Trees)
    assert grown(other.trained) != grown(trees.trained)


def test_what_comes_behind_the_training_part_changes_no_trained_tree() -> None:
    # 20 trees are grown in any case: patience is longer.
    recipe = TreesRecipe(bounds=Bounds(trees=20))
    spoiled = []
    for shard in SHARDS:
        row = pl.int_range(pl.len()).over("unique_id")
        later = [pl.when(row >= 300).then(pl.col(name) + 50 * row).otherwise(pl.col(name)) for name in ("y", "y_raw")]
        spoiled.append(shard._replace(sequences=shard.sequences.with_columns(later)))
    given, asked = (recipe.fit(data, SETTINGS, seed=3).models[GROUP] for data in (DATA, data_of(spoiled)))
    assert isinstance(given, Trees)
    assert isinstance(asked, Trees)
    counts = [lightgbm.Booster(model_str=each.trained).num_trees() for each in (given, asked)]
    shown = [lightgbm.Booster(model_str=each.trained).dump_model(num_iteration=min(counts)) for each in (given, asked)]
    assert shown[0]["tree_info"] == shown[1]["tree_info"]
    assert grown(given.final) != grown(asked.final)


def test_saved_and_loaded_they_forecast_the_same_to_the_bit(trees: Trees, tmp_path: Path) -> None:
    trees.save(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "arrays.safetensors", "final.txt", "model.json", "trained.txt",
    ]  # fmt: skip
    loaded = load_model(tmp_path)
    given, _ = windows("test")
    np.testing.assert_array_equal(loaded.predict(given), trees.predict(given))
    evaluated = loaded.for_evaluation().predict(given)
    np.testing.assert_array_equal(evaluated, trees.for_evaluation().predict(given))
    assert (evaluated != trees.predict(given)).any()
    assert (loaded.name, loaded.input_size, loaded.horizon) == ("trees", 6, 4)


def test_trees_that_are_cut_off_or_missing_are_told(trees: Trees, tmp_path: Path) -> None:
    trees.save(tmp_path)
    (tmp_path / "trained.txt").write_text(trees.trained[:500])
    with pytest.raises(SparkhuError, match=r"trained.txt' are cut off. Train the model again."):
        load_model(tmp_path)
    (tmp_path / "trained.txt").unlink()
    with pytest.raises(SparkhuError, match=r"trained.txt' cannot be read: .* Train the model again."):
        load_model(tmp_path)


def test_a_forecast_does_not_depend_on_the_rows_beside_it_and_missing_values_are_let_in(trees: Trees) -> None:
    given, _ = windows("test")
    few = replace(given, values=given.values[4:6], series=given.series[4:6], cutoffs=given.cutoffs[4:6], longer=None)
    whole = replace(given, longer=None)
    np.testing.assert_array_equal(trees.predict(few), trees.predict(whole)[4:6])
    holed = few.values.copy()
    holed[:, -1] = np.nan
    assert np.isfinite(trees.predict(replace(few, values=holed))).all()
    assert trees.predict(replace(few, values=holed[:0], series=few.series[:0], cutoffs=few.cutoffs[:0])).shape == (0, 4)


def test_a_sample_is_bounded_drawn_by_seed_and_even() -> None:
    every = sample_windows(DATA, GROUP, PARTS, depth=6, most=10**6, seed=0)
    assert every is not None
    few = [sample_windows(DATA, GROUP, PARTS, depth=6, most=40, seed=seed) for seed in (1, 1, 2)]
    assert all(each is not None and (len(each.targets), each.seen) == (40, every.seen) for each in few)
    first, again, other = (each.history.tolist() for each in few if each is not None)
    assert first == again != other
    rows = every.history.tolist()
    places = [rows.index(row) for row in first]
    assert places == sorted(places)
    drawn = [sample_windows(DATA, GROUP, PARTS, depth=6, most=40, seed=seed) for seed in range(30)]
    shares = pl.concat([each.series for each in drawn if each is not None]).value_counts()["count"] / (40 * 30)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.06)


def test_a_sample_is_of_the_windows_with_the_smallest_random_numbers() -> None:
    every = sample_windows(DATA, GROUP, PARTS, depth=6, most=10**6, seed=0)
    few = sample_windows(DATA, GROUP, PARTS, depth=6, most=40, seed=1)
    assert every is not None
    assert few is not None
    wanted = np.sort(np.argsort(np.random.default_rng(1).random(every.seen))[:40])
    np.testing.assert_array_equal(few.history, every.history[wanted])
    np.testing.assert_array_equal(few.targets, every.targets[wanted])
    assert few.cutoffs.to_list() == every.cutoffs.gather(wanted).to_list()


def test_a_sample_holds_no_more_points_of_history_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "NUMBERS", 1_000)
    for depth, count in ((10, 100), (42, 23), (2_000, 1)):
        sample = sample_windows(DATA, GROUP, PARTS, depth=depth, most=10**6, seed=0)
        assert sample is not None
        assert sample.history.shape == (count, depth)


def test_of_a_sample_only_what_was_drawn_is_read_few_windows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_windows, "CHUNK_BYTES", 8 * 42 * 16)
    counts: list[int] = []
    read = FrameSource.histories

    def counted(self: FrameSource, rows: pl.DataFrame, points: int) -> np.ndarray:
        counts.append(rows.height)
        return read(self, rows, points)

    monkeypatch.setattr(FrameSource, "histories", counted)
    assert sample_windows(DATA, GROUP, PARTS, depth=42, most=40, seed=0) is not None
    assert (sum(counts), max(counts)) == (40, 16)


def test_histories_are_read_no_more_at_once_than_they_are_laid_out(
    trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = DATA.shards[0]()
    given = shard.inputs(shard.table[:50], 6)
    wanted, grower = trees.predict(given), Grower(DATA, GROUP, trees.layout, trees.settings, Bounds(), 0)
    sample = sample_windows(DATA, GROUP, PARTS, depth=42, most=50, seed=0)
    assert sample is not None
    tables = grower._table(sample)
    monkeypatch.setattr(models_trees, "WINDOWS_AT_ONCE", 16)
    monkeypatch.setattr(training_trees, "WINDOWS_AT_ONCE", 16)
    counts: list[int] = []
    rows = Layout.rows

    def counted(self: Layout, history: np.ndarray, cutoffs: pl.Series) -> Rows:
        counts.append(len(history))
        return rows(self, history, cutoffs)

    monkeypatch.setattr(Layout, "rows", counted)
    monkeypatch.setattr(Histories, "__call__", lambda *_: pytest.fail("all histories were read at once"))
    np.testing.assert_array_equal(trees.predict(given), wanted)
    for found, whole in zip(grower._table(sample), tables, strict=True):
        np.testing.assert_array_equal(found, whole)
    assert counts == [16, 16, 16, 2] * 2


def test_a_group_without_training_windows_has_no_trees_and_one_without_validation_a_fixed_number() -> None:
    short = [made_shard("a", n=400, borders=(3, 340, 400), sizes=(6, 4))]
    assert TreesRecipe().fit(data_of(short), {}).notes == [f"{GROUP}: no training window, so no trees"]
    unchosen = [made_shard("a", n=400, borders=(399, 400, 400), sizes=(6, 4))]
    fit = RECIPE.fit(data_of(unchosen), SETTINGS)
    assert fit.notes[0].startswith(f"{GROUP}: 60 trees for want of validation windows; ")


def test_settings_are_read_from_texts_and_refused_by_name() -> None:
    assert TreesSettings.of({"leaves": "31", "learning_rate": "0.2"}) == TreesSettings(leaves=31, learning_rate=0.2)
    assert TreesSettings.of(UNTUNED) == TreesSettings()
    assert {parameter.name for parameter in SPACE} == set(UNTUNED) == set(MEANINGS)
    for values, told in (
        ({"depth": 3}, "'depth' is no parameter of the trees; there is learning_rate, leaves"),
        ({"leaves": "many"}, "is no number"),
        ({"leaves": 1}, "leaves must be at least 2, got 1"),
        ({"leaf_rows": 0}, "leaf_rows must be at least 1, got 0"),
        ({"row_share": 1.5}, r"row_share must lie in \(0, 1\], got 1.5"),
    ):
        with pytest.raises(InputError, match=told):
            TreesSettings.of(values)
