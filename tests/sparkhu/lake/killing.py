"""Kill publishers at one write after another, to a folder or to an S3 endpoint, and look at what each has left.

The writes are enumerated, not sampled: the n-th is struck for n = 1, 2, … until a publisher ends unharmed.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.services import S3Endpoint
from tests.sparkhu.lake.proxy import Proxy, When

KILLED, CUT_OFF, UNHARMED = -signal.SIGKILL, -signal.SIGXFSZ, 0
MOST_WRITES = 500
Task = dict[str, str]


class Victims:
    """A process that forks publishers, each of them to be killed; `module` is the one that it runs.

    Example:
        >>> with Victims("tests.sparkhu.lake.victim") as victims:  # doctest: +SKIP
        ...     victims.run({"what": "commit", "lake": "lake"}, strike=3)
    """

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-m", module]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Victims":
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, also one that is in the middle of something after a failure."""
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def run(
        self,
        task: Task,
        *,
        strike: int = 0,
        when: When = "before",
        arm: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Run one and give its status; `arm` is told its process id before it starts."""
        arm(self._ask({**task, "strike": strike, "when": when})["pid"])
        return self._ask({})["status"]

    def _ask(self, line: dict[str, Any]) -> dict[str, int]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


Strike = Callable[[Task, int], int]
"""Gives the status of a publisher that was struck at the n-th write of its task; it waits until that has ended."""


@contextmanager
def at_files(module: str, when: When) -> Iterator[Strike]:
    """Strike publishers before they write to a folder, or when they have written ten bytes of a file."""
    with Victims(module) as victims:
        yield lambda task, strike: victims.run(task, strike=strike, when=when)


@contextmanager
def at_objects(module: str, when: When, endpoint: S3Endpoint) -> Iterator[Strike]:
    """Strike publishers before a write has reached an S3 endpoint, when half of it has, or when it was answered."""
    proxy = Proxy(endpoint.url)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", proxy.url)
            victims = Victims(module)
        with victims:

            def at_nth(task: Task, strike: int) -> int:
                def arm(pid: int) -> None:
                    proxy.arm(strike, when, lambda: os.kill(pid, signal.SIGKILL))

                status = victims.run(task, arm=arm)
                assert status == KILLED or len(proxy.writes) == strike - 1
                return status

            yield at_nth
    finally:
        proxy.close()


def struck(strike: Strike, prepare: Callable[[int], Task], check: Callable[[Task], str]) -> list[str]:
    """Strike at the first, second, … write, each time of a task that is prepared anew; give what `check` saw."""
    seen = []
    for number in range(1, MOST_WRITES):
        task = prepare(number)
        status = strike(task, number)
        assert status in (KILLED, CUT_OFF, UNHARMED)
        seen.append(check(task))
        if status == UNHARMED:
            return seen
    raise AssertionError(f"more than {MOST_WRITES} writes")
