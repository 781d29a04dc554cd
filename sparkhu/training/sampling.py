"""Draw so many windows of a group that they fit into memory: a uniform sample by seed, in one pass."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.models.base import Floats, Inputs
from sparkhu.training.parts import Integers
from sparkhu.training.recipes import TrainingData
from sparkhu.training.windows import Target


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
        missing = np.full((len(self.history), max(points - self.history.shape[1], 0)), np.nan)
        return np.hstack([missing, self.history[:, -points:]])


def group_sizes(data: TrainingData) -> dict[str, tuple[int, int]]:
    """Give L and H of every group that has windows, in the order of the names."""
    sizes = {group: (L, H) for read in data.shards for group, L, H, _ in read().groups()}
    return dict(sorted(sizes.items()))


def sample_windows(
    data: TrainingData, group: str, parts: Sequence[str], *, depth: int, most: int, seed: int, target: Target = "given"
) -> Sample | None:
    """Draw windows of a group, each as likely as any other.

    Every window gets a random number; those with the smallest are kept. So at most `most` windows and one chunk lie in
    memory, and the draw depends on the order of the windows and the seed alone.

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
    kept: Sample | None = None
    keys = np.empty(0)
    for inputs, targets in data.windows(group, parts, target):
        seen = kept.seen if kept is not None else 0
        drawn = random.random(len(targets))
        border = keys.max() if len(keys) == most else 1.0
        new = np.flatnonzero(drawn < border)
        few = Sample(inputs.history(depth)[new], targets[new], inputs.series.gather(new), inputs.cutoffs.gather(new), 0)
        keys = np.concatenate([keys, drawn[new]])
        best = np.sort(np.argsort(keys, kind="stable")[:most])
        kept = _taken(few if kept is None else _joined(kept, few), best)._replace(seen=seen + len(targets))
        keys = keys[best]
    return kept if kept is not None and kept.seen else None


def _joined(first: Sample, second: Sample) -> Sample:
    return Sample(
        np.concatenate([first.history, second.history]),
        np.concatenate([first.targets, second.targets]),
        pl.concat([first.series, second.series]),
        pl.concat([first.cutoffs, second.cutoffs]),
        first.seen,
    )


def _taken(sample: Sample, rows: Integers) -> Sample:
    history, targets, series, cutoffs, seen = sample
    return Sample(history[rows], targets[rows], series.gather(rows), cutoffs.gather(rows), seen)
