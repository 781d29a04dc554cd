"""Which windows a rank looks at, in which order.

The windows of an epoch are drawn anew for each, from the seed, the epoch and the rank alone. Its steps are those that
the plan makes of the windows drawn on all ranks. Every window is as likely to be drawn as any other, whichever rank
holds it: a rank draws its proportion, and where that is no whole number, the number above it as often as is fair.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from sparkhu.training.distribution.ranks import Ranks
from sparkhu.training.plan import Plan
from sparkhu.training.window_sets import WindowSet

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Share:
    """The part of a rank in each epoch.

    Attributes:
        steps: Of an epoch, the same on all ranks.
        drawn: Windows of an epoch, of all ranks together.
        counts: How many windows each rank has.
        rank: Of this process.
        seed: Of the training.
    """

    steps: int
    drawn: int
    counts: tuple[int, ...]
    rank: int
    seed: int

    @classmethod
    def of(cls, train: WindowSet, plan: Plan, ranks: Ranks, seed: int) -> "Share":
        """Agree upon the steps of an epoch."""
        counts = tuple(int(each[0]) for each in ranks.gather(np.array([len(train)], dtype=np.int64)))
        drawn = min(sum(counts), plan.windows_per_epoch)
        return cls(plan.for_windows(drawn).steps(drawn), drawn, counts, ranks.rank, seed)

    def batches(self, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the windows of each step of an epoch.

        The windows of all ranks, one behind the other, are dealt to the steps in turn; so steps differ by one window at
        most. A rank may have none in a step.
        """
        low, high = self.places(epoch)
        random = np.random.default_rng([self.seed, epoch, self.rank])
        own = random.permutation(self.counts[self.rank])[: high - low]
        for step in range(self.steps):
            yield own[(step - low) % self.steps :: self.steps]

    def places(self, epoch: int) -> tuple[int, int]:
        """Give the places of this rank's windows among those of an epoch, from 0 to `drawn`, the end excluded.

        Source: systematic sampling with one random start: W. Madow, Annals of Mathematical Statistics 20(3), 1949. The
        start is the same on all ranks.
        """
        everywhere = sum(self.counts)
        if not everywhere:
            return 0, 0
        start = int(np.random.default_rng([self.seed, epoch, len(self.counts)]).integers(everywhere))
        before = list(accumulate(self.counts, initial=0))[self.rank : self.rank + 2]
        low, high = ((count * self.drawn + start) // everywhere for count in before)
        return low, high


def pieces(
    windows: WindowSet, which: npt.NDArray[np.int64] | None, most: int
) -> Iterator[tuple[Singles, Singles, npt.NDArray[np.bool_]]]:
    """Yield X, Y and where Y is known of some windows (None: of all), so many at a time at most.

    Y is 0 where it is not known.
    """
    chosen = np.arange(len(windows)) if which is None else which
    for low in range(0, len(chosen), most):
        part = chosen[low : low + most]
        y = windows.y.rows(part)
        known = ~np.isnan(y)
        yield windows.x.rows(part).astype(np.float32), np.where(known, y, 0).astype(np.float32), known
