"""The recipe of the linear model: one pass over the shards, then a closed form a group."""

from dataclasses import dataclass

from sparkhu.models import linear
from sparkhu.models.linear import LinearSettings
from sparkhu.training.gram import gram_shard, merge
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.ridge import fit_groups
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
