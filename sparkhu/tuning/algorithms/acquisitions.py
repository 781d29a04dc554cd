"""How much a point promises, by mean and deviation of what is believed there; less of the objective is better.

As in scikit-optimize, behind Katib's service: expected improvement, probability of improvement (both by at least 0.01)
and the lower bound of confidence (1.96 deviations). The objective has deviation 1.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from sparkhu.tuning.algorithms.axes import Places

LEAST_GAIN: Final = 0.01
CONFIDENCE: Final = 1.96
SQRT_2PI: Final = float(np.sqrt(2 * np.pi))

Promise = tuple[Places, Places, Places]
"""How much is promised, and how that grows with the mean and with the deviation."""
Acquisition = Callable[[Places, Places, float], Promise]


def expected_improvement(mean: Places, deviation: Places, best: float) -> Promise:
    """Give by how much less than the best so far is expected."""
    u, chance, density = _standing(mean, deviation, best)
    return deviation * (u * chance + density), -chance, density


def probability_of_improvement(mean: Places, deviation: Places, best: float) -> Promise:
    """Give how probable it is to be better than the best so far."""
    u, chance, density = _standing(mean, deviation, best)
    return chance, -density / deviation, -u * density / deviation


def lower_bound(mean: Places, deviation: Places, best: float) -> Promise:  # noqa: ARG001 - one signature for all
    """Give how low it may be."""
    ones = np.ones_like(mean)
    return CONFIDENCE * deviation - mean, -ones, CONFIDENCE * ones


ACQUISITIONS: Final[Mapping[str, Acquisition]] = {
    "EI": expected_improvement,
    "LCB": lower_bound,
    "PI": probability_of_improvement,
}


def _standing(mean: Places, deviation: Places, best: float) -> tuple[Places, Places, Places]:
    from scipy.special import ndtr

    u = (best - LEAST_GAIN - mean) / deviation
    return u, ndtr(u), np.exp(-0.5 * u * u) / SQRT_2PI
