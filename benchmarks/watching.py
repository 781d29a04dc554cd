"""Watch a process and its children: how long they ran, and the most memory that all of them held at once."""

import resource
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
        processors: Seconds that processors worked for it and for those of its children that it waited for.
    """

    seconds: float
    peak: int
    processors: float


def watched(call: Sequence[str], environment: Mapping[str, str] | None = None) -> Watched:
    """Run a command to its end (Linux only: memory is read from `/proc`).

    Raises:
        CalledProcessError: It failed.
    """
    began, worked, peak = time.perf_counter(), _worked(), 0
    with subprocess.Popen(call, env=environment) as process:
        while process.poll() is None:
            peak = max(peak, sum(held(pid) for pid in family(process.pid)))
            time.sleep(POLL_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, call)
    return Watched(time.perf_counter() - began, peak, _worked() - worked)


def _worked() -> float:
    """Give the seconds that processors worked for all children which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def family(pid: int) -> Iterator[int]:
    """Give a process and all that it started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended meanwhile
            for child in children.read_text().split():
                yield from family(int(child))


def held(pid: int) -> int:
    """Give the bytes of memory that a process holds, its share of what it shares with others; 0 once it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
