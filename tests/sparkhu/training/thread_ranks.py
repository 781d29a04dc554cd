"""Ranks that are threads of one process, for tests of what several of them do together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from sparkhu.errors import SparkhuError
from sparkhu.models.neural.running import reproducible
from sparkhu.training.distribution.ranks import Array

SECONDS = 60


class ThreadRank:
    """One of several threads that wait for each other."""

    def __init__(self, rank: int, size: int, met: Barrier, told: list[object]) -> None:
        self.rank, self.size = rank, size
        self._met, self._told = met, told

    def _all(self, own: object) -> list[object]:
        self._told[self.rank] = own
        self._met.wait()
        found = list(self._told)
        self._met.wait()
        return found

    def all_reduce(self, array: Array) -> Array:
        return np.sum(self._all(array), axis=0, dtype=array.dtype)

    def gather(self, array: Array) -> list[Array]:
        return [np.array(each) for each in self._all(array)]

    def broadcast(self, data: bytes) -> bytes:
        return bytes(self._all(data)[0])

    def barrier(self) -> None:
        self._met.wait()


def on_ranks(size: int, run: Callable[[ThreadRank], object]) -> list[object]:
    """Run something on each rank; give what it returned, or the error it raised."""
    met, told = Barrier(size, timeout=SECONDS), [None] * size

    def one(rank: int) -> object:
        try:
            return run(ThreadRank(rank, size, met, told))
        except SparkhuError as error:
            return error

    with reproducible(), ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))
