import pytest

from sparkhu.errors import InputError
from sparkhu.training.known import RECIPES, load_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_found_and_called_by_its_name(name: str) -> None:
    assert load_recipe(name).name == name


def test_a_name_that_is_unknown_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match="'oracle' is no model that can be fitted; there is linear"):
        load_recipe("oracle")
