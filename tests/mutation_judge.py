"""Judge mutants: run the tests that reach each one's function until one fails.

mutmut itself starts a test session for every mutant, which takes longer than the tests do. A worker here is a process
that collects the tests once and switches from mutant to mutant. It is started anew when a mutant crashes it or never
ends.
"""

import multiprocessing
import os
import queue
import resource
import sys
import threading
import time
from collections import Counter, defaultdict
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

TESTS = "tests/sparkhu/steps"
OPTIONS = (
    "-q",
    "--rootdir=.",
    "--tb=native",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:cov",
)
LIMIT_SECONDS, LIMIT_BYTES = 120.0, 8 << 30
TOLD_EVERY, LOG_LINES = 500, 40
Reach = dict[str, dict[str, float]]


class Session:
    """A test session that runs the tests it is asked to, with the mutant it is asked to."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure."""
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Answer requests until there are no more; a request without a mutant asks for the reach of the tests."""
        if session.testsfailed:
            raise session.Interrupted("not all tests could be collected")
        items = {item.nodeid: item for item in session.items}
        while (request := self.connection.recv()) is not None:
            mutant, tests = request
            answer = self.killer(mutant, [items[test] for test in tests]) if mutant else self.reach(items)
            self.connection.send(answer)
        return True

    def killer(self, mutant: str, items: list[pytest.Item]) -> str:
        """Return the first test that fails, empty where none does."""
        set_mutant_under_test(mutant)
        return next((item.nodeid for item in items if not self.passes(item)), "")

    def reach(self, items: dict[str, pytest.Item]) -> Reach:
        """Return the tests that reach each function, with the seconds they take."""
        reached: Reach = defaultdict(dict)
        set_mutant_under_test("stats")
        for name, item in items.items():
            hits = state()._stats
            hits.clear()
            started = time.perf_counter()
            if not self.passes(item):
                raise pytest.UsageError(f"{name} fails though nothing is broken")
            for function in hits:
                reached[function][name] = time.perf_counter() - started
        return dict(reached)

    def passes(self, item: pytest.Item) -> bool:
        """Run one test with all of its fixtures."""
        self.failed.clear()
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        return not self.failed


def serve(connection: Connection, log: Path) -> None:
    """Run a session in this process, its output in a file."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    with log.open("w") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    pytest.main([TESTS, *OPTIONS], plugins=[Session(connection)])


class Worker:
    """The process of a session; the current folder is that of the mutants."""

    def __init__(self, number: int) -> None:
        self.log = Path(f"worker-{number}.log").resolve()
        self.start()

    def start(self) -> None:
        """Start the process. Polars' threads do not survive a fork, so it is a fresh one."""
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self.log), daemon=True)
        self.process.start()
        other.close()

    def reach(self) -> Reach:
        """Ask which tests reach which function."""
        try:
            self.connection.send(("", []))
            return self.connection.recv()
        except (EOFError, ConnectionError):
            told = "\n".join(self.log.read_text("utf-8").splitlines()[-LOG_LINES:])
            raise SystemExit(f"{told}\nThe tests must pass if they are to judge; all of the log: {self.log}") from None

    def judge(self, mutant: str, tests: list[str]) -> tuple[str, str]:
        """Return the verdict on a mutant and the test that failed."""
        try:
            self.connection.send((mutant, tests))
            if self.connection.poll(LIMIT_SECONDS):
                killer = self.connection.recv()
                return ("killed" if killer else "survived"), killer
            verdict = "timed out"
        except (EOFError, ConnectionError):
            verdict = "crashed"
        self.process.kill()
        self.process.join()
        self.start()
        return verdict, ""


class Court:
    """All mutants, the tests that reach them, and the verdicts so far."""

    def __init__(self, mutants: list[str], reached: Reach) -> None:
        self.waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        for mutant in mutants:
            self.waiting.put(mutant)
        self.total = len(mutants)
        self.reached = reached
        self.verdicts: dict[str, str] = {}
        self.kills: dict[str, Counter[str]] = defaultdict(Counter)

    def tests(self, function: str, module: str) -> list[str]:
        """Return the tests of a function: those that killed its other mutants, then its module's own, then the rest."""
        own, kills, seconds = f"{TESTS}/test_{module}.py", self.kills[function], self.reached.get(function, {})
        return sorted(seconds, key=lambda test: (-kills[test], not test.startswith(own), seconds[test]))

    def asked(self) -> list[str]:
        """Return all tests that judge."""
        functions = {mutant.partition("__mutmut_")[0] for mutant in self.verdicts}
        return sorted({test for function in functions for test in self.reached.get(function, {})})

    def sit(self, worker: Worker) -> None:
        """Have a worker judge mutants until none waits."""
        while True:
            try:
                mutant = self.waiting.get_nowait()
            except queue.Empty:
                return
            function = mutant.partition("__mutmut_")[0]
            tests = self.tests(function, function.split(".")[2])
            verdict, killer = worker.judge(mutant, tests) if tests else ("not reached", "")
            if killer:
                self.kills[function][killer] += 1
            self.verdicts[mutant] = verdict
            if len(self.verdicts) % TOLD_EVERY == 0:
                print(f"{len(self.verdicts)} of {self.total} mutants judged", file=sys.stderr)


def judge_all(mutants: list[str], *, workers: int) -> dict[str, str]:
    """Return `killed` or what else became of each mutant; only `killed` means that a test noticed it.

    Args:
        mutants: Their names, such as `sparkhu.steps.gaps.x_mark_gaps__mutmut_3`.
        workers: Number of processes.
    """
    staff = [Worker(number) for number in range(workers)]
    court = Court(mutants, staff[0].reach())
    threads = [threading.Thread(target=court.sit, args=(worker,)) for worker in staff]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in staff:
        verdict, failed = worker.judge("nothing broken", court.asked())
        if verdict != "survived":
            raise SystemExit(f"A mutant left something behind, the verdicts mean nothing: {verdict} {failed}")
        worker.connection.send(None)
        worker.process.join()
    return court.verdicts
