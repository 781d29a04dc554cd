"""Which windows a rank looks at, in which order.

The windows of an epoch are drawn anew for each, from the seed, the epoch and the rank alone. An epoch has as many steps
as all windows of all ranks make batches of; each rank divides its own among these steps, so that all ranks end together
and every window is seen once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparkhu.training.distribution.ranks import Ranks, total
from sparkhu.training.plan import Plan
from sparkhu.training.window_sets import WindowSet

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Share:
    """The part of a rank in each epoch.

    Attributes:
        steps: Of an epoch, the same on all ranks.
        windows: Of an epoch, of this rank.
        rank: Of this process.
        seed: Of the training.
    """

    steps: int
    windows: int
    rank: int
    seed: int

    @classmethod
    def of(cls, train: WindowSet, plan: Plan, ranks: Ranks, seed: int) -> "Share":
        """Agree upon the steps of an epoch."""
        everywhere = int(total(ranks, len(train)))
        drawn = min(everywhere, plan.windows_per_epoch)
        steps = max(-(-drawn // plan.batch), 1)
        return cls(steps, len(train) * drawn // max(everywhere, 1), ranks.rank, seed)

    def batches(self, train: WindowSet, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the windows of each step of an epoch; there may be none in a step."""
        random = np.random.default_rng([self.seed, epoch, self.rank])
        drawn = random.permutation(len(train))[: self.windows]
        yield from np.array_split(drawn, self.steps)


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
