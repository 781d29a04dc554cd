"""Sobol search: a sequence that fills the unit cube evenly, taken to the distributions of the parameters."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.axes import assignment_at, axes_of
from sparkhu.tuning.algorithms.settings import RANDOM_STATE, read_settings, seed_of
from sparkhu.tuning.algorithms.suggesting import Suggestion
from sparkhu.tuning.space import Space
from sparkhu.tuning.trials import Trial

if TYPE_CHECKING:
    from scipy.stats.qmc import Sobol

BLOCK: Final = 256
MOST_PARAMETERS: Final = 21_201
"""As far as the direction numbers of Joe and Kuo reach."""


class SobolSearch:
    """Algorithm `sobol`; the first point, every parameter at its least, is left out, as it informs little.

    Args:
        settings: `random_state` scrambles the sequence; without it, it is the same every time.
        space: What is searched.

    Raises:
        InputError: A setting or the space cannot be used.
    """

    def __init__(self, settings: Mapping[str, str], space: Space) -> None:
        read = read_settings("sobol", settings, RANDOM_STATE)
        self._seed, self._scrambled = seed_of(read), bool(read)
        if len(space) > MOST_PARAMETERS:
            raise InputError(
                f"algorithm sobol takes at most {MOST_PARAMETERS} parameters, not {len(space)}; use random"
            )
        self.axes = axes_of(space)
        self._points: list[list[float]] = []

    def suggest(self, count: int, trials: Sequence[Trial]) -> list[Suggestion]:
        """Give the next points of the sequence."""
        first = len(trials) + 1
        while len(self._points) < first + count:
            block: NDArray[np.float64] = self._sequence.random(BLOCK)
            self._points += block.tolist()
        return [Suggestion(assignment_at(self.axes, point)) for point in self._points[first : first + count]]

    @cached_property
    def _sequence(self) -> "Sobol":
        from scipy.stats import qmc

        return qmc.Sobol(len(self.axes), scramble=self._scrambled, rng=np.random.default_rng(self._seed))
