"""Models fitted in a fold, on what its cutoff leaves of the rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import polars as pl

from sparkhu.backtesting.folds import Fold
from sparkhu.backtesting.preparing import Prepared, cut, prepare
from sparkhu.backtesting.yardsticks import WholeSeason
from sparkhu.errors import InputError
from sparkhu.models.base import Forecaster, Models
from sparkhu.models.candidates import LAST_VALUE, SEASONAL_NAIVE, candidates, for_evaluation
from sparkhu.training.groups import seasons_of
from sparkhu.training.recipes import Recipe, TrainingData

Recipes = Sequence[Recipe] | Callable[[pl.DataFrame], Sequence[Recipe]]
"""What is backtested: recipes, or a function that makes them from the rows of the whole backtest. A recipe that was
made from rows outside, as one with features of its own, is given as such a function: else no check can see what it
knows."""
NAIVE2 = "naive2"
YARDSTICKS = (SEASONAL_NAIVE, LAST_VALUE, NAIVE2)
"""The models that are always beside those that are fitted."""


@dataclass(frozen=True, eq=False)
class FittedFold:
    """A fold and the models that were fitted in it.

    Attributes:
        fold: The fold.
        prepared: Its data.
        models: By name and group, the yardsticks that are forecasters among them.
        notes: What was chosen and why.
        seconds: What the fit of each model took.
    """

    fold: Fold
    prepared: Prepared
    models: Mapping[str, Mapping[str, Forecaster]]
    notes: list[str]
    seconds: Mapping[str, float]

    def evaluated(self) -> Mapping[str, Mapping[str, Forecaster]]:
        """Give the models as they stood after the training part."""
        return for_evaluation(self.models)

    def asked(self) -> Mapping[str, Mapping[str, Forecaster]]:
        """Give the models that forecast: the final ones, or those of the training part where the fold says so."""
        return self.models if self.fold.until is None else self.evaluated()


def fit_fold(
    rows: pl.DataFrame,
    recipes: Recipes,
    fold: Fold,
    *,
    seed: int = 0,
    fitting: Callable[[str], None] = lambda _: None,
) -> FittedFold:
    """Cut the rows at the fold's cutoff, and fit every recipe on what is left.

    Args:
        rows: Observation frame, sorted, the whole of it.
        recipes: What is fitted.
        fold: The fold.
        seed: Of every draw.
        fitting: Told the name of each recipe before it is fitted.

    Raises:
        InputError: Two models have one name.
    """
    chosen = recipes(rows) if callable(recipes) else recipes
    names = [recipe.name for recipe in chosen] + list(YARDSTICKS)
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"two models are called '{min(twice)}'; give each a name of its own.")
    prepared = prepare(cut(rows, fold.cutoff), fold)
    data = TrainingData((lambda: prepared.shard,), seasons_of(prepared.profile))
    models: dict[str, Mapping[str, Forecaster]] = {}
    notes, seconds = list(prepared.notes), {}
    for recipe in chosen:
        fitting(recipe.name)
        began = perf_counter()
        found = recipe.fit(data, {}, seed=seed)
        models[recipe.name], seconds[recipe.name] = found.models, perf_counter() - began
        notes += [f"{recipe.name}: {note}" for note in found.notes]
    return FittedFold(fold, prepared, {**models, **_naive(prepared)}, notes, seconds)


def _naive(prepared: Prepared) -> Models:
    """Give the yardsticks that are forecasters; seasonal naive looks back a season, however short the inputs are."""
    found, seasons = candidates(prepared.profile, {}), seasons_of(prepared.profile)
    seasonal = {
        group: WholeSeason(model.input_size, model.horizon, seasons[group])
        for group, model in found[SEASONAL_NAIVE].items()
    }
    return {SEASONAL_NAIVE: seasonal, LAST_VALUE: found[LAST_VALUE]}
