"""Sums whose order is fixed by the numbers of what is added, so that parts of them can be made elsewhere.

Values are added in pairs, the sums of pairs in pairs, and so on: the sum of the values from m · 2ᵏ to (m + 1) · 2ᵏ is
a node of that tree, and is the same to the bit wherever it is made. Rounding errors grow with the logarithm of the
count.

Source: N. J. Higham, "The Accuracy of Floating Point Summation", SIAM Journal on Scientific Computing 14 (1993).
"""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PairwiseSum(Generic[T]):
    """A sum of values that come one after the other; it holds the logarithm of their count.

    Sums of 2ᵏ values each, all but the last one whole, are added to the same sum as the values themselves.

    Args:
        add: Adds two values.
    """

    def __init__(self, add: Callable[[T, T], T]) -> None:
        self._add = add
        self._nodes: list[tuple[int, T]] = []

    def append(self, value: T) -> None:
        """Add the next value."""
        level = 0
        while self._nodes and self._nodes[-1][0] == level:
            value = self._add(self._nodes.pop()[1], value)
            level += 1
        self._nodes.append((level, value))

    def total(self, nothing: T) -> T:
        """Give the sum; `nothing` where no value came."""
        if not self._nodes:
            return nothing
        *before, (_, total) = self._nodes
        for _, node in reversed(before):
            total = self._add(node, total)
        return total
