"""The recipe of the ensemble: members are fitted, then weighted by their errors on the choosing windows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sparkhu.models.base import Forecaster
from sparkhu.models.ensemble import Ensemble
from sparkhu.training.known import RECIPES, load_recipe
from sparkhu.training.parts import CHOOSE
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.sampling import group_sizes, sample_windows
from sparkhu.training.weights import choose_weights
from sparkhu.tuning.space import Space

MEMBERS = ("own_linear", "trees")
ROWS = 400_000
"""Steps of choosing windows that are looked at, at most."""
REFITTED = 500
"""Choosing windows that are looked at where a member is fitted anew for each, at most."""
DEPTH = 1_008
"""Points of history that members are given of a choosing window."""


@dataclass(frozen=True)
class EnsembleRecipe:
    """A weighted mean of other models (`sparkhu.models.ensemble`).

    Attributes:
        members: Names of recipes.
    """

    name: str = "ensemble"
    space: Space = ()
    members: tuple[str, ...] = MEMBERS

    def fit(self, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:
        """Fit the members of every group, and weight them.

        Args:
            data: What is fitted.
            settings: Those of its members, as `trees.leaves`; the ensemble has none of its own.
            seed: Of the members, and of the draw of the choosing windows.

        Returns:
            A group that no member can be fitted of has no model; where one can, it has the weight 1.
        """
        fits = {name: load_recipe(name).fit(data, _of_member(settings, name), seed=seed) for name in self.members}
        notes = [f"{name}: {note}" for name, fit in fits.items() for note in fit.notes]
        models: dict[str, Forecaster] = {}
        for group in group_sizes(data):
            members = {name: fit.models[group] for name, fit in fits.items() if group in fit.models}
            if members:
                models[group], note = weigh(data, group, members, seed=seed)
                notes.append(f"{group}: {note}")
        return Fitted(models, notes)


def _of_member(settings: Settings, member: str) -> Settings:
    start = f"{member}."
    return {
        group: {name.removeprefix(start): value for name, value in values.items() if name.startswith(start)}
        for group, values in settings.items()
    }


def weigh(data: TrainingData, group: str, members: Mapping[str, Forecaster], *, seed: int) -> tuple[Ensemble, str]:
    """Weight the fitted members of a group by their errors on choosing windows, as they stood after training.

    These windows fitted no member, but may have chosen some of it: when trees stop, how strongly maps are drawn.

    Args:
        data: Where the windows are read.
        group: Its name.
        members: The fitted models.
        seed: Of the draw of windows, where there are very many.

    Returns:
        The ensemble, and how it was weighted, in words. Without a choosing window all members weigh the same.
    """
    first = next(iter(members.values()))
    refitted = any(name in RECIPES and RECIPES[name].refits for name in members)
    most = REFITTED if refitted else max(ROWS // first.horizon, 1)
    depth = max(DEPTH, first.input_size)
    sample = sample_windows(data, group, (CHOOSE,), depth=depth, most=most, seed=seed, target="truth")
    count = len(members)
    equal = Ensemble(members, np.full(count, 1.0 / count), (), np.empty((0, count)))
    if sample is None or not np.isfinite(sample.targets).any():
        return equal, f"equal weights of {', '.join(members)}, for want of validation windows"
    inputs = sample.inputs(first.input_size)
    forecasts = np.stack([member.for_evaluation().predict(inputs) for member in members.values()], axis=1)
    errors = forecasts - sample.targets[:, None, :]
    names = sample.series.unique(maintain_order=True)
    numbers = {name: number for number, name in enumerate(names)}
    codes = np.array([numbers[name] for name in sample.series], dtype=np.int64)
    found = choose_weights(errors, codes, sample.cutoffs.to_physical().to_numpy(), len(names))
    own = np.isfinite(found.strength)
    ensemble = replace(
        equal,
        weights=found.every,
        series=tuple(names) if own else (),
        series_weights=found.own if own else np.empty((0, count)),
    )
    told = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(members, found.every, strict=True))
    drawn = f"each series' own drawn towards them by {found.strength:g} windows" if own else "the same for every series"
    return ensemble, f"weights {told}, {drawn}; chosen on {len(codes):,} of {sample.seen:,} validation windows"
