"""How often a caller may ask, a token bucket each; and how many plans are made at once."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Final

from sparkhu_retention.service.operations import Busy

MOST_CALLERS: Final = 10_000
MOST_PLANS: Final = 4
"""So many plans are made at once: each lists a storage, which takes long, in one of the threads that answer."""


class Buckets:
    """A bucket a caller: it holds `burst` tokens, gets `rate` a second, and each request takes one.

    Those who were longest away are forgotten beyond 10,000; they begin with a full bucket, which they had by then.

    Args:
        rate: Tokens a second.
        burst: Most tokens.
        clock: Tells seconds that only go on.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, caller: str) -> float:
        """Take a token of a caller's bucket, or tell in how many seconds there is one; 0: it was taken."""
        with self._lock:
            now = self.clock()
            left, since = self._left.pop(caller, (float(self.burst), now))
            left = min(self.burst, left + (now - since) * self.rate)
            wait = 0.0 if left >= 1 else (1 - left) / self.rate
            self._left[caller] = (left if wait else left - 1, now)
            if len(self._left) > MOST_CALLERS:
                self._left.popitem(last=False)
            return wait


class Planning:
    """Lets some callers plan at once, and sends the others away."""

    def __init__(self) -> None:
        self._places = BoundedSemaphore(MOST_PLANS)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Have a place while the block runs.

        Raises:
            Busy: All are taken.
        """
        if not self._places.acquire(blocking=False):
            raise Busy(f"{MOST_PLANS} plans are being made, which is the most at once. Ask again when one is done.")
        try:
            yield
        finally:
            self._places.release()
