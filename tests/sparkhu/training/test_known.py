import sys

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.training.known import RECIPES, load_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_found_and_called_by_its_name(name: str) -> None:
    assert load_recipe(name).name == name


def test_a_name_that_is_unknown_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match="'oracle' is no model that can be fitted; there is linear"):
        load_recipe("oracle")


@pytest.mark.parametrize(
    ("name", "library"),
    [
        *(("trees", "lightgbm"), ("ensemble", "lightgbm")),
        *(("ets", "statsforecast"), ("mstl", "statsforecast"), ("theta", "statsforecast")),
    ],
)
def test_a_library_that_is_missing_is_told_when_the_recipe_is_loaded(
    name: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SparkhuError, match=rf"the model '{name}' needs {library}: pip install 'sparkhu\[models\]'"):
        load_recipe(name)
    assert load_recipe("linear").name == "linear"


@pytest.mark.parametrize("name", ["lstm", "nhits", "patch_transformer"])
def test_neural_models_name_the_extra_that_torch_is_in(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SparkhuError, match=rf"the model '{name}' needs torch: pip install 'sparkhu\[torch\]'"):
        load_recipe(name)
