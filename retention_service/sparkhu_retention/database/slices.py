"""Long lists in statements: a database takes so many parameters at once, SQLite the fewest."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")
MOST: Final = 10_000


def slices(values: Sequence[T], most: int = MOST) -> Iterator[Sequence[T]]:
    """Cut values into pieces that one statement takes."""
    for first in range(0, len(values), most):
        yield values[first : first + most]
