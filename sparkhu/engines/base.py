"""What every engine is: a map over items, and the error of an item that was lost with the process that had it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from sparkhu.errors import SparkhuError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Read once by Polars and by the linear algebra underneath NumPy when a worker starts.
ONE_THREAD: Final = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Engine(Protocol):
    """Maps a function over items.

    Attributes:
        at_once: How many items this machine works on at a time; 0: items go to other machines.
    """

    at_once: int

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield `function(item)` for each item, in the order of the items.

        Args:
            function: A module-level function or a partial of one.
            items: What to map over.

        Raises:
            LostItem: A process ended in the middle of an item. What `function` raises goes on as it is.
        """
        ...


class LostItem(SparkhuError):  # noqa: N818 - says what is the matter
    """A process ended in the middle of an item, most often for want of memory.

    Attributes:
        number: Place of the item among those that were mapped over; null where the engine cannot tell.
        way_out: What the user can do.
    """

    def __init__(self, message: str, *, number: int | None = None, way_out: str = "") -> None:
        super().__init__(f"{message} {way_out}".rstrip())
        self.message, self.number, self.way_out = message, number, way_out


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the time of a block: for the processes that are started in it."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
