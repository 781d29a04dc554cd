"""What a trial of a model does on one group of series: it fits the model and gives its error on choosing windows.

The error is the mean squared one, in scaled units, over the choosing windows whose targets were all observed, against
what was observed; so the objectives of all models can be compared. Neither the windows that calibrate intervals nor
those of the test part take part.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from sparkhu.errors import SparkhuError
from sparkhu.models.base import Forecaster
from sparkhu.models.linear import LinearSettings
from sparkhu.models.spaces import SPACES, UNTUNED
from sparkhu.threads import on_one_thread
from sparkhu.training.gram_files import GramFile
from sparkhu.training.parts import CHOOSE, TRAIN
from sparkhu.training.recipes import Recipe, TrainingData, Trying
from sparkhu.training.ridge import DEFAULTS, Ridge
from sparkhu.tuning.engine import Report

Assignment = Mapping[str, str]


class Trials(Protocol):
    """The trials of a model on one group of series."""

    def defaults(self) -> tuple[Assignment, float] | None:
        """Give what the model is fitted with where it is not tuned, and the objective that this reaches.

        None: the group has no window to train on, or none that can choose.
        """

    def objective(self, assignment: Assignment, report: Report) -> float:
        """Score an assignment; a model that is trained by epochs reports its choosing loss after each."""


class LinearTrials:
    """The trials of the linear model: its Gram matrices answer for every assignment, and no window is read again.

    Args:
        data: The group's Gram matrices, of at least one training window.
    """

    def __init__(self, data: GramFile) -> None:
        self.data = data
        self._ridge = Ridge(data.gram, data.season_length)

    @on_one_thread
    def defaults(self) -> tuple[Assignment, float] | None:
        """Give the defaults, the strength chosen among them, and their objective."""
        if not (self.data.gram.train.windows and self.data.gram.choose.windows):
            return None
        settings = self._ridge.chosen(DEFAULTS)
        return settings.assignment(), self._ridge.validation_error(settings)

    @on_one_thread
    def objective(self, assignment: Assignment, _report: Report) -> float:
        """Score an assignment; it has no intermediate values."""
        return self._ridge.validation_error(LinearSettings.of(assignment))


class RecipeTrials:
    """The trials of a model that a recipe fits anew for each.

    Args:
        recipe: How it is fitted.
        data: Its windows; those of other groups and parts are left out.
        group: Which group of series.
        seed: That of the training, so that a trial fits the model that training will fit, if one process does; several
            draw their windows otherwise, as with another seed.
    """

    def __init__(self, recipe: Recipe, data: TrainingData, group: str, *, seed: int) -> None:
        self._recipe, self._group, self._seed = recipe, group, seed
        self._data = data.only(group, (TRAIN, CHOOSE))

    def defaults(self) -> tuple[Assignment, float] | None:
        """Give the defaults, and what the recipe chose by itself among them, and their objective."""
        chosen = self._data.windows(self._group, (CHOOSE,), "truth")
        if not any(np.isfinite(targets).all(axis=1).any() for _, targets in chosen):
            return None
        model = self._fit({}, _unheard)
        return None if model is None else (used_by(model, self._recipe.name), self._error(model))

    def objective(self, assignment: Assignment, report: Report) -> float:
        """Score an assignment.

        Raises:
            InputError: A value cannot be used.
            SparkhuError: The group has no window to train on.
        """
        model = self._fit(assignment, report)
        if model is None:
            raise SparkhuError(f"{self._recipe.name} has no window of {self._group} to train on")
        return self._error(model)

    def _fit(self, assignment: Assignment, report: Report) -> Forecaster | None:
        recipe = self._recipe.for_trial(report) if isinstance(self._recipe, Trying) else self._recipe
        return recipe.fit(self._data, {self._group: assignment}, seed=self._seed).models.get(self._group)

    def _error(self, model: Forecaster) -> float:
        """Give the mean squared error as the model stood after the training interval."""
        scored, total, count = model.for_evaluation(), 0.0, 0
        for inputs, targets in self._data.windows(self._group, (CHOOSE,), "truth"):
            known = np.isfinite(targets).all(axis=1)
            total += float(((scored.predict(inputs) - targets)[known] ** 2).sum())
            count += int(known.sum()) * targets.shape[1]
        return total / count


def used_by(model: Forecaster, name: str) -> dict[str, str]:
    """Give the parameters of a model that was fitted with its defaults, as a trial would be given them.

    A default that is no value says that the fit chooses; what it chose stands in the model under the same name.
    """
    found = {}
    for parameter in SPACES[name]:
        default = UNTUNED[name][parameter.name]
        try:
            parameter.value(default)
        except ValueError:
            default = repr(getattr(model, parameter.name))
        found[parameter.name] = default
    return found


def _unheard(_: float) -> None:
    """Take what the fit of the defaults reports: nothing stops it."""
