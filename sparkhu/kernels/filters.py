"""Filters with fixed taps: sums of neighbours, each times its number, at all points of a row at once."""

import numpy as np
import numpy.typing as npt

from sparkhu.kernels.compiling import compiled

Floats = npt.NDArray[np.float64]

BLOCK = 1024
"""Points that are filtered at a time, so that they stay in the processor's first cache."""


@compiled
def _add_filtered(values: Floats, begin: int, stride: int, taps: Floats, out: Floats) -> None:
    """Add `taps[t] * values[begin + t * stride + i]`, over all t, to `out[i]`.

    Four taps a time, so that `out` is read and written rarely.
    """
    count = len(out)
    fours = len(taps) // 4 * 4
    for tap in range(0, fours, 4):
        at = begin + tap * stride
        a, b = values[at : at + count], values[at + stride : at + stride + count]
        c, d = values[at + 2 * stride : at + 2 * stride + count], values[at + 3 * stride : at + 3 * stride + count]
        p, q, r, s = taps[tap : tap + 4]
        for i in range(count):
            out[i] += (p * a[i] + q * b[i]) + (r * c[i] + s * d[i])
    for tap in range(fours, len(taps)):
        near, weight = values[begin + tap * stride : begin + tap * stride + count], taps[tap]
        for i in range(count):
            out[i] += weight * near[i]


@compiled
def filtered(values: Floats, stride: int, taps: Floats, out: Floats) -> None:
    """Put the sums of `taps[t] * values[t * stride + i]`, over all t, into `out[i]`."""
    out[:] = 0.0
    for first in range(0, len(out), BLOCK):
        _add_filtered(values, first, stride, taps, out[first : first + BLOCK])


@compiled
def moving_sums(values: Floats, length: int, out: Floats, spare: Floats) -> Floats:
    """Sum every `length` neighbours.

    Sums of 2, 4, 8 … neighbours are added to the sums of the bits of `length`: few operations, all points at once, and
    no running sum that would carry its rounding from one end to the other.

    Args:
        values: Overwritten.
        length: 1 or more.
        out: At least as long as the values.
        spare: At least as long as the values.

    Returns:
        The sums, `length − 1` fewer than values: the beginning of `out`.
    """
    size, power, taken = len(values), 1, 0
    powers, other = values, spare
    while True:
        if length & power:
            near = powers[taken : size - power + 1]
            if taken:
                for i in range(len(near)):
                    out[i] += near[i]
            else:
                for i in range(len(near)):
                    out[i] = near[i]
            taken += power
        if taken == length:
            return out[: size - length + 1]
        near, far = powers[: size - 2 * power + 1], powers[power : size - power + 1]
        for i in range(len(near)):
            other[i] = near[i] + far[i]
        powers, other = other, powers
        power *= 2
