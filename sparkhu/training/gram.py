"""Gram matrices of windows: all that closed-form least squares needs to know of the data, in one pass.

A window is the vector z = (x − last x, 1, y − last x) of L + 1 + H numbers. The Gram matrix Σ z zᵀ gives the normal
equations of every horizon step at once, and the squared error of any linear map W on the same windows as a
quadratic form, Σ ‖y − Wᵀx‖² = tr(Vᵀ G V) with V = (W; −I). Matrices of shards are added in a tree over the
shards, so that the result does not depend on how many workers made them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from sparkhu.errors import SparkhuError
from sparkhu.threads import on_one_thread
from sparkhu.training.pairwise import PairwiseSum
from sparkhu.training.parts import Floats
from sparkhu.training.sliding import FEWEST, numbers, runs_of, sliding_gram
from sparkhu.training.window_sets import GroupWindows, WindowSet, group_windows
from sparkhu.training.windows import CHUNK_BYTES, ShardWindows


@dataclass(frozen=True, eq=False)
class Gram:
    """The Gram matrix of some windows.

    Attributes:
        matrix: (L + 1 + H, L + 1 + H), Σ z zᵀ.
        windows: How many windows it sums.
        input_size: L.
    """

    matrix: Floats
    windows: int
    input_size: int

    @classmethod
    def empty(cls, input_size: int, horizon: int) -> "Gram":
        """Give the Gram matrix of no windows."""
        size = input_size + 1 + horizon
        return cls(np.zeros((size, size)), 0, input_size)

    @property
    def horizon(self) -> int:
        """H."""
        return int(self.matrix.shape[0]) - 1 - self.input_size

    def narrowed(self, input_size: int) -> "Gram":
        """Give the Gram matrix of the same windows, of whose inputs only the newest points are looked at."""
        kept = slice(self.input_size - input_size, None)
        return Gram(self.matrix[kept, kept], self.windows, input_size)

    def __add__(self, other: "Gram") -> "Gram":
        if self.input_size != other.input_size or self.matrix.shape != other.matrix.shape:
            raise SparkhuError(
                f"Gram matrices of windows {self.input_size} + {self.horizon} and {other.input_size} + "
                f"{other.horizon} cannot be added. Plan the groups once for all shards."
            )
        return Gram(self.matrix + other.matrix, self.windows + other.windows, self.input_size)


@dataclass(frozen=True, eq=False)
class GroupGram:
    """The Gram matrices of one group.

    Attributes:
        train: Windows of the training interval.
        choose: Windows of the choosing half of validation whose targets were all observed, against the observed
            values.
        rest: All other windows than those of training, for the final fit.
    """

    train: Gram
    choose: Gram
    rest: Gram

    def __add__(self, other: "GroupGram") -> "GroupGram":
        return GroupGram(self.train + other.train, self.choose + other.choose, self.rest + other.rest)


@on_one_thread
def gram_shard(shard: ShardWindows) -> dict[str, GroupGram]:
    """Sum the Gram matrices of a shard's windows, by group."""
    return {group: gram_of(shard, rows, L, H) for group, L, H, rows in shard.groups()}


def gram_of(shard: ShardWindows, rows: pl.DataFrame, input_size: int, horizon: int) -> GroupGram:
    """Sum the Gram matrices of some windows of one group.

    Args:
        shard: Theirs.
        rows: Rows of its table.
        input_size: L of the group.
        horizon: H of the group.
    """
    return gram_windows(group_windows(shard, rows, input_size, horizon))


def merge(shards: Iterable[Mapping[str, GroupGram]]) -> dict[str, GroupGram]:
    """Add the Gram matrices of shards in pairs (`sparkhu.training.pairwise`), in the order given."""
    total = PairwiseSum(add_grams)
    for grams in shards:
        total.append(grams)
    return dict(sorted(total.total({}).items()))


def add_grams(first: Mapping[str, GroupGram], second: Mapping[str, GroupGram]) -> Mapping[str, GroupGram]:
    """Add two by group; a group may be in one of them alone."""
    both = {group: gram + second[group] for group, gram in first.items() if group in second}
    return {**first, **second, **both}


@on_one_thread
def gram_windows(windows: GroupWindows) -> GroupGram:
    """Sum the Gram matrices of windows that are held in memory."""
    return GroupGram(_sum(windows.train), _sum(windows.choose), _sum(windows.rest))


def _sum(windows: WindowSet) -> Gram:
    """Sum the windows whose targets are all known: long runs by what enters and leaves them, others one by one."""
    x, y = (known := windows.observed()).x, known.y
    long, short = [], []
    for run in runs_of(x, y):
        (long if run.windows >= FEWEST else short).append(run)
    total, rest = sliding_gram(x, y, long), numbers(short)
    step = max(CHUNK_BYTES // (8 * len(total)), 1)
    for low in range(0, len(rest), step):
        z = _vectors(x.rows(rest[low : low + step]), y.rows(rest[low : low + step]))
        total += z.T @ z
    return Gram(total, len(known), x.size)


def _vectors(x: Floats, y: Floats) -> Floats:
    last = x[:, -1:]
    return np.hstack([x - last, np.ones((len(x), 1)), y - last])
