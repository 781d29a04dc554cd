"""The trials under way: each in a thread of its own, or one after the other in the thread of the caller."""

import queue
import threading
import time
from typing import Final

from sparkhu.tuning.courses import Course, Outcome, Runner

JOIN_SECONDS: Final = 15.0


class Crew:
    """Runs trials.

    Args:
        runner: Runs a trial to its end.
        inline: Run trials in the thread of the caller, where Ctrl-C reaches them.

    Attributes:
        ending: Set when trials under way are to end.
    """

    def __init__(self, runner: Runner, *, inline: bool) -> None:
        self.ending = threading.Event()
        self._runner = runner
        self._inline = inline
        self._threads: dict[int, threading.Thread] = {}
        self._due: list[Course] = []
        self._ended: queue.SimpleQueue[tuple[Course, Outcome | BaseException]] = queue.SimpleQueue()

    def start(self, course: Course) -> None:
        """Begin a trial."""
        if self._inline:
            self._due.append(course)
            return
        thread = threading.Thread(target=self._run, args=(course,), name=course.trial.name, daemon=True)
        self._threads[course.trial.number] = thread
        thread.start()

    def wait(self) -> list[tuple[Course, Outcome]]:
        """Wait until a trial has ended, and give all that have."""
        if self._due:
            course = self._due.pop(0)
            return [(course, Outcome("ended") if self.ending.is_set() else self._runner(course))]
        found = [self._ended.get()]
        while not self._ended.empty():
            found.append(self._ended.get())
        return [self._settled(course, outcome) for course, outcome in found]

    def end(self) -> None:
        """Have every trial end, and wait for that; a function that never looks up is left behind."""
        self.ending.set()
        self._due.clear()
        until = time.monotonic() + JOIN_SECONDS
        for thread in list(self._threads.values()):
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, course: Course) -> None:
        try:
            self._ended.put((course, self._runner(course)))
        except BaseException as error:  # noqa: BLE001 - raised again where the trial is waited for
            self._ended.put((course, error))

    def _settled(self, course: Course, outcome: Outcome | BaseException) -> tuple[Course, Outcome]:
        del self._threads[course.trial.number]
        if isinstance(outcome, BaseException):
            raise outcome
        return course, outcome
