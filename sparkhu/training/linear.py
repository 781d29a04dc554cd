"""The recipe of the linear model: one pass over the shards, then a closed form a group."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sparkhu.models import linear
from sparkhu.models.base import Forecaster
from sparkhu.models.linear import Linear, LinearSettings
from sparkhu.threads import on_one_thread
from sparkhu.training.gram import Gram, gram_shard, merge
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.ridge import fit_groups, solved
from sparkhu.tuning.space import Space


@dataclass(frozen=True)
class LinearRecipe:
    """Ridge regression on the inputs of a window (`sparkhu.training.ridge`)."""

    name: str = "linear"
    space: Space = linear.SPACE

    def fit(self, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:  # noqa: ARG002 - nothing is drawn
        """Fit every group; what is not in `settings` is chosen or has its default."""
        grams = merge(gram_shard(read()) for read in data.shards)
        chosen = {group: LinearSettings.of(values) for group, values in settings.items()}
        models, notes = fit_groups(grams, seasons=data.seasons, settings=chosen)
        return Fitted(dict(models), notes)

    def update(self, models: Mapping[str, Forecaster], data: TrainingData, *, seed: int = 0) -> Fitted:  # noqa: ARG002
        """Take in new windows by what they add to the normal equations; what was fitted on is not needed again.

        The weights are those of a fit on old and new windows together, at the strength and with the drift that were
        chosen then. Those for evaluation stay.

        Args:
            models: Models that `fit` or `update` gave, by group.
            data: New windows alone: none that a model was fitted on.
            seed: Nothing is drawn.
        """
        grams = merge(gram_shard(read()) for read in data.shards)
        found, notes = dict(models), []
        for group, model in models.items():
            new = grams[group].train + grams[group].rest if group in grams else None
            if new is None or not new.windows:
                notes.append(f"{group}: no new window, so the model stays as it is")
            elif not isinstance(model, Linear) or (old := _sums(model)) is None:
                notes.append(f"{group}: the model does not hold what new windows are added to; train it again")
            else:
                found[group] = _over(model, old + new, data.seasons[group])
                notes.append(f"{group}: {new.windows:,} new windows beside {old.windows:,}")
        return Fitted(found, notes)


def _sums(model: Linear) -> Gram | None:
    """Give the Gram matrix of the windows that a model was fitted on; its product of ones counts them."""
    if model.sums is None:
        return None
    return Gram(model.sums, round(model.sums[model.input_size, model.input_size]), model.input_size)


@on_one_thread
def _over(model: Linear, every: Gram, season_length: int) -> Linear:
    """Give the model with final weights over other windows, at its strength and with its drift."""
    weights, intercept = solved(every, model.settings, season_length, drift=bool(model.intercept.any()))
    return replace(model, weights=weights, intercept=intercept, sums=every.matrix)
