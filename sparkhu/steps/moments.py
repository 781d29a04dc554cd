"""Moments of every series of a shard: mean, standard deviation, skewness and kurtosis, as pandas defines them.

Deviations are taken from a mean that was corrected by their own mean (T. F. Chan, G. H. Golub and R. J. LeVeque,
Algorithms for Computing the Sample Variance, The American Statistician 37/3, 1983): a constant series deviates by
nothing, and an offset a million times the spread costs no digits. Powers are taken in units of a power of two near the
largest value, where that is huge or tiny, so that they neither overflow nor vanish and lose no bit.
"""

from typing import NamedTuple

import numpy as np

from sparkhu.steps.segmented import Floats, Ints

HUGE_BITS = 200
"""Values of 2^±200 and beyond are brought near 1 before their fourth powers are taken."""


class Moments(NamedTuple):
    """One value a series, NaN where it has too few values, none that is finite, or does not vary.

    Attributes:
        mean: Of one value or more.
        std: With divisor n − 1, of two or more.
        skewness: Bias-corrected, of three or more.
        kurtosis: Excess, bias-corrected, of four or more.
    """

    mean: Floats
    std: Floats
    skewness: Floats
    kurtosis: Floats


def moments_of(values: Floats, counts: Ints) -> Moments:
    """Compute the moments of each series.

    Args:
        values: Of all series, one after another.
        counts: How many each series has.

    Example:
        >>> moments_of(np.array([1.0, 2.0, 3.0]), np.array([3])).std.tolist()
        [1.0]
    """
    n, least = counts[counts > 0].astype(np.float64), (1, 2, 3, 4)
    first = (np.cumsum(counts) - counts)[counts > 0]
    found = np.full((4, len(counts)), np.nan)
    if not len(n):
        return Moments(*found)
    with np.errstate(all="ignore"):  # what overflows, or divides nothing, is no number in the result
        unit = units_of(np.fmax.reduceat(np.abs(values), first), bits=HUGE_BITS)
        mean, off = means_of(values / np.repeat(unit, counts[counts > 0]), first, counts[counts > 0])
        square = off * off
        second = np.add.reduceat(square, first) / n
        third = np.add.reduceat(square * off, first) / n
        fourth = np.add.reduceat(square * square, first) / n
        skewness = np.sqrt(n * (n - 1)) / (n - 2) * third / second**1.5
        kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (fourth / second**2 - 3) + 6)
        std = np.sqrt(second * n / (n - 1))
        mean, std = mean * unit, std * unit
    for row, (moment, enough) in enumerate(zip((mean, std, skewness, kurtosis), least, strict=True)):
        found[row, counts > 0] = np.where((n >= enough) & np.isfinite(moment), moment, np.nan)
    return Moments(*found)


def means_of(values: Floats, first: Ints, counts: Ints) -> tuple[Floats, Floats]:
    """Compute the mean of each series, and the deviation of each value from it.

    Args:
        values: Of all series, one after another.
        first: Where those of each series start.
        counts: How many each series has, one at least.
    """
    mean = np.add.reduceat(values, first) / counts
    mean += np.add.reduceat(values - np.repeat(mean, counts), first) / counts
    return mean, values - np.repeat(mean, counts)


def units_of(largest: Floats, *, bits: int) -> Floats:
    """Give a unit for each series: 1, or for huge and tiny values the power of two at the largest of them.

    Args:
        largest: Largest absolute value of each series.
        bits: From 2^±bits on, values are huge or tiny.

    Example:
        >>> units_of(np.array([3.0, 2.0**500]), bits=400).tolist() == [1.0, 2.0**500]
        True
    """
    exponents = np.frexp(largest)[1]
    units: Floats = np.ldexp(1.0, np.where(np.abs(exponents) >= bits, exponents - 1, 0))
    return units
