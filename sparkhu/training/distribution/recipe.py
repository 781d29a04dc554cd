"""Recipes that several workers fit together: what any of them is, and the one whose workers this machine begins."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparkhu.training.distribution.job import Order, read_fitted, write_job
from sparkhu.training.distribution.launching import Launch, launch, require
from sparkhu.training.neural import NeuralRecipe
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, Recipe, Settings, TrainingData
from sparkhu.tuning.space import Space


@dataclass(frozen=True)
class SharedRecipe:
    """A recipe that several workers fit together, wherever they are begun: `linear` and the neural models.

    Attributes:
        recipe: What is fitted; of a neural one its `plan` holds, and no `folder` or `on_epoch` of its own.
    """

    recipe: Recipe

    @property
    def name(self) -> str:
        """Its name in forecasts, metrics and settings."""
        return self.recipe.name

    @property
    def space(self) -> Space:
        """The parameters that can be tuned."""
        return self.recipe.space

    def order(self, data: TrainingData, settings: Settings, *, seed: int) -> Order:
        """Say what the workers fit.

        Args:
            data: What they learn from.
            settings: Of each group.
            seed: Of every draw.
        """
        plan = self.recipe.plan if isinstance(self.recipe, NeuralRecipe) else Plan()
        return Order(self.name, settings, data.seasons, seed, plan)


@dataclass(frozen=True)
class DistributedRecipe(SharedRecipe):
    """A recipe that several workers fit together, begun from this process.

    Attributes:
        how: How the workers are begun.
        folder: Where the job lies, which an interrupted fit goes on from; None: a folder that is removed behind it.
        on_epoch: Is given `group` and what the epoch brought.
    """

    how: Launch = field(default_factory=Launch)
    folder: Path | None = None
    on_epoch: Callable[[Mapping[str, Any]], None] | None = None

    def fit(self, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:
        """Fit every group; the same data, settings, seed and number of workers give the same models to the bit.

        Raises:
            InputError: The folder holds another job, what the workers need is not installed, or a worker says so.
            SparkhuError: A worker was killed, or never joined.
        """
        require(self.how)
        with self._place() as folder:
            write_job(folder, self.order(data, settings, seed=seed), data)
            launch(folder, self.how, self.on_epoch)
            return read_fitted(folder)

    @contextmanager
    def _place(self) -> Iterator[Path]:
        if self.folder is not None:
            yield self.folder
            return
        with TemporaryDirectory(prefix="sparkhu-job-") as folder:
            yield Path(folder)
