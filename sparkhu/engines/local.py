"""The embedded engine: a pool of processes on this machine, each with one thread."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from ctypes import Array, c_longlong
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.forkserver import ensure_running, set_forkserver_preload
from multiprocessing.process import BaseProcess
from multiprocessing.util import get_temp_dir
from threading import Thread
from typing import Any, Final

from sparkhu.engines.base import ONE_THREAD, Item, LostItem, Result, environment
from sparkhu.errors import InputError

# Imported once, by the process that workers are forked from.
PRELOADED: Final = ["sparkhu.execution"]

# The path of a socket has at most 107 bytes; multiprocessing adds /pymp-XXXXXXXX/listener-XXXXXXXX to a folder's.
LONGEST_FOLDER, SHORT_FOLDER = 107 - 32, "/tmp"

Doing = Array[c_longlong]
"""For each item the id of the process that works on it; 0: none does. It lies in memory that processes share."""
_here: Final[dict[str, tuple[Callable[[Any], Any], Doing]]] = {}


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
        with environment(ONE_THREAD), _pool(workers, function, doing) as pool:
            others = set(active_children())
            futures = [pool.submit(_on_item, number, item) for number, item in enumerate(items)]
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


def _pool(workers: int, function: Callable[[Item], Result], doing: Doing) -> ProcessPoolExecutor:
    """Give a pool of processes that know the function, have this one's environment, and say in `doing` what they do.

    They are forked from a server that has imported Polars and never used it: a fork of a process whose Polars threads
    run can hang, and processes that begin from nothing spend longer on imports than on a small shard.
    """
    begin_server()
    context = get_context("forkserver")
    given = dict(os.environ), function, doing
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_work, initargs=given)


def begin_server() -> None:
    """Begin the process that workers are forked from, if there is none yet; this does not wait until it is ready."""
    _make_folder()
    with environment(ONE_THREAD):
        set_forkserver_preload(PRELOADED)
        ensure_running()


def _make_folder() -> None:
    """Let multiprocessing make its folder where the path of a socket in it is no longer than the system takes."""
    before = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > LONGEST_FOLDER:
        tempfile.tempdir = SHORT_FOLDER
    try:
        get_temp_dir()
    finally:
        tempfile.tempdir = before


def _begin_work(variables: Mapping[str, str], function: Callable[[Any], Any], doing: Doing) -> None:
    """Take the environment that the engine has now: the server has that of its own beginning."""
    _here["work"] = function, doing
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the engine's process was killed: nobody else would tell a worker that waits for the next item."""
    if parent := parent_process():
        parent.join()
    os._exit(1)


def _on_item(number: int, item: Any) -> Any:
    function, doing = _here["work"]
    doing[number] = os.getpid()
    try:
        return function(item)
    finally:
        doing[number] = 0


def _lost(doing: Doing, processes: Sequence[BaseProcess]) -> int | None:
    """Find the item of the process that was killed; the pool ends the others itself, with SIGTERM."""
    killed = {process.pid for process in processes if process.exitcode not in (None, 0, -signal.SIGTERM)}
    return next((number for number, pid in enumerate(doing) if pid in killed), None)
