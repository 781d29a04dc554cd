"""The recipes that are known by name; a module is imported when its recipe is asked for."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from sparkhu.errors import InputError, SparkhuError
from sparkhu.training.recipes import Recipe


class Known(NamedTuple):
    """Where a recipe is found.

    Attributes:
        place: Its module and class, with a colon between; the class takes no argument that it has no default for.
        refits: Whether its models are fitted anew for every window that they forecast, as statistical ones are: they
            are asked for few forecasts, and for no intervals.
        needs: The library that its models need beyond what is always installed; empty: none.
    """

    place: str
    refits: bool = False
    needs: str = ""


RECIPES: Final[Mapping[str, Known]] = MappingProxyType(
    {
        "linear": Known("sparkhu.training.linear:LinearRecipe"),
        "own_linear": Known("sparkhu.training.own_linear:OwnLinearRecipe"),
        "trees": Known("sparkhu.training.trees:TreesRecipe", needs="lightgbm"),
        "ensemble": Known("sparkhu.training.ensemble:EnsembleRecipe", needs="lightgbm"),
        "ets": Known("sparkhu.training.statistical:ets", refits=True, needs="statsforecast"),
        "mstl": Known("sparkhu.training.statistical:mstl", refits=True, needs="statsforecast"),
        "theta": Known("sparkhu.training.statistical:theta", refits=True, needs="statsforecast"),
        "lstm": Known("sparkhu.training.neural:lstm", needs="torch"),
        "nhits": Known("sparkhu.training.neural:nhits", needs="torch"),
        "patch_transformer": Known("sparkhu.training.neural:patch_transformer", needs="torch"),
    }
)
"""The recipes by their names."""


def load_recipe(name: str) -> Recipe:
    """Import a recipe and make it, with its defaults.

    Raises:
        InputError: There is none of that name.
        SparkhuError: The library that its models need is not installed.

    Example:
        >>> load_recipe("linear").name
        'linear'
    """
    if name not in RECIPES:
        raise InputError(f"'{name}' is no model that can be fitted; there is {', '.join(RECIPES)}.")
    if (needed := RECIPES[name].needs) and find_spec(needed) is None:
        extra = "torch" if needed == "torch" else "models"
        raise SparkhuError(f"the model '{name}' needs {needed}: pip install 'sparkhu[{extra}]'")
    module, _, kind = RECIPES[name].place.partition(":")
    return cast(Recipe, getattr(import_module(module), kind)())
