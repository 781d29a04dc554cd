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
from sparkhu.training.gram import Gram, GroupGram, add_grams, gram_windows
from sparkhu.training.neural import Run, fit_groups
from sparkhu.training.optimiser import Epoch
from sparkhu.training.pairwise import PairwiseSum, nodes
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
    in a tree that their numbers fix (`sparkhu.training.pairwise`), by one process as well. Each rank sums neighbouring
    shards to the fewest nodes of that tree, of which there are 2 · log₂ of its shards at most, and one where shards and
    ranks are powers of two; these are exchanged, and all ranks add them the same way.

    Args:
        shards: Read the windows of each shard.
        groups: In their order.
        ranks: The processes that sum together.
    """
    parts = [nodes(*_range(len(shards), rank, ranks.size)) for rank in range(ranks.size)]
    own = [_node(shards[low : low + 2**level]) for low, level in parts[ranks.rank]]
    most = max(len(part) for part in parts)
    sums = [_exchanged(own[at] if at < len(own) else {}, groups, ranks) for at in range(most)]
    total = PairwiseSum(add_grams)
    for rank, part in enumerate(parts):
        for at, (_, level) in enumerate(part):
            total.append(sums[at][rank], level)
    return dict(sorted(total.total({}).items()))


def _node(shards: Shards) -> Mapping[str, GroupGram]:
    total = PairwiseSum(add_grams)
    for read in shards:
        total.append({group: gram_windows(windows) for group, windows in read().items()})
    return total.total({})


def _range(shards: int, rank: int, size: int) -> tuple[int, int]:
    """Give the first shard of a rank, and the one behind its last."""
    return shards * rank // size, shards * (rank + 1) // size


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
        return list(range(*_range(shards, rank, size)))
    return [number for number in range(shards) if shards < size or number % size == rank]


def _exchanged(own: Mapping[str, GroupGram], groups: Sequence[str], ranks: Ranks) -> list[Mapping[str, GroupGram]]:
    """Give what each rank has summed, in their order."""
    sums: list[dict[str, GroupGram]] = [{} for _ in range(ranks.size)]
    for group in groups:
        for each, gram in zip(sums, _of_group(own.get(group), ranks), strict=True):
            if gram is not None:
                each[group] = gram
    return list(sums)


def _of_group(own: GroupGram | None, ranks: Ranks) -> list[GroupGram | None]:
    """Give the Gram matrices of a group that each rank has; None for one that has none."""
    of_own = (own.train, own.choose, own.rest) if own else ()
    told = [own.train.input_size, own.train.horizon, *(part.windows for part in of_own)] if own else [0] * 5
    numbers = np.array(ranks.gather(np.array(told, dtype=np.int64)))
    L, H = (int(each) for each in numbers[:, :2].max(axis=0))
    sums: list[list[Gram]] = [[] for _ in range(ranks.size)]
    for at, windows in enumerate(numbers[:, 2:].T):
        matrix = of_own[at].matrix if own else Gram.empty(L, H).matrix
        # Where no rank has windows there is nothing to send.
        found = ranks.gather(matrix) if windows.any() else [matrix] * ranks.size
        for each, one, count in zip(sums, found, windows.tolist(), strict=True):
            each.append(Gram(one, count, L))
    return [GroupGram(*each) if size else None for each, size in zip(sums, numbers[:, 0], strict=True)]
