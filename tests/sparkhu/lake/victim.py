"""Publishers that are killed: `python -m tests.sparkhu.lake.victim` forks one for every line that it reads.

A line is JSON: `what` to do (`create`, `commit`, `sweep`), the `lake`, and `strike`: the write before which, or in the
middle of which (`when`), the child is ended, of those below the folder `watched` (the lake) that Python's audit hooks
tell of; 0 if another will kill it. The answer has the child's `pid`; after a second line the child starts, and when it
has ended there is a line with its `status`.
Forked and not started, because importing what a publisher needs takes longer than publishing.
"""

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

import polars as pl

from sparkhu.lake import Append, Lake, Replace, Version, create_lake, open_lake
from tests.sparkhu.lake.made_rows import DAY, HOUR, START, observed

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "fcntl.flock"}


def prepare(lake: Lake) -> None:
    """Make the first version: observations of two days, and what was published of them."""
    rows = observed("ab", hours=36)
    changes: dict[str, Append | Replace] = {
        "observations": Append(rows),
        "clean": Replace(rows, START, START + 2 * DAY, 0, "first"),
        "snapshots": Replace(rows.head(5), START, START + DAY, 0, "first"),
    }
    lake.commit(changes, run="first", based_on=lake.version())


def commit(lake: Lake) -> Version:
    """Ingest late rows and publish half a day anew; the files of the day are written anew around it."""

    def missing(version: Version) -> pl.DataFrame | None:
        new = observed("c", hours=30).join(version.table("observations").read(), on=["unique_id", "ds"], how="anti")
        return new if new.height else None

    new = observed("abc", START + 6 * HOUR, 12, y=100)
    changes: dict[str, Append | Replace] = {
        "observations": Append(missing),
        "clean": Replace(new, START + 6 * HOUR, START + 18 * HOUR, 1, "second"),
        "snapshots": Replace(new.head(7), START, START + DAY, 1, "second"),
    }
    return lake.commit(changes, run="second", based_on=lake.version())


def rows_of(version: Version) -> dict[str, list[tuple[object, ...]]]:
    """Read all that a version holds."""
    return {name: version.table(name).read().rows() for name in sorted(version.tables)}


def act(what: str, uri: str) -> None:
    """Do what a line asks for."""
    if what == "create":
        create_lake(uri)
    elif what == "commit":
        commit(open_lake(uri))
    else:
        open_lake(uri).sweep(timedelta(seconds=-5))


def die() -> None:
    """End this process, as it stands."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(strike: int, folder: str, when: str, harm: Callable[[], None] = die) -> None:
    """Do harm at the `strike`-th write to `folder` of this process: right before it, or in the middle of that file.

    In the middle it is the system that ends it, when a file would grow beyond ten bytes: these are written then, and
    nothing of the program runs any more, as with a kill.
    """
    count, lock = 0, threading.Lock()
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def is_inside(path: object) -> bool:
        return str(path).startswith(folder)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & WRITING and is_inside(path)):
                return
        elif when == "middle" or event not in CHANGES or not (event == "fcntl.flock" or is_inside(arguments[0])):
            return
        with lock:
            count += 1
            if count == strike and when == "middle":
                resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
            elif count == strike:
                harm()

    sys.addaudithook(hook)


def serve(act: Callable[[dict[str, str]], None]) -> None:
    """Fork a child for every task until standard input ends."""
    import s3fs  # noqa: F401 - loaded once, for all children

    from sparkhu.lake import objects  # noqa: F401 - as above

    for line in sys.stdin:
        task = json.loads(line)
        wait, go = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.read(wait, 1)
            if task["strike"]:
                kill_at(task["strike"], task.get("watched", task["lake"]), task["when"])
            status = 1
            try:
                act(task)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(json.dumps({"pid": pid}), flush=True)  # noqa: T201
        sys.stdin.readline()
        os.write(go, b"!")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(wait)
        os.close(go)
        print(json.dumps({"status": status}), flush=True)  # noqa: T201


if __name__ == "__main__":
    serve(lambda task: act(task["what"], task["lake"]))
