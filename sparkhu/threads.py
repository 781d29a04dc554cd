"""How many threads work inside one process.

Linear algebra has one: BLAS sums in another order on another number of threads, and then the last bits differ. Shards
are what runs in parallel, so nothing is lost; and results do not depend on how many cores a machine has.

Series, each of which is worked at alone, have as many as Polars has: all cores where a process works for itself, one in
a worker of an engine, which has as many processes as cores.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import ParamSpec, TypeVar

import polars as pl

P = ParamSpec("P")
T = TypeVar("T")


def on_one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Let the linear algebra inside a function run on one thread, whatever the process has."""

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


def for_each(function: Callable[[int], T], count: int) -> list[T]:
    """Call a function for every number below `count`, on the threads of this process.

    It gains where the function spends its time in compiled code that holds no lock of Python's (`sparkhu.kernels`).

    Args:
        function: Takes a number and touches nothing that it touches for another one.
        count: How many numbers.

    Returns:
        What it gave, in the order of the numbers. An error of the lowest number that has one is raised.

    Example:
        >>> for_each(lambda number: number * number, 4)
        [0, 1, 4, 9]
    """
    threads = min(pl.thread_pool_size(), count)
    if threads <= 1:
        return [function(number) for number in range(count)]
    with ThreadPoolExecutor(threads, thread_name_prefix="sparkhu-series") as pool:
        return list(pool.map(function, range(count)))
