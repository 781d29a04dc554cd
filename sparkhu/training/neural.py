"""The recipes of the neural models: a training that the choosing windows end, then a short one on all windows.

What scores are made of is fitted on the training interval alone. New forecasts are made with the same weights after
one more pass over all windows, at a tenth of the learning rate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from sparkhu.errors import InputError
from sparkhu.models.base import Forecaster
from sparkhu.models.neural.architectures import LSTM, NHITS, PATCH_TRANSFORMER, Architecture, Values, values_of
from sparkhu.models.neural.forecaster import Design, Neural, Weights
from sparkhu.models.neural.running import require_torch
from sparkhu.training.checkpoints import Checkpoints
from sparkhu.training.distribution.ranks import Ranks, Single
from sparkhu.training.loop import Trained, Work, train
from sparkhu.training.optimiser import Epoch
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.window_sets import GroupWindows, WindowSet, rank_sets, shard_sets
from sparkhu.tuning.space import Space

FINAL_SHARE: Final = 0.1
"""The learning rate of the pass over all windows, as a share of that of the training."""
Progress = Callable[[str, Epoch], None]
"""Is told the group and the epoch that ended."""


@dataclass(frozen=True)
class Run:
    """How one fit of a recipe runs.

    Attributes:
        ranks: The processes that train together.
        seed: The same on all of them.
        plan: How is trained; the learning rate is the settings'.
        folder: Where checkpoints lie, a folder a group; None: none are written.
        progress: Is told of every epoch, on rank 0.
    """

    ranks: Ranks = field(default_factory=Single)
    seed: int = 0
    plan: Plan = field(default_factory=Plan)
    folder: Path | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class NeuralRecipe:
    """A neural model for every group, trained in this process.

    Attributes:
        architecture: Of the model.
        plan: How it is trained.
        folder: Where checkpoints lie, which an interrupted fit goes on from; None: none are written.
        progress: Is told of every epoch.
    """

    architecture: Architecture
    plan: Plan = field(default_factory=Plan)
    folder: Path | None = None
    progress: Progress | None = None

    @property
    def name(self) -> str:
        """Its name in forecasts, metrics and settings."""
        return self.architecture.name

    @property
    def space(self) -> Space:
        """The parameters that can be tuned."""
        return self.architecture.space

    def fit(self, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:
        """Fit every group; what is not in `settings` has its default.

        Raises:
            InputError: A setting cannot be used, the loss is no number, or torch is not installed.
        """
        require_torch(self.name)
        run = Run(seed=seed, plan=self.plan, folder=self.folder, progress=self.progress)
        windows = rank_sets([partial(shard_sets, data, read) for read in data.shards], run.ranks)
        return fit_groups(self.architecture, windows, data.seasons, settings, run)


def fit_groups(
    architecture: Architecture,
    windows: Mapping[str, GroupWindows],
    seasons: Mapping[str, int],
    settings: Settings,
    run: Run,
) -> Fitted:
    """Fit every group, one after the other, on all ranks together.

    Args:
        architecture: Of the models.
        windows: Those of this rank; all ranks have the same groups.
        seasons: Points in a season by group.
        settings: Values of parameters by group.
        run: How it runs.
    """
    models: dict[str, Forecaster] = {}
    notes = []
    for number, (group, season) in enumerate(seasons.items()):
        own = _agreed(windows.get(group), run.ranks)
        if own is None:
            notes.append(f"{group}: {architecture.name} has no window to train on")
            continue
        values = values_of(architecture, settings.get(group, {}))
        model, note = _fit(architecture, own, season, values, _of_group(run, number, group))
        models[group] = model
        notes.append(f"{group}: {architecture.name}: {note}")
    return Fitted(models, notes)


def fine_tune(model: Neural, windows: GroupWindows, run: Run) -> Neural:
    """Go on from the weights of a model over windows that came since, once, at a tenth of the learning rate.

    Args:
        model: Its evaluation weights stay.
        windows: Those of this rank; all but the ones that choose are learnt from.
        run: How it runs.

    Raises:
        InputError: The windows have other sizes, or the loss is no number.
        SparkhuError: There are no windows.
    """
    if windows.sizes != (model.input_size, model.horizon):
        given, wanted = windows.sizes, (model.input_size, model.horizon)
        raise InputError(f"the windows have the sizes {given}, the model {wanted}. Train a model of those sizes.")
    return replace(model, weights=_final(model.design, windows, model.weights, run.plan, run))


def _agreed(own: GroupWindows | None, ranks: Ranks) -> GroupWindows | None:
    """Give the windows of a rank, none where only others have some; None where none has windows to train on."""
    sizes = ranks.gather(np.array([*own.sizes, len(own.train)] if own else [0, 0, 0], dtype=np.int64))
    L, H, count = (int(each) for each in np.max(sizes, axis=0))
    return (own or GroupWindows.empty(L, H)) if count else None


def _of_group(run: Run, number: int, group: str) -> Run:
    folder = run.folder / f"group-{number:03d}" if run.folder else None
    told = partial(run.progress, group) if run.progress else None
    return replace(run, folder=folder, progress=None if told is None else lambda _, epoch: told(epoch))


def _fit(
    architecture: Architecture, windows: GroupWindows, season: int, values: Values, run: Run
) -> tuple[Neural, str]:
    L, H = windows.sizes
    design = Design(architecture.name, L, H, values["centre"], architecture.shape(L, H, season, values))
    plan = replace(run.plan, learning_rate=values["learning_rate"])
    first = _train(Work(design, windows.train, windows.choose, plan, run.seed), run, "train")
    return Neural(design, _final(design, windows, first.weights, plan, run), first.weights), _note(first)


def _final(design: Design, windows: GroupWindows, start: Weights, plan: Plan, run: Run) -> Weights:
    """Pass over all windows once more."""
    every = WindowSet.joined([windows.train, windows.rest])
    short = replace(plan, epochs=1, learning_rate=FINAL_SHARE * plan.learning_rate)
    work = Work(design, every, WindowSet.empty(*windows.sizes), short, run.seed, start)
    return _train(work, run, "final").weights


def _train(work: Work, run: Run, name: str) -> Trained:
    checkpoints = Checkpoints(run.folder / name) if run.folder else None
    told = run.progress
    return train(
        work,
        ranks=run.ranks,
        checkpoints=checkpoints,
        on_epoch=(lambda epoch: told("", epoch)) if told and name == "train" else None,
    )


def _note(trained: Trained) -> str:
    best = trained.epochs[trained.best - 1]
    chosen = "no windows to choose by" if best.choose is None else f"loss {best.choose:.4g} on the choosing windows"
    return "; ".join([f"epoch {trained.best} of {len(trained.epochs)}, {chosen}", *trained.notes])


def lstm() -> NeuralRecipe:
    """Give the recipe of the LSTM."""
    return NeuralRecipe(LSTM)


def nhits() -> NeuralRecipe:
    """Give the recipe of N-HiTS."""
    return NeuralRecipe(NHITS)


def patch_transformer() -> NeuralRecipe:
    """Give the recipe of the patch transformer."""
    return NeuralRecipe(PATCH_TRANSFORMER)
