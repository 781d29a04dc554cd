"""The own linear maps: against least squares solved outright, what the strength does, and saving."""

import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.loading import load_model
from sparkhu.models.own_linear import MEANINGS, SPACE, UNTUNED, OwnLinear, strength_of
from sparkhu.training import own_linear
from sparkhu.training.own_linear import PENALTY, STRENGTHS, OwnLinearRecipe
from sparkhu.training.parts import CHOOSE, PARTS, TRAIN
from sparkhu.training.recipes import Fitted, TrainingData
from sparkhu.training.sampling import Sample, sample_windows
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import made_shard
from tests.sparkhu.window_inputs import inputs

GROUP = "1h/3"
SIZES = {"n": 300, "borders": (200, 250, 300), "sizes": (6, 4)}
SHARDS = [made_shard("a", "b", **SIZES), made_shard("c", seed=1, **SIZES)]  # type: ignore[arg-type]
DATA = TrainingData([partial(assemble, *shard) for shard in SHARDS], {GROUP: 3})


def drawn(*parts: str) -> Sample:
    sample = sample_windows(DATA, GROUP, parts, depth=6, most=10**6, seed=0, target="truth")
    assert sample is not None
    return sample


def of(series: str, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    rows = (sample.series == series).to_numpy()
    last = sample.history[rows, -1:]
    return sample.history[rows] - last, sample.targets[rows] - last


def solved(strength: float, parts: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The maps by least squares on stacked rows: a row a unit of ridge."""
    windows = {name: of(name, drawn(*parts)) for name in "abc"}
    scaled = []
    for x, y in windows.values():
        naive = x[:, [3, 4, 5, 3]]
        share = 1 / np.sqrt(len(x) * ((y - naive) ** 2).mean())
        scaled.append((x * share, y * share))
    stacked = [np.vstack(each) for each in zip(*scaled, strict=True)]

    def ridge(x: np.ndarray, y: np.ndarray, penalty: float, towards: np.ndarray) -> np.ndarray:
        root = np.sqrt(penalty * (x**2).sum() / 6)
        left = np.linalg.lstsq(np.vstack([x, root * np.eye(6)]), np.vstack([y, root * towards]), rcond=None)[0]
        return np.asarray(left)

    every = ridge(*stacked, PENALTY, np.zeros((6, 4)))
    return {"": every} | {name: ridge(x, y, strength, every) for name, (x, y) in windows.items()}


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return OwnLinearRecipe().fit(DATA, {})


def model_of(fit: Fitted) -> OwnLinear:
    model = fit.models[GROUP]
    assert isinstance(model, OwnLinear)
    return model


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_the_maps_are_those_of_least_squares(strength: float) -> None:
    model = model_of(OwnLinearRecipe().fit(DATA, {GROUP: {"strength": str(strength)}}))
    assert model.series == ("a", "b", "c")
    for maps, parts in ((model.evaluation_weights, (TRAIN,)), (model.weights, PARTS)):
        for place, wanted in enumerate(solved(strength, parts).values()):
            np.testing.assert_allclose(maps[place], wanted, rtol=1e-4, atol=1e-5)


def test_the_strength_is_the_best_of_all_on_the_choosing_windows(fitted: Fitted) -> None:
    choose = drawn(CHOOSE)
    errors = []
    for strength in STRENGTHS:
        maps = solved(strength, (TRAIN,))
        pairs = {name: of(name, choose) for name in "abc"}
        errors.append(sum(np.abs(y - x @ maps[name]).mean() for name, (x, y) in pairs.items()))
    best = STRENGTHS[int(np.argmin(errors))]
    assert model_of(fitted).strength == best
    count = len(choose.targets)
    assert fitted.notes == [
        f"{GROUP}: maps of 3 series drawn to that of all by {best:g}, chosen on {count} validation windows"
    ]


def test_a_forecast_is_the_map_of_its_series_and_that_of_all_where_it_has_none(fitted: Fitted) -> None:
    model, x = model_of(fitted), np.random.default_rng(0).normal(size=(2, 6))
    given = inputs(x)
    wanted = (x - x[:, -1:]) @ model.weights[1].astype(float) + x[:, -1:]
    np.testing.assert_allclose(model.predict(given), wanted, rtol=1e-12)
    stranger = type(given)(x, given.series.replace("a", "z"), given.cutoffs)
    np.testing.assert_allclose(
        model.predict(stranger), (x - x[:, -1:]) @ model.weights[0].astype(float) + x[:, -1:], rtol=1e-12
    )


def test_many_windows_are_forecast_as_each_alone(fitted: Fitted) -> None:
    model, x = model_of(fitted), np.random.default_rng(0).normal(size=(600, 6))
    alone = np.vstack([model.predict(inputs(row[None])) for row in x])
    np.testing.assert_array_equal(model.predict(inputs(x)), alone)


def test_saved_and_loaded_they_forecast_the_same_to_the_bit(fitted: Fitted, tmp_path: Path) -> None:
    model, given = model_of(fitted), inputs(np.random.default_rng(0).normal(size=(4, 6)))
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.predict(given), model.predict(given))
    np.testing.assert_array_equal(loaded.for_evaluation().predict(given), model.for_evaluation().predict(given))
    assert (model.for_evaluation().predict(given) != model.predict(given)).any()
    assert (loaded.name, loaded.input_size, loaded.horizon) == ("own_linear", 6, 4)


def test_where_weights_find_no_room_the_series_have_the_map_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_linear, "MOST_NUMBERS", 2 * 6 * 4 * 2)
    fit = OwnLinearRecipe().fit(DATA, {})
    assert model_of(fit).series == ("a", "b")
    assert "maps of 2 series" in fit.notes[0]
    assert fit.notes[0].endswith("; 1 series have the map of all, for want of room")


def test_in_memory_lie_the_maps_as_they_are_kept_and_the_sums_of_one_series() -> None:
    shard = assemble(*made_shard(*(f"s{i}" for i in range(60)), n=160, borders=(130, 145, 160), sizes=(60, 40)))
    data = TrainingData([lambda: shard], {GROUP: 3})
    recipe = OwnLinearRecipe()
    recipe.fit(data, {GROUP: {"strength": 1}})
    tracemalloc.start()
    try:
        model = model_of(recipe.fit(data, {GROUP: {"strength": 1}}))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    kept = model.weights.nbytes + model.evaluation_weights.nbytes
    sums = 8 * 101 * 101
    assert peak < kept + 20 * sums


def test_without_training_windows_there_is_none_and_without_validation_a_given_strength() -> None:
    for borders, told in (((3, 250, 300), "no training window"), ((299, 300, 300), "by 1, for want of validation")):
        shards = [made_shard("a", n=300, borders=borders, sizes=(6, 4))]
        data = TrainingData([partial(assemble, *shard) for shard in shards], {GROUP: 3})
        assert told in OwnLinearRecipe().fit(data, {}).notes[0]


def test_a_strength_is_read_from_a_text_and_refused_by_name() -> None:
    assert (strength_of({}), strength_of({"strength": "0.5"})) == (None, 0.5)
    assert {parameter.name for parameter in SPACE} == set(UNTUNED) == set(MEANINGS)
    for values, told in (
        ({"power": 1}, "'power' is no parameter of the own linear maps; there is strength"),
        ({"strength": "strong"}, "strength must be a number, got 'strong'"),
        ({"strength": 0}, "strength must be positive, got 0"),
    ):
        with pytest.raises(InputError, match=told):
            strength_of(values)


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    maps = np.zeros((2, 6, 4), dtype=np.float32)
    with pytest.raises(SparkhuError, match=r"evaluation_weights must have the shape \(2, 6, 4\), got \(1, 6, 4\)"):
        OwnLinear(maps, maps[:1], ("a",), 1.0)
