"""Linear algebra on one thread: BLAS sums in another order on another number of threads, and then the last bits differ.

Shards are what runs in parallel, so nothing is lost; and results do not depend on how many cores a machine has.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

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
