"""Tree-structured Parzen estimators: draw where good trials are dense, try what is densest against the others."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, cast

import numpy as np

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.axes import Places, axes_of
from sparkhu.tuning.algorithms.history import RUNNING, SCORED, History
from sparkhu.tuning.algorithms.parzen import Parzen, Prior, Ranks
from sparkhu.tuning.algorithms.random_search import drawn, generator
from sparkhu.tuning.algorithms.settings import RANDOM_STATE, Reader, number, read_settings, seed_of, whole
from sparkhu.tuning.algorithms.suggesting import Suggestion
from sparkhu.tuning.space import Direction, Space
from sparkhu.tuning.trials import Trial

SHARED: Final[Mapping[str, Reader]] = {
    **RANDOM_STATE,
    "n_startup_trials": whole(at_least=0),
    "n_ei_candidates": whole(at_least=1),
}
OF_HYPEROPT: Final[Mapping[str, Reader]] = {
    "gamma": number("a number between 0 and 1", lambda value: 0 < value < 1),
    "prior_weight": number("a number above 0", lambda value: value > 0),
    "n_EI_candidates": whole(at_least=1),
}
MOST_GOOD: Final = 25


class TpeSearch:
    """Algorithms `tpe`, whose parameters are independent of each other, and `multivariate-tpe`.

    Trials that still run count as bad ones, so that others are tried elsewhere. The settings are those of Katib's
    services: of hyperopt's and Optuna's for `tpe`, of Optuna's for `multivariate-tpe`.

    Args:
        settings: `random_state`, `n_startup_trials` (10), `n_ei_candidates` (24); of `tpe` also `gamma` (the best
            `gamma √n` trials are good; without it a tenth of them, at most 25) and `prior_weight` (1).
        space: What is searched.
        direction: Of the objective.
        multivariate: Take the values of a trial together.

    Raises:
        InputError: A setting or the space cannot be used.
    """

    def __init__(
        self, settings: Mapping[str, str], space: Space, direction: Direction, *, multivariate: bool = False
    ) -> None:
        name, known = ("multivariate-tpe", SHARED) if multivariate else ("tpe", {**SHARED, **OF_HYPEROPT})
        read = read_settings(name, settings, known)
        if multivariate:
            _refuse_normal(space)
        self.joint = multivariate
        self.seed = seed_of(read)
        self.startup = cast("int", read.get("n_startup_trials", 10))
        self.candidates = cast("int", read.get("n_ei_candidates", read.get("n_EI_candidates", 24)))
        self.gamma = cast("float | None", read.get("gamma"))
        self.axes = axes_of(space)
        self.history = History(self.axes, direction)
        normal = [axis.parameter.distribution.lower().endswith("normal") for axis in self.history.number_axes]
        sizes = [axis.count for axis in self.history.choice_axes]
        self.prior = Prior(np.where(normal, 1 / 6, 1.0), sizes, cast("float", read.get("prior_weight", 1.0)))

    def suggest(self, count: int, trials: Sequence[Trial]) -> list[Suggestion]:
        """Suggest `count` assignments; the first ones are drawn at random."""
        self.history.learn(trials)
        found = []
        for trial in range(len(trials), len(trials) + count):
            rng = generator(self.seed, trial)
            scored = int((self.history.states == SCORED).sum())
            assignment = drawn(self.axes, rng) if scored < max(self.startup, 1) else self._promising(rng)
            self.history.expect(assignment)
            found.append(Suggestion(assignment))
        self.history.forget_expected(len(trials))
        return found

    def _promising(self, rng: np.random.Generator) -> dict[str, str]:
        good, bad = self._split()
        places, ranks = good.sample(rng, self.candidates, joint=self.joint)
        for at, axis in enumerate(self.history.number_axes):
            places[:, at] = axis.snapped(places[:, at])
        gains = good.log_density(places, ranks, joint=self.joint) - bad.log_density(places, ranks, joint=self.joint)
        best = np.broadcast_to(gains.argmax(axis=0), len(self.axes))
        return self._assignment(places, ranks, best.tolist())

    def _assignment(self, places: Places, ranks: Ranks, best: Sequence[int]) -> dict[str, str]:
        numbers, choices = self.history.number_axes, self.history.choice_axes
        texts = {axis.name: axis.text(float(places[best[at], at])) for at, axis in enumerate(numbers)}
        texts |= {axis.name: axis.nth(ranks[best[len(numbers) + at], at]) for at, axis in enumerate(choices)}
        return {axis.name: texts[axis.name] for axis in self.axes}

    def _split(self) -> tuple[Parzen, Parzen]:
        """Give the densities of the good trials and of the others."""
        seen = self.history
        scored = np.flatnonzero(seen.states == SCORED)
        best_first = scored[np.argsort(seen.values[scored], kind="stable")]
        good = np.sort(best_first[: self._good(len(scored))])
        bad = np.setdiff1d(np.flatnonzero(seen.states <= SCORED), good, assume_unique=True)
        assert RUNNING < SCORED
        return (
            Parzen(seen.places[good], seen.choices[good], self.prior),
            Parzen(seen.places[bad], seen.choices[bad], self.prior),
        )

    def _good(self, scored: int) -> int:
        share = 0.1 * scored if self.gamma is None else self.gamma * math.sqrt(scored)
        return min(math.ceil(share), MOST_GOOD, scored)


def _refuse_normal(space: Space) -> None:
    for parameter in space:
        if parameter.distribution.lower().endswith("normal"):
            raise InputError(
                f"parameter {parameter.name}: algorithm multivariate-tpe has no distribution "
                f"{parameter.distribution}; give uniform or logUniform, or use tpe"
            )
