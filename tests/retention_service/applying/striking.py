"""Strike a run at one of its writes: end it there, or let something else happen before it goes on.

Writes to folders are seen by Python's audit hooks, those to the database by a database that tells of its transactions.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import Connection, Dialect

from sparkhu_retention.database.opening import Database

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link"}


class Killed(BaseException):
    """The run has ended here, as with kill -9: whatever it would still write is not written."""


class Strike:
    """What happens at the `at`-th write to `folder` or to the database; once it has ended a run, nothing is written.

    Args:
        folder: What is watched.
        at: Which write; 0: none.
        happens: What is done there; it raises `Killed` to end the run.
        removed: Is told of each file that is about to be removed.
    """

    armed: ClassVar["Strike | None"] = None

    def __init__(
        self,
        folder: str,
        at: int = 0,
        happens: Callable[[], None] = lambda: None,
        removed: Callable[[str], None] = print,
    ) -> None:
        self.folder, self.at, self.happens, self.removed = folder, at, happens, removed
        self.writes, self.is_dead, self.is_busy = 0, False, False

    def write(self) -> None:
        """Tell of a write that is about to be made, or was just made."""
        if self.is_dead:
            raise Killed
        if self.is_busy:
            return
        self.writes += 1
        if self.writes == self.at:
            self.is_busy = True
            try:
                self.happens()
            except Killed:
                self.is_dead = True
                raise
            finally:
                self.is_busy = False

    def see(self, event: str, arguments: tuple[object, ...]) -> None:
        """Be told of an event of Python's."""
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITING and str(path).startswith(self.folder):
                self.write()
        elif event in CHANGES and str(arguments[0]).startswith(self.folder):
            self.write()
            if event == "os.remove" and os.path.lexists(str(arguments[0])):  # what happened may have moved it away
                self.removed(str(arguments[0]))


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if Strike.armed is not None and (event == "open" or event in CHANGES):
        Strike.armed.see(event, arguments)


sys.addaudithook(_hook)


@contextmanager
def struck(strike: Strike) -> Iterator[Strike]:
    """Watch the block."""
    before, Strike.armed = Strike.armed, strike
    try:
        yield strike
    finally:
        Strike.armed = before


class WatchedDatabase(Database):
    """A database that tells of its transactions, before they begin and after they are kept."""

    compiled: ClassVar[dict[Any, Any]] = {}
    """Statements that were compiled, for all of the many databases of a test; they are those of one dialect object."""
    dialect: ClassVar[Dialect | None] = None

    def __init__(self, url: str) -> None:
        super().__init__(url)
        WatchedDatabase.dialect = self.engine.dialect = WatchedDatabase.dialect or self.engine.dialect
        self.engine.update_execution_options(compiled_cache=self.compiled)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin a transaction."""
        if Strike.armed is not None:
            Strike.armed.write()
        with super().writing() as connection:
            yield connection
        if Strike.armed is not None:
            Strike.armed.write()
