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

Acquisition = Callable[[Places, Places, float], Places]
"""Takes means, deviations and the best value so far."""


def expected_improvement(mean: Places, deviation: Places, best: float) -> Places:
    """Give by how much less than the best so far is expected."""
    from scipy.special import ndtr

    u = _standing(mean, deviation, best)
    density = np.exp(-0.5 * u * u) / SQRT_2PI
    return np.asarray(deviation * (u * ndtr(u) + density))


def probability_of_improvement(mean: Places, deviation: Places, best: float) -> Places:
    """Give how probable it is to be better than the best so far."""
    from scipy.special import ndtr

    return np.asarray(ndtr(_standing(mean, deviation, best)))


def lower_bound(mean: Places, deviation: Places, best: float) -> Places:  # noqa: ARG001 - one signature for all
    """Give how low it may be."""
    return CONFIDENCE * deviation - mean


ACQUISITIONS: Final[Mapping[str, Acquisition]] = {
    "EI": expected_improvement,
    "LCB": lower_bound,
    "PI": probability_of_improvement,
}


def _standing(mean: Places, deviation: Places, best: float) -> Places:
    """Give how many deviations the mean lies below what would be a gain."""
    return (best - LEAST_GAIN - mean) / deviation
