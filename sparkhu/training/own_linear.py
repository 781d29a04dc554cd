"""Fit linear maps of each series' own, drawn towards the map of all series of the group.

The map of all minimises Σ ‖y − Wᵀx‖² over all windows, each series' errors in units of its seasonal naive error so that
no series decides alone. A series' own adds what its windows tell beyond: (G + s·u·I)⁻¹ (C − G·W), with G = Σ x xᵀ,
C = Σ x yᵀ, u the mean of G's diagonal, and the strength s chosen for the group on the choosing windows.

Three passes over the shards, a series at a time: the map of all, the strength, the maps of each. In memory lie the Gram
matrices of one series and the maps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.models import own_linear
from sparkhu.models.base import Floats, Forecaster
from sparkhu.models.naive import SeasonalNaive
from sparkhu.models.own_linear import OwnLinear, strength_of
from sparkhu.threads import on_one_thread
from sparkhu.training.gram import Gram, GroupGram, gram_of
from sparkhu.training.parts import CHOOSE
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.ridge import mean_squared_error
from sparkhu.training.sampling import group_sizes
from sparkhu.training.windows import ShardWindows
from sparkhu.tuning.space import Space

STRENGTHS = tuple(float(f"{10 ** (halves / 2):.4g}") for halves in range(-6, 7))
UNCHOSEN = 1.0
"""The strength where no validation window can choose one."""
PENALTY = 1e-3
"""The ridge of the map of all, in shares of the mean square of its inputs."""
MOST_NUMBERS = 2**28
"""Weights that the maps of a group hold at most: one GiB; series behind that have the map of all."""


class Normal(NamedTuple):
    """The normal equations of a linear map without an intercept.

    Attributes:
        inputs: (L, L), Σ x xᵀ.
        cross: (L, H), Σ x yᵀ.
    """

    inputs: Floats
    cross: Floats

    @classmethod
    def of(cls, gram: Gram, share: float = 1.0) -> "Normal":
        """Read them off a Gram matrix, multiplied by `share`."""
        L = gram.input_size
        return cls(gram.matrix[:L, :L] * share, gram.matrix[:L, L + 1 :] * share)

    def plus(self, other: "Normal") -> "Normal":
        """Add those of other windows."""
        return Normal(self.inputs + other.inputs, self.cross + other.cross)

    @property
    def unit(self) -> float:
        """The mean square of an input, times the number of windows."""
        return float(np.trace(self.inputs)) / len(self.inputs) or 1.0

    def solve(self, penalty: float, towards: Floats) -> Floats:
        """Give the weights (L, H) with a ridge of `penalty` units that draws them towards others."""
        regular = self.inputs + penalty * self.unit * np.eye(len(self.inputs))
        solved: Floats = towards + np.linalg.solve(regular, self.cross - self.inputs @ towards)
        return solved


class Summed(NamedTuple):
    """The windows of a series: its shard, its rows of the shard's table, its name and its Gram matrices."""

    shard: ShardWindows
    rows: pl.DataFrame
    name: str
    gram: GroupGram

    def choosing(self, input_size: int, horizon: int) -> tuple[Floats, Floats]:
        """Read X and Y of the choosing windows whose targets were all observed, less the last value of X."""
        rows = self.rows.filter(pl.col("part") == CHOOSE)
        x, y = self.shard.source.inputs(rows, input_size), self.shard.source.targets(rows, horizon, "truth")
        known = ~np.isnan(y).any(axis=1)
        return x[known] - x[known, -1:], y[known] - x[known, -1:]


@dataclass(frozen=True)
class OwnLinearRecipe:
    """A linear map of each series, drawn towards that of all (`sparkhu.models.own_linear`)."""

    name: str = "own_linear"
    space: Space = own_linear.SPACE

    @on_one_thread
    def fit(self, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:  # noqa: ARG002 - nothing is drawn
        """Fit every group; a strength that is not in `settings` is chosen.

        Raises:
            InputError: A setting cannot be used.
        """
        models: dict[str, Forecaster] = {}
        notes = []
        for group, (L, H) in group_sizes(data).items():
            if group not in data.seasons:
                continue
            fitter = Fitter(data, group, L, H, data.seasons[group])
            model, note = fitter.fit(strength_of(settings.get(group, {})))
            notes.append(f"{group}: {note}")
            if model is not None:
                models[group] = model
        return Fitted(models, notes)


@dataclass(frozen=True)
class Fitter:
    """Fits the maps of one group."""

    data: TrainingData
    group: str
    L: int
    H: int
    season_length: int

    def fit(self, strength: float | None) -> tuple[OwnLinear | None, str]:
        """Fit the maps and say how; None where no window can be trained on."""
        trained, every, count = self._of_all()
        if trained is None or every is None:
            return None, "no training window, so no linear maps"
        how = "as tuned"
        if strength is None:
            strength, how = self._chosen(trained)
        most = MOST_NUMBERS // (2 * self.L * self.H)
        own, evaluated = (np.empty((1 + min(count, most), self.L, self.H), dtype=np.float32) for _ in range(2))
        own[0], evaluated[0] = every, trained
        names: list[str] = []
        for place, (_, _, name, gram) in enumerate(islice(self._series(), most), start=1):
            names.append(name)
            own[place] = _own(gram.train + gram.rest, strength, every)
            evaluated[place] = _own(gram.train, strength, trained)
        left = f"; {count - most:,} series have the map of all, for want of room" if count > most else ""
        note = f"maps of {len(names):,} series drawn to that of all by {strength:g}, {how}{left}"
        return OwnLinear(own, evaluated, tuple(names), strength), note

    def _series(self) -> Iterator[Summed]:
        """Sum the Gram matrices of each series, in the order of the shards."""
        for read in self.data.shards:
            shard = read()
            for name, L, H, rows in shard.groups():
                if name != self.group:
                    continue
                for (code,), part in rows.partition_by("code", as_dict=True, maintain_order=True).items():
                    yield Summed(shard, part, shard.series["unique_id"][code], gram_of(shard, part, L, H))

    def _of_all(self) -> tuple[Floats | None, Floats | None, int]:
        """Fit the map of all on the training windows, and on all windows; and count the series."""
        trained = every = Normal(np.zeros((self.L, self.L)), np.zeros((self.L, self.H)))
        count = windows = 0
        for _, _, _, gram in self._series():
            count, windows = count + 1, windows + gram.train.windows
            whole = gram.train + gram.rest
            trained = trained.plus(Normal.of(gram.train, self._share(gram.train)))
            every = every.plus(Normal.of(whole, self._share(whole)))
        if not windows:
            return None, None, count
        nothing = np.zeros((self.L, self.H))
        return trained.solve(PENALTY, nothing), every.solve(PENALTY, nothing), count

    def _share(self, gram: Gram) -> float:
        """Give what a series' windows count: all series alike, each in units of its seasonal naive error."""
        if not gram.windows:
            return 0.0
        naive = np.zeros((self.L, self.H))
        naive[SeasonalNaive(self.L, self.H, self.season_length).repeated(), np.arange(self.H)] = 1.0
        error = mean_squared_error(gram, naive, np.zeros(self.H))
        return 1.0 / (gram.windows * error) if error > 0 else 0.0

    def _chosen(self, trained: Floats) -> tuple[float, str]:
        """Choose the strength: least absolute error on the observed targets of choosing windows, in scaled units."""
        errors, windows = np.zeros(len(STRENGTHS)), 0
        for each in self._series():
            if each.gram.choose.windows:
                windows += each.gram.choose.windows
                x, y = each.choosing(self.L, self.H)
                maps = (_own(each.gram.train, strength, trained) for strength in STRENGTHS)
                errors += [np.abs(y - x @ weights).mean() for weights in maps]
        if not windows:
            return UNCHOSEN, "for want of validation windows"
        return STRENGTHS[int(np.argmin(errors))], f"chosen on {windows:,} validation windows"


def _own(gram: Gram, strength: float, towards: Floats) -> Floats:
    return Normal.of(gram).solve(strength, towards) if gram.windows else towards
