"""The recipes of the neural models: a training that the choosing windows end, then a short one on all windows.

What scores are made of is fitted on the training interval alone. New forecasts are made with the same weights after
one more pass over all windows, at a tenth of the learning rate. An update goes on likewise from a model that is there,
over windows that came since.
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
from sparkhu.models.neural.forecaster import Design, Neural
from sparkhu.models.neural.running import require_torch
from sparkhu.training.checkpoints import Checkpoints
from sparkhu.training.distribution.ranks import Ranks, Single, total
from sparkhu.training.loop import Trained, Work, train
from sparkhu.training.optimiser import Epoch
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.window_sets import GroupWindows, WindowSet, rank_sets, shard_sets
from sparkhu.tuning.space import Space

LATER_SHARE: Final = 0.1
"""The learning rate of the pass over all windows, and of an update, as a share of that of the training."""
Progress = Callable[[str, Epoch], None]
"""Is told the group and the epoch that ended."""


@dataclass(frozen=True)
class Run:
    """How one fit of a recipe runs.

    Attributes:
        ranks: The processes that train together.
        seed: The same on all of them.
        plan: How is trained.
        folder: Where checkpoints lie, a folder a group; None: none are written.
        progress: Is told of every epoch, on rank 0.
        final: Whether the pass over all windows is made; else the weights that are scored stand in its place.
    """

    ranks: Ranks = field(default_factory=Single)
    seed: int = 0
    plan: Plan = field(default_factory=Plan)
    folder: Path | None = None
    progress: Progress | None = None
    final: bool = True


@dataclass(frozen=True)
class NeuralRecipe:
    """A neural model for every group, trained in this process.

    Attributes:
        architecture: Of the model.
        plan: How it is trained.
        folder: Where checkpoints lie, which an interrupted fit goes on from; None: none are written.
        progress: Is told of every epoch.
        final: Whether the pass over all windows is made; else the weights that are scored stand in its place.
    """

    architecture: Architecture
    plan: Plan = field(default_factory=Plan)
    folder: Path | None = None
    progress: Progress | None = None
    final: bool = True

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
        return fit_groups(self.architecture, self._windows(data), data.seasons, settings, self._run(seed))

    def for_trial(self, report: Callable[[float], None]) -> "NeuralRecipe":
        """Give the recipe without the pass over all windows, which reports the choosing loss of every epoch."""

        def progress(_: str, epoch: Epoch) -> None:
            if epoch.choose is not None:
                report(epoch.choose)

        return replace(self, folder=None, progress=progress, final=False)

    def update(self, fitted: Mapping[str, Forecaster], data: TrainingData, *, seed: int = 0) -> Fitted:
        """Go on from models over windows that came since (`fine_tune`).

        Args:
            fitted: The models by group; one whose group has no windows stays as it is.
            data: The new windows alone; all of them are learnt from, whichever part they belong to.
            seed: Of the order in which they are drawn, and of what is left out.

        Raises:
            InputError: A model is none of this recipe, has other sizes than its windows, the loss is no number, or
                torch is not installed.
        """
        require_torch(self.name)
        windows, run = self._windows(data), self._run(seed)
        models, notes = dict(fitted), []
        for number, (group, model) in enumerate(fitted.items()):
            if not isinstance(model, Neural) or model.name != self.name:
                raise InputError(
                    f"the model of {group} is '{model.name}', and '{self.name}' is updated. Train it anew."
                )
            new = windows.get(group)
            if new is None or not new.train.y.known() + new.rest.y.known():
                notes.append(f"{group}: {self.name} has no new window, and stays as it is")
                continue
            models[group], note = _update(model, new, _of_group(run, number, group))
            notes.append(f"{group}: {self.name} {note}")
        notes += [f"{group}: {self.name} has no model to go on from" for group in windows if group not in fitted]
        return Fitted(models, notes)

    def _windows(self, data: TrainingData) -> dict[str, GroupWindows]:
        return rank_sets([partial(shard_sets, data, read) for read in data.shards], Single())

    def _run(self, seed: int) -> Run:
        return Run(seed=seed, plan=self.plan, folder=self.folder, progress=self.progress, final=self.final)


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
    """Go on from the weights of a model over windows that came since, at a tenth of its learning rate.

    As many epochs are run as the plan has at most; nothing stops them early, and the last weights are kept.

    Args:
        model: Its evaluation weights stay: they still are those that have seen the first training interval alone.
        windows: Those of this rank; `train` and `rest` are learnt from, and those that choose lie among the latter.
        run: How it runs.

    Raises:
        InputError: The windows have other sizes, or the loss is no number.
        SparkhuError: There are no windows.
    """
    return _update(model, windows, run)[0]


def _update(model: Neural, windows: GroupWindows, run: Run) -> tuple[Neural, str]:
    if windows.sizes != (model.input_size, model.horizon):
        given, wanted = windows.sizes, (model.input_size, model.horizon)
        raise InputError(f"the windows have the sizes {given}, the model {wanted}. Train a model of those sizes.")
    every = WindowSet.joined([windows.train, windows.rest])
    # Without checkpoints: those of an earlier update are of other windows, and this one is short.
    found = _further(model, every, run.plan, replace(run, folder=None), "update")
    count = int(total(run.ranks, len(every)))
    note = f"went on over {count:,} new windows, and is scored by the weights that it had"
    return replace(model, weights=found.weights), "; ".join([note, *found.notes])


def _agreed(own: GroupWindows | None, ranks: Ranks) -> GroupWindows | None:
    """Give the windows of a rank, none where only others have some; None where no rank has a Y to learn from."""
    known = own.train.y.known() if own else 0
    sizes = ranks.gather(np.array([*own.sizes, known] if own else [0, 0, 0], dtype=np.int64))
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
    rate = values["learning_rate"]
    design = Design(architecture.name, L, H, values["centre"], architecture.shape(L, H, season, values))
    first = _train(Work(design, windows.train, windows.choose, run.plan, rate, run.seed), run, "train")
    model = Neural(design, first.weights, first.weights, rate)
    if not run.final:
        return model, _note(first)
    every = WindowSet.joined([windows.train, windows.rest])
    # One pass over every window, but over no more than the training could have drawn.
    most = run.plan.epochs * run.plan.windows_per_epoch
    last = _further(model, every, replace(run.plan, epochs=1, windows_per_epoch=most), run, "final")
    notes = [_note(first)]
    if (count := int(total(run.ranks, len(every)))) > most:
        notes.append(f"the pass over all windows drew {most:,} of {count:,}")
    notes += [*first.notes, *(f"the pass over all windows {note}" for note in last.notes)]
    return replace(model, weights=last.weights), "; ".join(notes)


def _further(model: Neural, windows: WindowSet, plan: Plan, run: Run, name: str) -> Trained:
    """Go on from the weights of a model, at a tenth of its learning rate; nothing chooses."""
    none = WindowSet.empty(model.input_size, model.horizon)
    rate, plan = LATER_SHARE * model.learning_rate, replace(plan, least_steps=1)
    return _train(Work(model.design, windows, none, plan, rate, run.seed, model.weights), run, name)


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
    chosen = "no choosing window has a known Y"
    if best.choose is not None:
        chosen = f"loss {best.choose:.4g} on the choosing windows"
    return f"epoch {trained.best} of {len(trained.epochs)}, {chosen}"


def lstm() -> NeuralRecipe:
    """Give the recipe of the LSTM."""
    return NeuralRecipe(LSTM)


def nhits() -> NeuralRecipe:
    """Give the recipe of N-HiTS."""
    return NeuralRecipe(NHITS)


def patch_transformer() -> NeuralRecipe:
    """Give the recipe of the patch transformer."""
    return NeuralRecipe(PATCH_TRANSFORMER)
