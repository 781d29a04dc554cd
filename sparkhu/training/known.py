"""The recipes that are known by name; a module is imported when its recipe is asked for."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from sparkhu.errors import InputError
from sparkhu.training.recipes import Recipe


class Known(NamedTuple):
    """Where a recipe is found.

    Attributes:
        place: Its module and class, with a colon between; the class takes no argument that it has no default for.
        refits: Whether its models are fitted anew for every window that they forecast, as statistical ones are: they
            are asked for few forecasts, and for no intervals.
    """

    place: str
    refits: bool = False


RECIPES: Final[Mapping[str, Known]] = MappingProxyType(
    {
        "linear": Known("sparkhu.training.linear:LinearRecipe"),
        "own_linear": Known("sparkhu.training.own_linear:OwnLinearRecipe"),
        "trees": Known("sparkhu.training.trees:TreesRecipe"),
        "ensemble": Known("sparkhu.training.ensemble:EnsembleRecipe"),
        "ets": Known("sparkhu.training.statistical:ets", refits=True),
        "mstl": Known("sparkhu.training.statistical:mstl", refits=True),
        "theta": Known("sparkhu.training.statistical:theta", refits=True),
    }
)
"""The recipes by their names."""


def load_recipe(name: str) -> Recipe:
    """Import a recipe and make it, with its defaults.

    Raises:
        InputError: There is none of that name.

    Example:
        >>> load_recipe("linear").name
        'linear'
    """
    if name not in RECIPES:
        raise InputError(f"'{name}' is no model that can be fitted; there is {', '.join(RECIPES)}.")
    module, _, kind = RECIPES[name].place.partition(":")
    return cast(Recipe, getattr(import_module(module), kind)())
