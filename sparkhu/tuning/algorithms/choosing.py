"""Which algorithms there are, by the names that Katib gives them."""

from collections.abc import Mapping
from typing import Final

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.suggesting import Suggester
from sparkhu.tuning.space import Direction, Space

ALGORITHMS: Final = (
    "random",
    "grid",
    "tpe",
    "multivariate-tpe",
    "bayesianoptimization",
    "cmaes",
    "sobol",
    "hyperband",
)
REFUSED: Final[Mapping[str, str]] = {
    "enas": "it searches network architectures with a controller of its own",
    "darts": "it searches network architectures within one long trial",
    "pbt": "its trials go on from each other's checkpoints",
}
"""Algorithms of Katib that are not run here, and why."""


def make_suggester(
    name: str,
    *,
    settings: Mapping[str, str],
    space: Space,
    direction: Direction,
    parallel: int,
    most_trials: int | None,
) -> Suggester:
    """Make the algorithm of a name.

    Args:
        name: Katib's name of it.
        settings: Its settings, by name.
        space: What is searched.
        direction: Of the objective.
        parallel: How many trials run at once.
        most_trials: The experiment's `maxTrialCount`, where it has one.

    Raises:
        InputError: There is none of this name, it is not run here, or it refuses its settings or the space.
    """
    there_are = ", ".join(ALGORITHMS)
    if name in REFUSED:
        raise InputError(f"algorithm {name} is not run here: {REFUSED[name]}; let Katib run it, or use {there_are}")
    if name not in ALGORITHMS:
        raise InputError(f"unknown algorithm {name!r}; there are {there_are}")
    if name == "grid":
        from sparkhu.tuning.algorithms.grid import GridSearch

        return GridSearch(settings, space, most_trials=most_trials)
    if name == "hyperband":
        from sparkhu.tuning.algorithms.hyperband import Hyperband

        return Hyperband(settings, space, direction, parallel=parallel)
    return _blind(name, settings, space) if name in ("random", "sobol") else _learning(name, settings, space, direction)


def _blind(name: str, settings: Mapping[str, str], space: Space) -> Suggester:
    """Make one that learns nothing from the trials."""
    if name == "sobol":
        from sparkhu.tuning.algorithms.sobol import SobolSearch

        return SobolSearch(settings, space)
    from sparkhu.tuning.algorithms.random_search import RandomSearch

    return RandomSearch(settings, space)


def _learning(name: str, settings: Mapping[str, str], space: Space, direction: Direction) -> Suggester:
    """Make one that learns where the good values are."""
    if name == "bayesianoptimization":
        from sparkhu.tuning.algorithms.bayesian import BayesianSearch

        return BayesianSearch(settings, space, direction)
    if name == "cmaes":
        from sparkhu.tuning.algorithms.cma_es import CmaEsSearch

        return CmaEsSearch(settings, space, direction)
    from sparkhu.tuning.algorithms.tpe import TpeSearch

    return TpeSearch(settings, space, direction, multivariate=name == "multivariate-tpe")
