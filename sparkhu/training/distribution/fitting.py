"""Fit the recipe of a job on all ranks together."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sparkhu.errors import InputError
from sparkhu.models.linear import LinearSettings
from sparkhu.models.neural.architectures import ARCHITECTURES
from sparkhu.training.distribution.job import CHECKPOINTS, PROGRESS, Order, read_order, shard_readers
from sparkhu.training.distribution.ranks import Ranks
from sparkhu.training.gram import Gram, GroupGram, gram_windows
from sparkhu.training.neural import Run, fit_groups
from sparkhu.training.optimiser import Epoch
from sparkhu.training.recipes import Fitted
from sparkhu.training.ridge import fit_groups as fit_ridge
from sparkhu.training.window_sets import GroupWindows, rank_sets

LINEAR = "linear"
Shards = Sequence[Callable[[], Mapping[str, GroupWindows]]]


def fit_job(folder: Path, ranks: Ranks) -> Fitted:
    """Fit the recipe of a job; every rank calls it. What rank 0 gives is the result.

    Raises:
        InputError: The recipe cannot be trained so, or a setting cannot be used.
        SparkhuError: The job cannot be read, or what training raises.
    """
    order, count = read_order(folder)
    shards = shard_readers(folder, order, count)
    if order.recipe == LINEAR:
        return _fit_linear(shards, order, ranks)
    if order.recipe not in ARCHITECTURES:
        known = ", ".join([LINEAR, *ARCHITECTURES])
        raise InputError(f"the recipe '{order.recipe}' cannot be trained on several workers; {known} can")

    def progress(group: str, epoch: Epoch) -> None:
        with (folder / PROGRESS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"group": group, **asdict(epoch)}) + "\n")

    run = Run(ranks, order.seed, order.plan, folder / CHECKPOINTS, progress)
    return fit_groups(ARCHITECTURES[order.recipe], rank_sets(shards, ranks), order.seasons, order.settings, run)


def _fit_linear(shards: Shards, order: Order, ranks: Ranks) -> Fitted:
    grams = merged_grams(shards, order.groups, ranks)
    if ranks.rank:
        return Fitted({}, [])
    chosen = {group: LinearSettings.of(values) for group, values in order.settings.items()}
    models, notes = fit_ridge(grams, seasons=order.seasons, settings=chosen)
    return Fitted(dict(models), notes)


def merged_grams(shards: Shards, groups: Sequence[str], ranks: Ranks) -> dict[str, GroupGram]:
    """Add the Gram matrices of all shards, in the order of the shards.

    Every rank sums those of its own shards. They are exchanged as they are, a shard of each rank at a time, and added
    in the order of the shards: the result is equal to the bit for any number of ranks. A rank without a shard waits.

    Args:
        shards: Read the windows of each shard.
        groups: In their order.
        ranks: The processes that sum together.
    """
    merged: dict[str, GroupGram] = {}
    for first in range(0, len(shards), ranks.size):
        own = shards[first + ranks.rank]() if first + ranks.rank < len(shards) else {}
        for group in groups:
            for gram in _exchanged(own.get(group), ranks):
                merged[group] = merged[group] + gram if group in merged else gram
    return dict(sorted(merged.items()))


def _exchanged(own: GroupWindows | None, ranks: Ranks) -> list[GroupGram]:
    """Give the Gram matrices of a group in a shard of each rank, of those that have it, in their order."""
    sizes = ranks.gather(np.array(own.sizes if own else (0, 0), dtype=np.int64))
    L, H = (int(each) for each in np.max(sizes, axis=0))
    if not L:
        return []
    gram = gram_windows(own) if own else GroupGram(*[Gram.empty(L, H)] * 3)
    counts = np.array([part.windows for part in (gram.train, gram.choose, gram.rest)], dtype=np.int64)
    matrices = np.stack([part.matrix for part in (gram.train, gram.choose, gram.rest)])
    told = zip(sizes, ranks.gather(counts), ranks.gather(matrices), strict=True)
    return [
        GroupGram(*(Gram(matrix, int(windows), L) for matrix, windows in zip(three, numbers, strict=True)))
        for size, numbers, three in told
        if size[0]
    ]
