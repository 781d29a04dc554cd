"""The embedded engine: a pool of processes on this machine, each with one thread."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from sparkhu.engines.base import ONE_THREAD, Item, LostItem, Result, environment
from sparkhu.errors import InputError


class LocalEngine:
    """Maps a function over items with up to `workers` processes.

    With one worker or one item it works in this process, with all threads. Results come in the order of the items
    whatever the number of workers.

    Args:
        workers: Largest number of processes; by default one a core that this process may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"workers must be at least 1, got {workers}")
        self.workers = workers or len(os.sched_getaffinity(0))

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield `function(item)` for each item, in order.

        Args:
            function: A module-level function or a partial of one.
            items: What to map over.

        Raises:
            LostItem: A worker process was killed. What `function` raises goes on, once the items at work are done.
        """
        workers = min(self.workers, len(items))
        if workers <= 1:
            yield from map(function, items)
            return
        # `spawn`: a fork of a process whose Polars threads run can hang.
        with environment(ONE_THREAD), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            futures = [pool.submit(function, item) for item in items]
            try:
                for future in futures:
                    yield future.result()
            except BrokenProcessPool as error:
                raise LostItem(
                    f"a worker process was killed, most often for want of memory; {workers} were at work.",
                    way_out="Set SPARKHU_WORKERS to a smaller number.",
                ) from error
            except BaseException:
                # Waits for what is at work: no worker may write once the caller begins to clear up.
                pool.shutdown(wait=True, cancel_futures=True)
                raise
