"""Draw so many windows of a group that they fit into memory: a uniform sample by seed.

The first pass draws and reads no value, the second reads what was drawn.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.models.base import Floats, Inputs, newest
from sparkhu.training.parts import Integers
from sparkhu.training.recipes import TrainingData
from sparkhu.training.windows import ShardWindows, Target, chunks

NUMBERS = 2**25
"""Points of history that the windows of a sample hold together at most: 256 MiB. It bites where they look further
back than 83 points for each step that they forecast, at 400,000 steps."""


class Sample(NamedTuple):
    """Windows that were drawn.

    Attributes:
        history: (n, depth) in scaled units, the newest last; NaN where a value is not known.
        targets: (n, H) in scaled units; NaN where a value is not known.
        series: The name of the series of each, (n,).
        cutoffs: The instant of the newest point of each, (n,).
        seen: How many windows they were drawn from.
    """

    history: Floats
    targets: Floats
    series: pl.Series
    cutoffs: pl.Series
    seen: int

    def inputs(self, size: int) -> Inputs:
        """Give the windows as forecasters are given them, L = `size`, with all their history."""
        return Inputs(self.history[:, -size:], self.series, self.cutoffs, self.newest)

    def newest(self, points: int) -> Floats:
        """Give the last points of each history, (n, points); NaN in front where the history holds fewer."""
        return newest(self.history, points)


def group_sizes(data: TrainingData) -> dict[str, tuple[int, int]]:
    """Give L and H of every group that has windows, in the order of the names."""
    sizes = {group: (L, H) for read in data.shards for group, L, H, _ in read().groups()}
    return dict(sorted(sizes.items()))


class Part(NamedTuple):
    """The windows of a group in one shard, rows of the shard's table, and their L and H."""

    shard: ShardWindows
    input_size: int
    horizon: int
    windows: pl.DataFrame


def sample_windows(
    data: TrainingData, group: str, parts: Sequence[str], *, depth: int, most: int, seed: int, target: Target = "given"
) -> Sample | None:
    """Draw windows of a group, each as likely as any other.

    Every window gets a random number; those with the smallest are kept, no more than `most` and than `NUMBERS` points
    of history. The draw depends on the order of the windows and the seed alone.

    Args:
        data: Where the windows are read.
        group: Whose.
        parts: Which of `sparkhu.training.parts.PARTS`.
        depth: How many points of the history of each.
        most: How many windows at most.
        seed: Of the draw.
        target: What Y is.

    Returns:
        The windows, in the order of shards, series and time; None where there is none.
    """
    random = np.random.default_rng(seed)
    most = min(most, max(NUMBERS // depth, 1))
    keys, places, seen = np.empty(0), np.empty(0, np.int64), 0
    for part in _parts(data, group, parts):
        count = part.windows.height
        keys = np.concatenate([keys, random.random(count)])
        places = np.concatenate([places, np.arange(seen, seen + count)])
        best = np.sort(np.argsort(keys, kind="stable")[:most])
        keys, places, seen = keys[best], places[best], seen + count
    return _read(_parts(data, group, parts), places, depth, target)._replace(seen=seen) if seen else None


def _parts(data: TrainingData, group: str, parts: Sequence[str]) -> Iterator[Part]:
    """List the windows of a group in some parts, in the order of shards, series and time."""
    for read in data.shards:
        shard = read()
        for name, L, H, rows in shard.groups():
            if name == group:
                yield Part(shard, L, H, rows.filter(pl.col("part").is_in(list(parts))))


def _read(parts: Iterator[Part], places: Integers, depth: int, target: Target) -> Sample:
    """Read the windows at some places, counted over all parts; places rise."""
    history, targets = np.empty((len(places), depth)), np.empty((len(places), 0))
    series, cutoffs = [], []
    begin = row = 0
    for shard, L, H, windows in parts:
        if not targets.shape[1]:
            targets = np.empty((len(places), H))
        low, high = np.searchsorted(places, [begin, begin + windows.height])
        for few in chunks(windows[places[low:high] - begin], max(L + H, depth)):
            inputs, rows = shard.inputs(few, L), slice(row, row + few.height)
            history[rows], targets[rows] = inputs.history(depth), shard.source.targets(few, H, target)
            series.append(inputs.series)
            cutoffs.append(inputs.cutoffs)
            row = rows.stop
        begin += windows.height
    return Sample(history, targets, pl.concat(series), pl.concat(cutoffs), 0)
