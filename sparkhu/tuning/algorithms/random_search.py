"""Random search: every value is drawn from its distribution, whatever came before."""

from collections.abc import Mapping, Sequence

import numpy as np

from sparkhu.tuning.algorithms.axes import Axis, assignment_at, axes_of
from sparkhu.tuning.algorithms.settings import RANDOM_STATE, read_settings, seed_of
from sparkhu.tuning.algorithms.suggesting import Suggestion
from sparkhu.tuning.space import Space
from sparkhu.tuning.trials import Trial


def generator(seed: int, number: int) -> np.random.Generator:
    """Give the random numbers of one trial: the same for the same seed and number, whatever was drawn before.

    An experiment that goes on after a crash therefore draws what it would have drawn.
    """
    return np.random.default_rng((seed, number))


def drawn(axes: Sequence[Axis], rng: np.random.Generator) -> dict[str, str]:
    """Draw an assignment from the distributions of the parameters."""
    return assignment_at(axes, rng.random(len(axes)).tolist())


class RandomSearch:
    """Algorithm `random`.

    Args:
        settings: `random_state`.
        space: What is searched.

    Raises:
        InputError: A setting or the space cannot be used.
    """

    def __init__(self, settings: Mapping[str, str], space: Space) -> None:
        self.seed = seed_of(read_settings("random", settings, RANDOM_STATE))
        self.axes = axes_of(space)

    def suggest(self, count: int, trials: Sequence[Trial]) -> list[Suggestion]:
        """Draw `count` assignments."""
        numbers = range(len(trials), len(trials) + count)
        return [Suggestion(drawn(self.axes, generator(self.seed, number))) for number in numbers]
