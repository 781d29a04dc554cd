"""The search spaces: each is that of its recipe, and its defaults are those that the code fits with."""

import pytest

from sparkhu.models.linear import LinearSettings
from sparkhu.models.own_linear import strength_of
from sparkhu.models.spaces import MEANINGS, SPACES, UNTUNED, described
from sparkhu.models.trees import TreesSettings
from sparkhu.training import own_linear, ridge
from sparkhu.training.known import RECIPES, load_recipe

WITHOUT = {"ensemble", "ets", "mstl", "theta"}


@pytest.mark.parametrize("name", RECIPES)
def test_every_model_that_learns_has_the_space_of_its_recipe(name: str) -> None:
    pytest.importorskip(RECIPES[name].needs or "numpy", reason="its library is not installed")
    assert load_recipe(name).space == SPACES.get(name, ())
    assert (name in SPACES) == (name not in WITHOUT)


@pytest.mark.parametrize("name", SPACES)
def test_every_parameter_has_a_default_and_a_meaning_and_a_default_that_is_a_value_lies_inside(name: str) -> None:
    assert [parameter.name for parameter in SPACES[name]] == list(UNTUNED[name])
    assert set(MEANINGS[name]) == set(UNTUNED[name])
    for parameter in SPACES[name]:
        default = UNTUNED[name][parameter.name]
        if default.startswith("chosen from"):
            continue
        if parameter.choices:
            assert default in parameter.choices
        else:
            assert parameter.low is not None
            assert parameter.high is not None
            assert parameter.low <= float(default) <= parameter.high


def test_the_defaults_are_those_that_models_are_fitted_with() -> None:
    given = {name: text for name, text in UNTUNED["linear"].items() if name != "strength"}
    assert LinearSettings.of(given) == LinearSettings() == ridge.DEFAULTS
    assert UNTUNED["linear"]["strength"] == f"chosen from {len(ridge.STRENGTHS)} on the same windows"
    assert TreesSettings.of(UNTUNED["trees"]) == TreesSettings()
    assert strength_of({}) is None
    assert UNTUNED["own_linear"]["strength"] == f"chosen from {len(own_linear.STRENGTHS)} on the same windows"


def test_every_parameter_of_every_model_is_described() -> None:
    assert [(row.model, row.name) for row in described()] == [
        (model, parameter.name) for model, space in SPACES.items() for parameter in space
    ]
