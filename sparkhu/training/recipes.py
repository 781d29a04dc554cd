"""How a kind of model is fitted: a recipe, and the data that every recipe is given.

A recipe fits all groups of a run at once, as the windows of all groups lie in the same shards and are read once. What
it may learn from is `train`; `choose` chooses (a strength, how many trees); all other windows serve the final fit
alone, that new forecasts are made with (`sparkhu.training.parts`). A forecaster answers `for_evaluation` with itself as
it stood without that final fit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import polars as pl

from sparkhu.models.base import Forecaster, Inputs
from sparkhu.training.parts import Floats
from sparkhu.training.windows import ShardWindows, Target, chunks
from sparkhu.tuning.space import Space

Settings = Mapping[str, Mapping[str, Any]]
"""Values of the parameters of a recipe's search space, by group; what is not named has its default."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The windows that recipes fit.

    Attributes:
        shards: Read the windows of one shard each, anew with every call, in the order of the shards.
        seasons: Points in a season by group, 1 where it has none; every group that is to be fitted.
    """

    shards: Sequence[Callable[[], ShardWindows]]
    seasons: Mapping[str, int]

    def windows(self, group: str, parts: Sequence[str], target: Target = "given") -> Iterator[tuple[Inputs, Floats]]:
        """Read the windows of a group, some at a time, in the order of shards, series and time.

        Args:
            group: Its name.
            parts: Which of `sparkhu.training.parts.PARTS`.
            target: What Y is.

        Yields:
            Inputs of n windows and their Y (n, H) in scaled units; NaN where it is not known.
        """
        for read in self.shards:
            shard = read()
            for name, L, H, rows in shard.groups():
                chosen = rows.filter(pl.col("part").is_in(list(parts)))
                for windows in chunks(chosen if name == group else chosen.clear(), L + H):
                    yield shard.inputs(windows, L), shard.source.targets(windows, H, target)

    def only(self, group: str, parts: Sequence[str]) -> "TrainingData":
        """Give the data without other groups, and without the windows of other parts."""
        shards = [partial(_only, read, group, tuple(parts)) for read in self.shards]
        return TrainingData(shards, {group: self.seasons[group]})


def _only(read: Callable[[], ShardWindows], group: str, parts: Sequence[str]) -> ShardWindows:
    shard = read()
    codes = shard.series.select("group", code=pl.int_range(pl.len(), dtype=pl.Int64)).filter(pl.col("group") == group)
    own = shard.table.join(codes, on="code", how="semi", maintain_order="left")
    return replace(shard, table=own.filter(pl.col("part").is_in(list(parts))))


class Fitted(NamedTuple):
    """What a recipe gives.

    Attributes:
        models: A forecaster by group; a group that could not be fitted has none.
        notes: What was chosen and why, a sentence a group.
    """

    models: dict[str, Forecaster]
    notes: list[str]


class Recipe(Protocol):
    """A kind of model that can be fitted."""

    @property
    def name(self) -> str:
        """Its name in forecasts, metrics and settings."""

    @property
    def space(self) -> Space:
        """The parameters that can be tuned."""

    def fit(self, data: TrainingData, settings: Settings, *, seed: int) -> Fitted:
        """Fit every group of `data`; the same data, settings and seed give the same models to the bit."""


@runtime_checkable
class Trying(Protocol):
    """A recipe that can leave out what a trial of its parameters has no use for."""

    def for_trial(self, report: Callable[[float], None]) -> Recipe:
        """Give the recipe without the final fit on all windows: its models are those that are scored.

        Args:
            report: Is given the loss on the choosing windows after every epoch, where there are epochs.
        """


@runtime_checkable
class Updating(Protocol):
    """A recipe whose models learn from windows that come later, without those that they were fitted on."""

    def update(self, models: Mapping[str, Forecaster], data: TrainingData, *, seed: int = 0) -> Fitted:
        """Let the final fit of every model, by group, take in the windows of `data`; what is scored stays as it was."""
