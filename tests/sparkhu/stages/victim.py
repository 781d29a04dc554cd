"""Write to a lake in children that kill themselves: `victim.py append|publish BEFORE WORK FOLDER`.

Every child begins with a copy of the lake BEFORE, in WORK/<strike>, and kills itself right before its strike-th write
to it, for 1, 2, … until one ends unharmed. FOLDER is the source that is appended, or the results that are published.
Prints how many were killed. Forked, and not started anew: imports take longer than the writing.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from sparkhu.sources import SourceOptions
from sparkhu.stages.appending import append_source
from sparkhu.stages.lake_publishing import publish_interval
from tests.sparkhu.lake.victim import kill_at


def act(what: str, lake: Path, folder: str) -> None:
    """Do what is asked for."""
    if what == "append":
        append_source(folder, SourceOptions(), lake=str(lake))
    else:
        out = lake.with_name(f"{lake.name}-published")
        publish_interval(results=folder, lake=str(lake), out=out, start="2024-01-02", end="2024-01-03")


def main() -> None:
    """Kill one child after another."""
    what, before, work, folder = sys.argv[1:]
    for strike in range(1, 500):
        lake = Path(work) / str(strike)
        if Path(before).exists():
            shutil.copytree(before, lake)
        child = os.fork()
        if child == 0:
            kill_at(strike, lake)
            try:
                act(what, lake, folder)
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            break
        assert status == -signal.SIGKILL, f"strike {strike} ended with {status}"
    print(strike - 1)  # noqa: T201


if __name__ == "__main__":
    main()
