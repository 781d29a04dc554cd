"""Watching a process: its children's memory counts, and it is the most at any time."""

import subprocess
import sys

import pytest

from benchmarks.watching import watched

HOLDS = "import sys, time; held = b'x' * int(sys.argv[1]); time.sleep(1)"


def test_memory_of_children_counts() -> None:
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDS!r}, sys.argv[1]], check=True)"
    found = watched([sys.executable, "-c", starts, str(200_000_000)])
    assert 200_000_000 < found.peak < 300_000_000
    assert found.seconds >= 1


def test_what_was_given_back_does_not_count_twice() -> None:
    turns = "import time\nfor _ in range(3):\n    held = b'x' * 100_000_000; time.sleep(0.5); del held"
    assert watched([sys.executable, "-c", turns]).peak < 150_000_000


def test_the_work_of_children_counts() -> None:
    works = "import time\nwhile time.process_time() < 1: pass"
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {works!r}], check=True)"
    assert 0.7 < watched([sys.executable, "-c", starts]).processors < 2
    assert watched([sys.executable, "-c", "import time; time.sleep(0.6)"]).processors < 0.5


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        watched([sys.executable, "-c", "raise SystemExit(3)"])
