"""The weights of an ensemble: not negative, summing to 1, found for each series and drawn towards those of all.

With weights w that sum to 1, the error of the mean forecast is the mean of the errors, and its square wᵀPw, P holding
the products of the members' errors (J. M. Bates and C. W. J. Granger, Operational Research Quarterly 20, 1969). The
least of it over non-negative w is found exactly, by trying every set of members.

A window's products are divided by the mean absolute error of its members, so that it counts as an absolute error does
and no outlier decides. A series' products are added to those that `strength` windows of the mean series have: a series
of few windows has the weights of all, one of many its own. The strength is chosen in time: weights of each series'
older windows, judged on its newer ones.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparkhu.models.base import Floats
from sparkhu.training.parts import Integers

STRENGTHS = (3.0, 10.0, 30.0, 100.0, float("inf"))
"""Windows of the mean series that a series' own are drawn towards; infinite: all series have the same weights."""
RIDGE = 1e-9
"""Share of its mean that is added to the diagonal, so that members that forecast alike have weights, too."""


class Weights(NamedTuple):
    """The weights of an ensemble.

    Attributes:
        every: (members,), of all series together.
        own: (series, members), of each.
        strength: What they were drawn together with; infinite: each series has those of all.
    """

    every: Floats
    own: Floats
    strength: float


def simplex_weights(products: Floats) -> Floats:
    """Find the w that is not negative, sums to 1 and has the least wᵀPw.

    Where a set of members has all the weight, its weights are P⁻¹1 over their sum; of the sets for which none of them
    is negative, the best is taken. Few members: there are 2ᵐ − 1 sets.

    Args:
        products: P, (m, m), symmetric and not negative definite.

    Example:
        >>> simplex_weights(np.diag([1.0, 3.0])).tolist()
        [0.75, 0.25]
    """
    count = len(products)
    unit = float(np.trace(products)) / count
    best, least = np.full(count, 1.0 / count), np.inf
    if unit == 0:
        return best
    regular = products / unit + RIDGE * np.eye(count)
    for size in range(1, count + 1):
        for members in combinations(range(count), size):
            at = list(members)
            solved = np.linalg.solve(regular[np.ix_(at, at)], np.ones(size))
            if (solved < 0).any():
                continue
            weights = np.zeros(count)
            weights[at] = solved / solved.sum()
            value = float(weights @ regular @ weights)
            if value < least:
                best, least = weights, value
    return best


def choose_weights(errors: Floats, codes: Integers, ages: Integers, series: int) -> Weights:
    """Find the weights of an ensemble and of each series.

    Args:
        errors: (n, members, H), forecast less observation; NaN where either is not known.
        codes: The series of each window, a number below `series`, (n,).
        ages: When each window lies, larger is newer, (n,).
        series: How many series there are.

    Returns:
        The weights; a series without a window has those of all.
    """
    errors = judged(errors)
    products = window_products(errors)
    newer = _newer_half(codes, ages, series)
    strength = float("inf")
    if newer.any() and not newer.all():
        losses = []
        for tried in STRENGTHS:
            own = _weights(products[~newer], codes[~newer], series, tried).own
            mean = np.einsum("nj,njh->nh", own[codes[newer]], errors[newer])
            losses.append(float(np.nansum(np.abs(mean))))
        strength = STRENGTHS[int(np.argmin(losses))]
    return _weights(products, codes, series, strength)


def judged(errors: Floats) -> Floats:
    """Give a member without a forecast of a step twice the error of the worst of the others.

    Args:
        errors: (n, members, H), forecast less observation; NaN where either is not known.

    Returns:
        The same; NaN where nothing was observed, or no member has a forecast.
    """
    missing = ~np.isfinite(errors)
    worst = np.where(missing, -1.0, np.abs(errors)).argmax(axis=1)[:, None, :]
    found: Floats = np.where(missing, 2 * np.take_along_axis(errors, worst, axis=1), errors)
    return np.where(missing.all(axis=1, keepdims=True), np.nan, found)


def window_products(errors: Floats) -> Floats:
    """Give the products of the members' errors of each window, (n, members, members), in units of its mean error."""
    whole = np.nan_to_num(errors)
    unit = np.abs(whole).mean(axis=(1, 2))
    products: Floats = np.einsum("njh,nkh->njk", whole, whole)
    return products / np.where(unit > 0, unit, 1.0)[:, None, None]


def _weights(products: Floats, codes: Integers, series: int, strength: float) -> Weights:
    members = products.shape[1]
    own = np.zeros((series, members, members))
    np.add.at(own, codes, products)
    count = np.bincount(codes, minlength=series)
    mean = own.sum(axis=0) / max(count.sum(), 1)
    every = simplex_weights(mean)
    if np.isinf(strength):
        return Weights(every, np.broadcast_to(every, (series, members)).copy(), strength)
    drawn = [simplex_weights(each + strength * mean) if n else every for each, n in zip(own, count, strict=True)]
    return Weights(every, np.array(drawn).reshape(series, members), strength)


def _newer_half(codes: Integers, ages: Integers, series: int) -> npt.NDArray[np.bool_]:
    """Mark the newer half of each series' windows."""
    order = np.lexsort((ages, codes))
    count = np.bincount(codes, minlength=series)
    starts = np.repeat(np.cumsum(count) - count, count)
    place = np.empty(len(codes), dtype=np.int64)
    place[order] = np.arange(len(codes)) - starts
    newer: npt.NDArray[np.bool_] = place >= (count[codes] + 1) // 2
    return newer
