"""The middle of many numbers without sorting them."""

import numpy as np
import numpy.typing as npt

from sparkhu.kernels.compiling import compiled

Floats = npt.NDArray[np.float64]


@compiled
def nth(values: Floats, place: int) -> float:
    """Give the number that would stand at a place if they were sorted; smaller ones come to stand before it.

    C. A. R. Hoare's *Find* (1961), with the middle of three as pivot.

    Args:
        values: Brought into another order.
        place: From 0 on.
    """
    low, high = 0, len(values) - 1
    while low < high:
        one, two, three = values[low], values[(low + high) // 2], values[high]
        pivot = max(min(one, two), min(max(one, two), three))
        left, right = low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if place <= right:
            high = right
        elif place >= left:
            low = left
        else:
            break
    return float(values[place])


@compiled
def doubled_median(values: Floats) -> float:
    """Give twice the median: the sum of the two numbers in the middle, or twice the one. Changes their order."""
    upper = nth(values, len(values) // 2)
    if len(values) % 2:
        return 2.0 * upper
    lower = values[0]
    for place in range(1, len(values) // 2):
        lower = max(lower, values[place])
    return float(lower + upper)
