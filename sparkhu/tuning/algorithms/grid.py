"""Grid search: every combination of values once, in a random order, as Optuna's sampler behind Katib's service does."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.axes import ChoiceAxis, NumberAxis, axes_of
from sparkhu.tuning.algorithms.settings import RANDOM_STATE, read_settings, seed_of
from sparkhu.tuning.algorithms.suggesting import Suggestion
from sparkhu.tuning.space import Parameter, Space
from sparkhu.tuning.trials import Trial

MOST_COMBINATIONS: Final = 10_000_000
"""More are never tried, and their order would not fit into memory."""


class GridSearch:
    """Algorithm `grid`.

    Args:
        settings: `random_state`, of the order.
        space: What is searched; a double needs a step.
        most_trials: The experiment's `maxTrialCount`.

    Raises:
        InputError: A setting or the space cannot be used, or there are fewer combinations than trials.
    """

    def __init__(self, settings: Mapping[str, str], space: Space, *, most_trials: int | None) -> None:
        self.seed = seed_of(read_settings("grid", settings, RANDOM_STATE))
        for parameter in space:
            _check(parameter)
        self.axes = axes_of(space)
        self.sizes = [_size(axis) for axis in self.axes]
        total = math.prod(self.sizes)
        if most_trials is not None and most_trials > total:
            raise InputError(
                f"maxTrialCount is {most_trials}, but the grid has only {total} combinations; lower maxTrialCount, or "
                "give smaller steps"
            )
        if total > MOST_COMBINATIONS:
            raise InputError(
                f"the grid has {total:,} combinations, more than {MOST_COMBINATIONS:,}; give larger steps or shorter "
                "lists, or use the algorithm random"
            )
        self._taken: set[tuple[str, ...]] = set()
        self._seen = 0
        self._order: Iterator[int] = iter(np.random.default_rng(self.seed).permutation(total).tolist())

    def suggest(self, count: int, trials: Sequence[Trial]) -> list[Suggestion]:
        """Give the next combinations that no trial has; none when all were tried."""
        for trial in trials[self._seen :]:
            self._taken.add(tuple(trial.assignment[axis.name] for axis in self.axes))
        self._seen = len(trials)
        found: list[Suggestion] = []
        while len(found) < count and (index := next(self._order, None)) is not None:
            values = self._combination(index)
            if values not in self._taken:
                found.append(Suggestion(dict(zip((axis.name for axis in self.axes), values, strict=True))))
        return found

    def _combination(self, index: int) -> tuple[str, ...]:
        ranks = np.unravel_index(index, self.sizes)
        return tuple(axis.nth(int(rank)) for axis, rank in zip(self.axes, ranks, strict=True))


def _size(axis: NumberAxis | ChoiceAxis) -> int:
    assert axis.count is not None, axis.name
    return axis.count


def _check(parameter: Parameter) -> None:
    if parameter.kind == "double" and not parameter.step:
        raise InputError(f"parameter {parameter.name}: algorithm grid needs a step for a double; give one")
    if "ormal" in parameter.distribution:
        raise InputError(
            f"parameter {parameter.name}: algorithm grid has no distribution {parameter.distribution}; leave it out"
        )
