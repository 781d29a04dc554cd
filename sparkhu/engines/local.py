"""The embedded engine: a pool of processes on this machine, each with one thread."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from ctypes import Array, c_longlong
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.forkserver import ensure_running, set_forkserver_preload
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Final

from sparkhu.engines.base import ONE_THREAD, Item, LostItem, Result, environment
from sparkhu.errors import InputError

# Imported once, by the process that workers are forked from.
PRELOADED: Final = ["sparkhu.execution"]

Doing = Array[c_longlong]
"""For each item the id of the process that works on it; 0: none does. It lies in memory that processes share."""
_here: Final[dict[str, Doing]] = {}


class LocalEngine:
    """Maps a function over items with up to `workers` processes.

    With one worker or one item it works in this process, with all threads. Results come in the order of the items
    whatever the number of workers.

    Args:
        workers: Largest number of processes; by default one a core that this process may use.

    Attributes:
        at_once: How many items are worked on at a time.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"workers must be at least 1, got {workers}")
        self.at_once = workers or len(os.sched_getaffinity(0))

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield `function(item)` for each item, in order.

        Args:
            function: A module-level function or a partial of one.
            items: What to map over.

        Raises:
            LostItem: A worker process was killed. What `function` raises goes on, once the items at work are done.
        """
        workers = min(self.at_once, len(items))
        if workers <= 1:
            yield from map(function, items)
            return
        doing = get_context("forkserver").RawArray("q", len(items))
        with environment(ONE_THREAD), _pool(workers, doing) as pool:
            others = set(active_children())
            futures = [pool.submit(_on_item, function, number, item) for number, item in enumerate(items)]
            processes = [process for process in active_children() if process not in others]
            try:
                for future in futures:
                    yield future.result()
            except BrokenProcessPool as error:
                raise LostItem(
                    f"a worker process was killed, most often for want of memory; {workers} were at work.",
                    number=_lost(doing, processes),
                    way_out="Set SPARKHU_WORKERS to a smaller number.",
                ) from error
            except BaseException:
                # Waits for what is at work: no worker may write once the caller begins to clear up.
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def _pool(workers: int, doing: Doing) -> ProcessPoolExecutor:
    """Give a pool of processes that have this one's environment, end with it, and say in `doing` what they do.

    They are forked from a server that has imported Polars and never used it: a fork of a process whose Polars threads
    run can hang, and processes that begin from nothing spend longer on imports than on a small shard.
    """
    begin_server()
    context = get_context("forkserver")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_work, initargs=(dict(os.environ), doing))


def begin_server() -> None:
    """Begin the process that workers are forked from, if there is none yet; this does not wait until it is ready."""
    with environment(ONE_THREAD):
        set_forkserver_preload(PRELOADED)
        ensure_running()


def _begin_work(variables: Mapping[str, str], doing: Doing) -> None:
    """Take the environment that the engine has now: the server has that of its own beginning."""
    _here["doing"] = doing
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the engine's process was killed: nobody else would tell a worker that waits for the next item."""
    if parent := parent_process():
        parent.join()
    os._exit(1)


def _on_item(function: Callable[[Item], Result], number: int, item: Item) -> Result:
    doing = _here["doing"]
    doing[number] = os.getpid()
    try:
        return function(item)
    finally:
        doing[number] = 0


def _lost(doing: Doing, processes: Sequence[BaseProcess]) -> int | None:
    """Find the item of the process that was killed; the pool ends the others itself, with SIGTERM."""
    killed = {process.pid for process in processes if process.exitcode not in (None, 0, -signal.SIGTERM)}
    return next((number for number, pid in enumerate(doing) if pid in killed), None)
