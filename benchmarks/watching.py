"""Watch a process and its children: how long they ran, and the most memory that all of them held at once."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

POLL_SECONDS = 0.1


class Watched(NamedTuple):
    """What a process took.

    Attributes:
        seconds: From its start to its end.
        peak: Bytes of memory at the most, of all processes together; what several share counts once.
        processors: Seconds that processors worked for all of them, until they were looked at last.
    """

    seconds: float
    peak: int
    processors: float


def watched(call: Sequence[str], environment: Mapping[str, str] | None = None) -> Watched:
    """Run a command to its end (Linux only: memory is read from `/proc`).

    Raises:
        CalledProcessError: It failed.
    """
    began, peak, processors = time.perf_counter(), 0, 0.0
    with subprocess.Popen(call, env=environment) as process:
        while process.poll() is None:
            alive = list(family(process.pid))
            peak = max(peak, sum(map(held, alive)))
            processors = max(processors, sum(map(worked, alive)))
            time.sleep(POLL_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, call)
    return Watched(time.perf_counter() - began, peak, processors)


def family(pid: int) -> Iterator[int]:
    """Give a process and all that it started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended meanwhile
            for child in children.read_text().split():
                yield from family(int(child))


def worked(pid: int) -> float:
    """Give the seconds that processors worked for a process and its children that have ended; 0 once it has, too."""
    with suppress(OSError):
        *_, own, system, of_children, system_of_children = (
            Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[:15]
        )
        return sum(map(int, (own, system, of_children, system_of_children))) / os.sysconf("SC_CLK_TCK")
    return 0.0


def held(pid: int) -> int:
    """Give the bytes of memory that a process holds, its share of what it shares with others; 0 once it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
