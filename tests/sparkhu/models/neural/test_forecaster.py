from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.loading import load_model
from sparkhu.models.neural import forecaster, running
from sparkhu.models.neural.architectures import ARCHITECTURES, values_of
from sparkhu.models.neural.forecaster import TOLERANCE, Design, Neural, weights_of
from tests.sparkhu.window_inputs import inputs

torch = pytest.importorskip("torch", reason="torch is not installed")
NAMES = list(ARCHITECTURES)


def design(name: str, L: int = 48, H: int = 12, season: int = 6, **values: object) -> Design:
    architecture = ARCHITECTURES[name]
    read = values_of(architecture, values)
    return Design(name, L, H, read["centre"], architecture.shape(L, H, season, read))


def neural(made: Design, seed: int = 0) -> Neural:
    """Give a model as if it were trained: no weight is where it begins."""
    found = []
    for number in (seed, seed + 1):
        torch.manual_seed(number)
        weights = weights_of(made.module())
        found.append({name: array + 0.05 * torch.randn(array.shape).numpy() for name, array in weights.items()})
    return Neural(made, found[0], found[1], 0.001)


def windows(n: int, L: int = 48) -> np.ndarray:
    return np.random.default_rng(4).normal(size=(n, L)).cumsum(axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_was_saved_forecasts_the_same_bits(name: str, tmp_path: Path) -> None:
    model = neural(design(name))
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    x = inputs(windows(5))
    assert model.predict(x).shape == (5, 12)
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    np.testing.assert_array_equal(loaded.for_evaluation().predict(x), model.for_evaluation().predict(x))
    assert (loaded.name, loaded.input_size, loaded.horizon) == (name, 48, 12)


@pytest.mark.parametrize("name", NAMES)
def test_the_evaluation_model_has_the_weights_of_the_training_interval(name: str) -> None:
    model = neural(design(name))
    x = inputs(windows(3))
    wanted = replace(model, weights=model.evaluation_weights).predict(x)
    np.testing.assert_array_equal(model.for_evaluation().predict(x), wanted)
    assert (wanted != model.predict(x)).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_forecast_depends_on_those_beside_it_by_its_tolerance_at_most(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecaster, "BATCH", 16)
    model = neural(design(name))
    values = windows(40)
    alone = np.vstack([model.predict(inputs(values[row : row + 1])) for row in range(40)])
    bound = TOLERANCE * np.abs(values).max(axis=1, keepdims=True)
    assert (np.abs(model.predict(inputs(values)) - alone) <= bound).all()


@pytest.mark.parametrize("centre", ["last", "mean"])
@pytest.mark.parametrize("name", NAMES)
def test_a_level_of_the_input_is_that_of_the_forecast(name: str, centre: str) -> None:
    model = neural(design(name, centre=centre))
    values = windows(4)
    np.testing.assert_allclose(model.predict(inputs(values + 8)), model.predict(inputs(values)) + 8, atol=1e-4)
    if centre == "mean":
        np.testing.assert_allclose(model.predict(inputs(3 * values)), 3 * model.predict(inputs(values)), atol=1e-3)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 1, 2), (7, 13, 3), (30, 5, 24)])
@pytest.mark.parametrize("name", NAMES)
def test_any_sizes_are_forecast(name: str, sizes: tuple[int, int, int]) -> None:
    L, H, season = sizes
    forecast = neural(design(name, L, H, season)).predict(inputs(windows(2, L)))
    assert forecast.shape == (2, H)
    assert np.isfinite(forecast).all()


def test_constant_windows_are_forecast_and_missing_values_stay_in_their_own() -> None:
    model = neural(design("patch_transformer"))
    values = np.vstack([np.full(48, 3.0), windows(1)[0]])
    assert np.isfinite(model.predict(inputs(values))).all()
    values[1, 5] = np.nan
    forecast = model.predict(inputs(values))
    assert np.isfinite(forecast[0]).all()
    assert np.isnan(forecast[1]).all()


@pytest.mark.parametrize("name", NAMES)
def test_an_untrained_module_repeats_the_last_value_and_a_linear_map_is_within_its_reach(name: str) -> None:
    module = design(name).module().eval()
    x = torch.from_numpy(windows(3).astype(np.float32))
    torch.testing.assert_close(module(x), x[:, -1:].expand(3, 12), rtol=0, atol=0)
    with torch.no_grad():
        module.linear.weight[:] = torch.randn(12, 48)
        module.linear.bias[:] = torch.arange(12.0)
    last = x[:, -1:]
    wanted = (x - last) @ module.linear.weight.T + torch.arange(12.0) + last
    torch.testing.assert_close(module(x), wanted)


def test_interpolation_lies_on_the_lines_between_the_knots() -> None:
    from sparkhu.models.neural.modules.nhits import Block

    block = Block(4, 6, pool=2, knots=3, width=5, dropout=0.0).eval()
    torch.nn.init.normal_(block.layers[-1].weight)
    x = torch.randn(2, 4)
    pooled = torch.maximum(x[:, ::2], x[:, 1::2])
    knots = block.layers(pooled).detach().numpy()[:, 4:]
    # Knots stand in the middle of their part of the horizon; before the first and behind the last nothing rises.
    wanted = [np.interp(np.arange(6) + 0.5, np.arange(3) * 2 + 1, row) for row in knots]
    np.testing.assert_allclose(block(x)[1].detach().numpy(), wanted, atol=1e-6)


def test_attention_is_that_of_torchs_own_layer() -> None:
    from sparkhu.models.neural.modules.patch_transformer import _Layer

    layer = _Layer(8, 4, 0.0).eval()
    theirs = torch.nn.TransformerEncoderLayer(
        8, 4, dim_feedforward=32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    own = dict(layer.named_parameters())
    names = ["ask.weight", "ask.bias", "merge.weight", "merge.bias", "network.0.weight", "network.0.bias"]
    names += ["network.3.weight", "network.3.bias", "before.weight", "before.bias", "between.weight", "between.bias"]
    with torch.no_grad():
        for parameter, name in zip(theirs.parameters(), names, strict=True):
            parameter.copy_(own[name])
    z = torch.randn(2, 5, 8)
    torch.testing.assert_close(layer(z), theirs(z), atol=1e-6, rtol=1e-5)


def test_what_torch_was_set_to_holds_again() -> None:
    before = torch.get_num_threads(), torch.random.get_rng_state()
    with running.reproducible():
        torch.manual_seed(9)
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert not torch.are_deterministic_algorithms_enabled()


def test_weights_of_another_design_and_damaged_models_are_refused(tmp_path: Path) -> None:
    model = neural(design("lstm"))
    with pytest.raises(SparkhuError, match="weights are those of another design"):
        replace(model, design=design("lstm", width=64)).predict(inputs(windows(1)))
    with pytest.raises(InputError, match=r"must have the shape \(windows, 48\)"):
        model.predict(inputs(windows(1, 47)))
    Neural(model.design, model.weights, {}, 0.001).save(tmp_path)
    with pytest.raises(SparkhuError, match="is incomplete"):
        load_model(tmp_path)


def test_without_torch_what_helps_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"needs torch, which is not installed: pip install 'sparkhu\[torch\]'"):
        design("lstm").module()
