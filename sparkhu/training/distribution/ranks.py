"""What the processes of one training tell each other; every rank calls the same functions in the same order."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Ranks(Protocol):
    """The processes that train one model together."""

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""

    @property
    def size(self) -> int:
        """How many there are."""

    def all_reduce(self, array: Array) -> Array:
        """Add the arrays of all ranks, of one shape and type; every rank gets the same bits."""

    def gather(self, array: Array) -> list[Array]:
        """Give every rank the arrays of all ranks, of one shape and type, in their order."""

    def broadcast(self, data: bytes) -> bytes:
        """Give every rank the bytes of rank 0."""

    def barrier(self) -> None:
        """Wait until every rank has come here."""


class Single:
    """One process that trains alone."""

    rank = 0
    size = 1

    def all_reduce(self, array: Array) -> Array:
        """Give the array itself."""
        return array

    def gather(self, array: Array) -> list[Array]:
        """Give the array alone."""
        return [array]

    def broadcast(self, data: bytes) -> bytes:
        """Give the bytes themselves."""
        return data

    def barrier(self) -> None:
        """Wait for nobody."""


def total(ranks: Ranks, number: float) -> float:
    """Add a number of every rank."""
    return float(ranks.all_reduce(np.array([number], dtype=np.float64))[0])
