"""The recipes of the statistical models: nothing is learnt beforehand, each window is fitted when it is forecast."""

from dataclasses import dataclass
from typing import ClassVar

from sparkhu.models.base import Forecaster
from sparkhu.models.statistical import POINTS, Method, Statistical
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.sampling import group_sizes
from sparkhu.tuning.space import Space


@dataclass(frozen=True)
class StatisticalRecipe:
    """A statistical model of every group.

    Attributes:
        name: Which (`sparkhu.models.statistical.Method`).
    """

    name: Method
    space: ClassVar[Space] = ()

    def fit(self, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:  # noqa: ARG002 - has none
        """Set the model of every group up."""
        models: dict[str, Forecaster] = {
            group: Statistical(self.name, L, H, data.seasons[group])
            for group, (L, H) in group_sizes(data).items()
            if group in data.seasons
        }
        told = f"fitted anew for every window, on its last {POINTS:,} points at most"
        return Fitted(models, [f"{group}: {told}" for group in models])


def ets() -> StatisticalRecipe:
    """Make the recipe of AutoETS."""
    return StatisticalRecipe("ets")


def mstl() -> StatisticalRecipe:
    """Make the recipe of MSTL."""
    return StatisticalRecipe("mstl")


def theta() -> StatisticalRecipe:
    """Make the recipe of the Theta model."""
    return StatisticalRecipe("theta")
