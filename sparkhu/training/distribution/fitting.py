"""Fit the recipe of a job on all ranks together."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np

from sparkhu.errors import InputError
from sparkhu.models.linear import LinearSettings
from sparkhu.models.neural.architectures import ARCHITECTURES
from sparkhu.training.distribution.job import CHECKPOINTS, PROGRESS, Order, read_order, shard_readers
from sparkhu.training.distribution.ranks import Ranks
from sparkhu.training.gram import Gram, GroupGram, add_grams, gram_windows
from sparkhu.training.neural import Run, fit_groups
from sparkhu.training.optimiser import Epoch
from sparkhu.training.pairwise import PairwiseSum
from sparkhu.training.recipes import Fitted
from sparkhu.training.ridge import fit_groups as fit_ridge
from sparkhu.training.window_sets import GroupWindows, rank_sets

LINEAR = "linear"
BLOCKS: Final = 8
"""Into how many blocks a rank's shards are summed at least, where it has as many."""
Shards = Sequence[Callable[[], Mapping[str, GroupWindows]]]


def fit_job(folder: Path, ranks: Ranks) -> Fitted:
    """Fit the recipe of a job; every rank calls it. What rank 0 gives is the result.

    Raises:
        InputError: The recipe cannot be trained so, or a setting cannot be used.
        SparkhuError: The job cannot be read, or what training raises.
    """
    order, digests = read_order(folder)
    shards = shard_readers(folder, order, digests)
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
    """Add the Gram matrices of all shards, to the bits of one process.

    One all-reduce of what each rank has summed would give other bits for another number of ranks. So shards are added
    in a tree that their numbers fix (`sparkhu.training.pairwise`), by one process as well, and what ranks exchange are
    nodes of that tree: each sums blocks of 2ᵏ shards, and the sums of the blocks are gathered, one of each rank at a
    time. A rank has `BLOCKS` of them or more where there are as many shards, which shares the work evenly, and at most
    2 · `BLOCKS` + 1, however many shards there are: so much is exchanged.

    Args:
        shards: Read the windows of each shard.
        groups: In their order.
        ranks: The processes that sum together.
    """
    width = 2 ** _level(len(shards), ranks.size)
    total = PairwiseSum(add_grams)
    for first in range(0, -(-len(shards) // width), ranks.size):
        own = PairwiseSum(add_grams)
        for read in shards[(first + ranks.rank) * width : (first + ranks.rank + 1) * width]:
            own.append({group: gram_windows(windows) for group, windows in read().items()})
        for block in _exchanged(own.total({}), groups, ranks):
            total.append(block)
    return dict(sorted(total.total({}).items()))


def _level(shards: int, size: int) -> int:
    """Give k, where a block has 2ᵏ shards."""
    return max(shards // (BLOCKS * size), 1).bit_length() - 1


def shards_of(recipe: str, shards: int, rank: int, size: int) -> list[int]:
    """List the numbers of the shards that a rank reads, for one that has to fetch them first.

    Args:
        recipe: What is fitted.
        shards: How many there are.
        rank: Of the worker.
        size: How many workers there are.

    Example:
        >>> shards_of("nhits", 5, 1, 2)
        [1, 3]
    """
    if recipe == LINEAR:
        return [number for number in range(shards) if (number >> _level(shards, size)) % size == rank]
    return [number for number in range(shards) if shards < size or number % size == rank]


def _exchanged(own: Mapping[str, GroupGram], groups: Sequence[str], ranks: Ranks) -> list[Mapping[str, GroupGram]]:
    """Give what each rank has summed, in their order."""
    blocks: list[dict[str, GroupGram]] = [{} for _ in range(ranks.size)]
    for group in groups:
        for block, gram in zip(blocks, _of_group(own.get(group), ranks), strict=True):
            if gram is not None:
                block[group] = gram
    return list(blocks)


def _of_group(own: GroupGram | None, ranks: Ranks) -> list[GroupGram | None]:
    """Give the Gram matrices of a group that each rank has; None for one that has none."""
    sizes = ranks.gather(np.array((own.train.input_size, own.train.horizon) if own else (0, 0), dtype=np.int64))
    L, H = (int(each) for each in np.max(sizes, axis=0))
    if not L:
        return [None] * ranks.size
    gram = own or GroupGram(*[Gram.empty(L, H)] * 3)
    counts = np.array([part.windows for part in (gram.train, gram.choose, gram.rest)], dtype=np.int64)
    matrices = np.stack([part.matrix for part in (gram.train, gram.choose, gram.rest)])
    told = zip(sizes, ranks.gather(counts), ranks.gather(matrices), strict=True)
    return [
        GroupGram(*(Gram(matrix, int(windows), L) for matrix, windows in zip(three, numbers, strict=True)))
        if size[0]
        else None
        for size, numbers, three in told
    ]
