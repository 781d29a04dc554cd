"""The windows of a group held in memory, or in a file, without the values that they share.

Windows of one series that begin a step apart share all values but one. A run of such windows is kept as one sequence,
so that n windows of L points take about n values and not n · L: as they lie in the shard, where they lie there whole,
else as they were read; what was revised between two windows ends a run.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import SparkhuError
from sparkhu.training.distribution.ranks import Ranks
from sparkhu.training.parts import CHOOSE, TRAIN, Floats, Integers
from sparkhu.training.recipes import TrainingData
from sparkhu.training.windows import ShardWindows, Target, chunks

SETS = ("train", "choose", "rest")


@dataclass(frozen=True, eq=False)
class Runs:
    """Rows (n, size) of which neighbours may share all values but one.

    Attributes:
        values: The values of all runs, one after the other.
        starts: Where the values of each row begin, (n,).
        size: Values of a row.
    """

    values: Floats
    starts: Integers
    size: int

    @classmethod
    def of(cls, rows: Floats) -> "Runs":
        """Put rows together; values are equal where their bits are."""
        count, size = rows.shape
        if not count or not size:
            return cls(np.empty(0), np.zeros(count, np.int64), size)
        bits = np.ascontiguousarray(rows).view(np.int64)
        begins = np.ones(count, bool)
        begins[1:] = (bits[1:, :-1] != bits[:-1, 1:]).any(axis=1)
        # A row that begins a run adds all its values, another one its last.
        added = np.where(begins, size, 1)
        ends = np.cumsum(added)
        values = np.empty(int(ends[-1]))
        values[ends - 1] = rows[:, -1]
        heads = ends[begins] - size
        values[heads[:, None] + np.arange(size)] = rows[begins]
        return cls(values, ends - size, size)

    def rows(self, which: npt.NDArray[np.int64] | slice) -> Floats:
        """Give some of the rows."""
        if not len(self.values):
            return np.empty((len(self.starts[which]), self.size))
        return np.lib.stride_tricks.sliding_window_view(self.values, self.size)[self.starts[which]]

    def compact(self) -> "Runs":
        """Give the same rows without the values that none of them has; a NaN keeps those apart that were."""
        if not len(self.starts):
            return Runs(np.empty(0), self.starts, self.size)
        held, kept = (self._covered(self.size + behind) for behind in (0, 1))
        values = np.where(held, self.values, np.nan)[kept]
        starts = (np.cumsum(kept) - 1)[self.starts]
        return Runs(values[: int(starts.max()) + self.size], starts, self.size)

    def _covered(self, size: int) -> npt.NDArray[np.bool_]:
        """Say which values lie in the first `size` values from the beginning of a row on."""
        borders = np.zeros(len(self.values) + 1, np.int64)
        np.add.at(borders, self.starts, 1)
        np.add.at(borders, np.minimum(self.starts + size, len(self.values)), -1)
        covered: npt.NDArray[np.bool_] = np.cumsum(borders[:-1]) > 0
        return covered

    def known(self) -> int:
        """Count the values of all rows that are not NaN."""
        before = np.concatenate([[0], np.cumsum(~np.isnan(self.values))])
        return int((before[self.starts + self.size] - before[self.starts]).sum()) if len(self.values) else 0

    def digest(self) -> bytes:
        """Give a SHA-256 of all rows, 32 bytes; each value is read once, however many rows share it."""
        own = self.compact()
        found = hashlib.sha256(np.array([own.size, len(own.starts), len(own.values)], dtype="<i8").tobytes())
        for array in (own.starts, own.values):
            found.update(np.ascontiguousarray(array).data)
        return found.digest()

    @classmethod
    def joined(cls, parts: Sequence["Runs"]) -> "Runs":
        """Put the rows of several one behind the other."""
        before = np.cumsum([0, *(len(part.values) for part in parts)])
        starts = [part.starts + low for part, low in zip(parts, before[:-1].tolist(), strict=True)]
        return cls(np.concatenate([part.values for part in parts]), np.concatenate(starts), parts[0].size)


@dataclass(frozen=True, eq=False)
class WindowSet:
    """Some windows of a group.

    Attributes:
        x: (n, L) in scaled units.
        y: (n, H) in scaled units; NaN where it is not known.
    """

    x: Runs
    y: Runs

    def __len__(self) -> int:
        return len(self.x.starts)

    @classmethod
    def empty(cls, L: int, H: int) -> "WindowSet":
        """Give no windows."""
        return cls(Runs.of(np.empty((0, L))), Runs.of(np.empty((0, H))))

    @classmethod
    def joined(cls, parts: Sequence["WindowSet"]) -> "WindowSet":
        """Put windows one behind the other."""
        return cls(Runs.joined([part.x for part in parts]), Runs.joined([part.y for part in parts]))

    def strided(self, first: int, step: int) -> "WindowSet":
        """Give every `step`-th window from the one at `first` on."""
        x, y = (Runs(part.values, part.starts[first::step], part.size) for part in (self.x, self.y))
        return WindowSet(x, y)

    def observed(self) -> "WindowSet":
        """Give the windows of whose Y every value is known."""
        holes = np.append(0, np.cumsum(np.isnan(self.y.values)))
        kept = holes[self.y.starts + self.y.size] == holes[self.y.starts]
        x, y = (Runs(part.values, part.starts[kept], part.size) for part in (self.x, self.y))
        return WindowSet(x, y)


@dataclass(frozen=True, eq=False)
class GroupWindows:
    """The windows of a group, of some shards.

    Attributes:
        train: Those of the training interval.
        choose: Those that choose, their Y what was observed.
        rest: All others than those of training, for the final fit.
    """

    train: WindowSet
    choose: WindowSet
    rest: WindowSet

    @classmethod
    def empty(cls, L: int, H: int) -> "GroupWindows":
        """Give no windows."""
        none = WindowSet.empty(L, H)
        return cls(none, none, none)

    @property
    def sizes(self) -> tuple[int, int]:
        """L and H."""
        return self.train.x.size, self.train.y.size

    def arrays(self) -> dict[str, npt.NDArray[np.float64] | npt.NDArray[np.int64]]:
        """Give what the windows are made of, by name."""
        found: dict[str, npt.NDArray[np.float64] | npt.NDArray[np.int64]] = {"sizes": np.array(self.sizes)}
        for name in SETS:
            for side in ("x", "y"):
                runs = getattr(getattr(self, name), side).compact()
                found |= {f"{name}.{side}.values": runs.values, f"{name}.{side}.starts": runs.starts}
        return found

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[np.float64]]) -> "GroupWindows":
        """Read what `arrays` gave.

        Raises:
            SparkhuError: Something is missing.
        """
        try:
            sizes = dict(zip("xy", arrays["sizes"].astype(int).tolist(), strict=True))
            sets = [
                WindowSet(
                    *(
                        Runs(arrays[f"{name}.{side}.values"], arrays[f"{name}.{side}.starts"].astype(np.int64), size)
                        for side, size in sizes.items()
                    )
                )
                for name in SETS
            ]
        except (KeyError, ValueError) as error:
            raise SparkhuError(f"the windows of a group are incomplete: {error}. Write the job again.") from error
        return cls(*sets)

    @classmethod
    def joined(cls, parts: Sequence["GroupWindows"]) -> "GroupWindows":
        """Put the windows of shards one behind the other."""
        return cls(*(WindowSet.joined([getattr(part, name) for part in parts]) for name in SETS))

    def strided(self, first: int, step: int) -> "GroupWindows":
        """Give every `step`-th window of each set."""
        return GroupWindows(*(getattr(self, name).strided(first, step) for name in SETS))


def group_windows(shard: ShardWindows, rows: pl.DataFrame, L: int, H: int) -> GroupWindows:
    """Hold windows of one group.

    Args:
        shard: The shard that they are of.
        rows: Rows of its table.
        L: Points of X.
        H: Points of Y.
    """
    part = pl.col("part")
    return GroupWindows(
        train=_set(shard, rows.filter(part == TRAIN), (L, H), "given"),
        choose=_set(shard, rows.filter(part == CHOOSE), (L, H), "truth"),
        rest=_set(shard, rows.filter(part != TRAIN), (L, H), "given"),
    )


def shard_sets(data: TrainingData, read: Callable[[], ShardWindows]) -> dict[str, GroupWindows]:
    """Read a shard of `data` once, and hold its windows by group; a group that has none there is left out."""
    shard = read()
    found = {group: group_windows(shard, rows, L, H) for group, L, H, rows in shard.groups()}
    return {group: found[group] for group in data.seasons if group in found}


def rank_sets(shards: Sequence[Callable[[], Mapping[str, GroupWindows]]], ranks: Ranks) -> dict[str, GroupWindows]:
    """Hold the windows of a rank by group.

    A rank reads every `size`-th shard, from the one of its number on. Where there are fewer shards than ranks, each
    reads all shards and takes every `size`-th window.

    Args:
        shards: Read the windows of a shard.
        ranks: The processes that train together.
    """
    strided = len(shards) < ranks.size
    read = [each() for each in (shards if strided else shards[ranks.rank :: ranks.size])]
    groups = dict.fromkeys(group for found in read for group in found)
    joined = {group: GroupWindows.joined([found[group] for found in read if group in found]) for group in groups}
    return {group: each.strided(ranks.rank, ranks.size) for group, each in joined.items()} if strided else joined


def _set(shard: ShardWindows, rows: pl.DataFrame, sizes: tuple[int, int], what: Target) -> WindowSet:
    """Hold windows where they lie among the values; those that do not lie there whole are read and follow."""
    L, H = sizes
    laid = shard.source.laid(rows, sizes, what)
    held = WindowSet(Runs(laid.x, laid.x_starts, L), Runs(laid.y, laid.y_starts, H))
    others = []
    for windows in chunks(rows.filter(~pl.Series(laid.there)), L + H):
        y = shard.source.targets(windows, H, what)
        others.append(WindowSet(Runs.of(shard.source.inputs(windows, L)), Runs.of(y)))
    return WindowSet.joined([held, *others]) if others else held
