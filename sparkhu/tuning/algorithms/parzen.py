"""Parzen estimators: the density of points of a mixed space, as a mixture with one kernel an observation and a prior.

Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", with the bandwidths and weights of Watanabe 2023,
"Tree-Structured Parzen Estimator: Understanding Its Algorithm Components", as Optuna's `TPESampler` has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sparkhu.tuning.algorithms.axes import Places

Ranks = NDArray[np.intp]
FRESH: Final = 25
"""So many of the latest observations have the full weight."""
SQRT_2PI: Final = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True)
class Prior:
    """What is believed of the space before anything was observed.

    Attributes:
        deviations: For each number, that of the prior kernel, whose mean is 0.5.
        sizes: For each choice, how many there are.
        weight: Of the prior, against one observation's.
    """

    deviations: Places
    sizes: Sequence[int]
    weight: float = 1.0


class Parzen:
    """A mixture of products: normal kernels cut off at 0 and 1 for numbers, smoothed counts for choices.

    Args:
        places: Numbers that were observed, [observation, number], oldest first.
        ranks: Choices that were observed, [observation, choice].
        prior: What is believed without them.
    """

    def __init__(self, places: Places, ranks: Ranks, prior: Prior) -> None:
        from scipy.special import ndtr

        seen = len(places)
        weights = np.append(_weights(seen), prior.weight if seen else 1.0)
        self.weights: Places = weights / weights.sum()
        self.means: Places = np.concatenate([places, np.full((1, places.shape[1]), 0.5)])
        self.deviations: Places = np.concatenate([_bandwidths(places), prior.deviations[None]])
        self._below: Places = ndtr(-self.means / self.deviations)
        self._mass: Places = ndtr((1 - self.means) / self.deviations) - self._below
        self.shares = [_shares(ranks[:, at], size, prior.weight) for at, size in enumerate(prior.sizes)]

    def sample(self, rng: np.random.Generator, count: int, *, joint: bool) -> tuple[Places, Ranks]:
        """Draw points: numbers [count, number] and ranks of choices [count, choice].

        With `joint`, all values of a point are of one kernel; otherwise every value is of its own.
        """
        from scipy.special import ndtri

        numbers, choices = self.means.shape[1], len(self.shares)
        wide = 1 if joint else numbers + choices
        kernels = np.searchsorted(np.cumsum(self.weights)[:-1], rng.random((count, wide)), side="right")
        if joint:
            kernels = np.repeat(kernels, numbers + choices, axis=1)
        at = np.arange(numbers)
        chosen = kernels[:, :numbers]
        share = self._below[chosen, at] + rng.random((count, numbers)) * self._mass[chosen, at]
        places = np.clip(self.means[chosen, at] + self.deviations[chosen, at] * ndtri(share), 0, 1)
        ranks = np.empty((count, choices), np.intp)
        for choice, shares in enumerate(self.shares):
            sums = np.cumsum(shares[kernels[:, numbers + choice]], axis=1)
            ranks[:, choice] = (rng.random((count, 1)) >= sums[:, :-1]).sum(axis=1)
        return places, ranks

    def log_density(self, places: Places, ranks: Ranks, *, joint: bool) -> Places:
        """Give the logarithm of the density: of each point [point, 1] or of each of its values [point, value]."""
        z = (places[:, None] - self.means) / self.deviations
        factors = 1 / (self.deviations * self._mass * SQRT_2PI)
        chances = [shares[:, ranks[:, choice]].T for choice, shares in enumerate(self.shares)]
        if not joint:
            of_numbers = np.einsum("pkn,kn->pn", np.exp(-0.5 * z * z), factors * self.weights[:, None])
            of_choices = [chance @ self.weights for chance in chances]
            return np.asarray(np.log(np.column_stack([of_numbers, *of_choices])))
        logs = -0.5 * np.einsum("pkn,pkn->pk", z, z) + np.log(factors).sum(axis=1) + np.log(self.weights)
        for chance in chances:
            logs += np.log(chance)
        top = logs.max(axis=1, keepdims=True)
        density: Places = top + np.log(np.exp(logs - top).sum(axis=1, keepdims=True))
        return density


def _weights(count: int) -> Places:
    """Weigh observations, oldest first: those before the last 25 the less the older they are."""
    if count < FRESH:
        return np.ones(count)
    return np.concatenate([np.linspace(1 / count, 1, num=count - FRESH), np.ones(FRESH)])


def _bandwidths(places: Places) -> Places:
    """Give each kernel the distance to the further neighbour, within bounds."""
    seen, numbers = places.shape
    if not seen:
        return np.empty((0, numbers))
    order = np.argsort(places, axis=0)
    ordered = np.take_along_axis(places, order, axis=0)
    ends = np.concatenate([np.zeros((1, numbers)), ordered, np.ones((1, numbers))])
    gaps = np.diff(ends, axis=0)
    wider = np.maximum(gaps[:-1], gaps[1:])
    if seen >= 2:
        wider[0], wider[-1] = gaps[1], gaps[-2]
    bandwidths = np.empty_like(places)
    np.put_along_axis(bandwidths, order, wider, axis=0)
    return np.clip(bandwidths, 1 / min(100, seen + 2), 1)


def _shares(observed: Ranks, size: int, prior_weight: float) -> Places:
    """Give the probability of every choice in every kernel, [observation + prior, choice]."""
    if not len(observed):
        return np.full((1, size), 1 / size)
    kernels = len(observed) + 1
    counts = np.full((kernels, size), prior_weight / kernels)
    counts[np.arange(len(observed)), observed] += 1
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))
