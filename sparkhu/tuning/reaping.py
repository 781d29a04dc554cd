"""Ends process groups when the process that began them is gone: a program of its own that reads its standard input.

A line `+GROUP` names a group, `-GROUP` says that it has ended. The input ends with its writer, however that ends; what
was named then and has not ended is asked to end, and forced soon after. It imports nothing but the standard library, so
that it begins at once.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE_SECONDS = 2.0


def left(lines: Iterable[str]) -> set[int]:
    """Read lines until they end, and give the groups that were not said to have ended."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def end(groups: Iterable[int], seconds: float = GRACE_SECONDS) -> None:
    """End groups: asked first, forced after a grace period."""
    asked = [group for group in groups if _signalled(group, signal.SIGTERM)]
    until = time.monotonic() + seconds
    while asked and time.monotonic() < until:
        time.sleep(0.05)
        asked = [group for group in asked if _signalled(group, 0)]
    for group in asked:
        _signalled(group, signal.SIGKILL)


def _signalled(group: int, number: int) -> bool:
    """Send a signal; False where there is no such group any more."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    end(left(sys.stdin))
