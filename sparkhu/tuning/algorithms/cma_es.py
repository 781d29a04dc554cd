"""CMA-ES: a normal distribution that moves to where trials were good, and takes the shape of that place.

Hansen 2016, "The CMA Evolution Strategy: A Tutorial", by the package `cmaes`. As in Katib's goptuna service there must
be two numbers at least; choices, of which CMA-ES knows nothing, are drawn at random.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, cast

import numpy as np

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.axes import NumberAxis, assignment_at, axes_of
from sparkhu.tuning.algorithms.history import SCORED, History
from sparkhu.tuning.algorithms.random_search import generator
from sparkhu.tuning.algorithms.settings import RANDOM_STATE, Reader, number, one_of, read_settings, seed_of
from sparkhu.tuning.algorithms.suggesting import Suggestion
from sparkhu.tuning.space import Direction, Space
from sparkhu.tuning.trials import Trial

if TYPE_CHECKING:
    from cmaes import CMA

GENERATION: Final = "cmaes-generation"
DEVIATION: Final = 1 / 6
"""Of the first generation, in ranges of the parameters."""
LEAST_DEVIATION: Final = 1e-12
MOST_DEVIATION: Final = 10.0
MOST_RATIO: Final = 1e7
"""Of one deviation to another: their squares are computed with."""
LARGEST: Final = 8e307
"""Larger objectives count as this: CMA-ES subtracts them."""
KNOWN: Final[Mapping[str, Reader]] = {
    **RANDOM_STATE,
    "sigma": number("a number from 0 on", lambda value: value >= 0),
    "restart_strategy": one_of("ipop", "bipop", "none", "None"),
}


class CmaEsSearch:
    """Algorithm `cmaes`; the trials of a generation bear its number as a label.

    Args:
        settings: `random_state`; `sigma`, the first deviation in the parameters' own units (of logarithms where the
            scale is logarithmic; 0 or nothing: a sixth of each range); `restart_strategy` (`none`): `ipop` starts again
            with twice the population, `bipop` with large and small ones by turns.
        space: What is searched.
        direction: Of the objective.

    Raises:
        InputError: A setting or the space cannot be used.
    """

    def __init__(self, settings: Mapping[str, str], space: Space, direction: Direction) -> None:
        read = read_settings("cmaes", settings, KNOWN)
        self.seed = seed_of(read)
        self.axes = axes_of(space)
        self.history = History(self.axes, direction)
        numbers = len(self.history.number_axes)
        if numbers < 2:
            raise InputError(
                f"algorithm cmaes needs two parameters of type int or double, the space has {numbers}; use tpe"
            )
        self._sigma = cast("float", read.get("sigma", 0.0))
        self._restarts = Restarts(str(read.get("restart_strategy", "none")), self.seed)
        self._generation = 0
        self._members: dict[int, list[int]] = defaultdict(list)
        self._seen = 0

    def suggest(self, count: int, trials: Sequence[Trial]) -> list[Suggestion]:
        """Draw `count` members of the present generation."""
        self.history.learn(trials)
        for row, trial in enumerate(trials[self._seen :], self._seen):
            if GENERATION in trial.labels:
                self._members[int(trial.labels[GENERATION])].append(row)
        self._seen = len(trials)
        while self._advanced():
            pass
        return [self._member(generator(self.seed, number)) for number in range(len(trials), len(trials) + count)]

    def _member(self, rng: np.random.Generator) -> Suggestion:
        self._optimizer.reseed_rng(int(rng.integers(2**31)))
        point = iter(self._optimizer.ask().tolist())
        chances = iter(rng.random(len(self.history.choice_axes)).tolist())
        numbers = {axis.name: axis.text(next(point)) for axis in self.history.number_axes}
        values = numbers | assignment_at(self.history.choice_axes, list(chances))
        ordered = {axis.name: values[axis.name] for axis in self.axes}
        return Suggestion(ordered, {GENERATION: str(self._generation)})

    def _advanced(self) -> bool:
        """Go on to the next generation, where the present one has a score for each of its members."""
        size = self._optimizer.population_size
        scored = [row for row in self._members[self._generation] if self.history.states[row] == SCORED][:size]
        if len(scored) < size:
            return False
        values = np.clip(self.history.values, -LARGEST, LARGEST)
        with np.errstate(
            over="ignore"
        ):  # places on a coarse grid may lie any number of deviations off; `cmaes` bounds it
            self._optimizer.tell([(self.history.places[row], float(values[row])) for row in scored])
        self._generation += 1
        if self._restarts.strategy != "none" and self._optimizer.should_stop():
            used = size * self._optimizer.generation
            population = self._restarts.next_population(used)
            self._optimizer = self._started(self._restarts.rng.random(len(self.history.number_axes)), population)
        return True

    @cached_property
    def _optimizer(self) -> "CMA":
        """The distribution of the present generation; at first in the middle of the space."""
        first = self._started(np.full(len(self.history.number_axes), 0.5), None)
        self._restarts.first = first.population_size
        return first

    def _started(self, mean: np.ndarray, population: int | None) -> "CMA":
        from cmaes import CMA

        axes = self.history.number_axes
        bounds = np.tile([0.0, 1.0], (len(axes), 1))
        if not self._sigma:
            return CMA(mean, DEVIATION, bounds, seed=0, population_size=population)
        # Where there is only one value, any deviation leaves it there.
        deviations = np.array([_share(self._sigma, axis) if axis.length else DEVIATION for axis in axes])
        widest = deviations.max()
        shape = np.diag(np.maximum(deviations / widest, 1 / MOST_RATIO) ** 2)
        return CMA(mean, float(widest), bounds, seed=0, population_size=population, cov=shape)


def _share(sigma: float, axis: NumberAxis) -> float:
    """Give a deviation in ranges of its parameter: at most ten of them, and at least a tenth of a step."""
    if sigma > MOST_DEVIATION * axis.length:
        return MOST_DEVIATION
    return max(sigma / axis.length, LEAST_DEVIATION, 0.1 / axis.count if axis.count else 0.0)


class Restarts:
    """How large the population is after each restart.

    Auger and Hansen 2005 (IPOP); Hansen 2009, "Benchmarking a BI-Population CMA-ES on the BBOB-2009 Function Testbed".

    Args:
        strategy: `none`, `ipop` or `bipop`.
        seed: Of the random numbers that they need.
    """

    def __init__(self, strategy: str, seed: int) -> None:
        self.strategy = strategy.lower()
        self.first = 0
        self.rng = np.random.default_rng((seed, 0, 0))
        self._doubled = 0
        self._used = {"large": 0, "small": 0}
        self._regime: Literal["large", "small"] = "large"

    def next_population(self, used: int) -> int:
        """Give the size of the next population, after `used` trials of the present one."""
        self._used[self._regime] += used
        if self.strategy == "bipop" and self._used["small"] < self._used["large"]:
            self._regime = "small"
            return int(self.first * (2**self._doubled) ** (self.rng.random() ** 2))
        self._regime = "large"
        self._doubled += 1
        return self.first * (1 << self._doubled)
