"""A recipe that several workers fit together."""

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
class DistributedRecipe:
    """A recipe that several workers fit together: `linear` and the neural models.

    Attributes:
        recipe: What is fitted; of a neural one its `plan` holds, while `folder` and `on_epoch` here are heeded.
        how: How the workers are begun.
        folder: Where the job lies, which an interrupted fit goes on from; None: a folder that is removed behind it.
        on_epoch: Is given `group` and what the epoch brought.
    """

    recipe: Recipe
    how: Launch = field(default_factory=Launch)
    folder: Path | None = None
    on_epoch: Callable[[Mapping[str, Any]], None] | None = None

    @property
    def name(self) -> str:
        """Its name in forecasts, metrics and settings."""
        return self.recipe.name

    @property
    def space(self) -> Space:
        """The parameters that can be tuned."""
        return self.recipe.space

    def fit(self, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:
        """Fit every group; the same data, settings, seed and number of workers give the same models to the bit.

        Raises:
            InputError: The folder holds another job, what the workers need is not installed, or a worker says so.
            SparkhuError: A worker was killed, or never joined.
        """
        require(self.how)
        plan = self.recipe.plan if isinstance(self.recipe, NeuralRecipe) else Plan()
        order = Order(self.name, settings, data.seasons, seed, plan)
        with self._place() as folder:
            write_job(folder, order, data)
            launch(folder, self.how, self.on_epoch)
            return read_fitted(folder)

    @contextmanager
    def _place(self) -> Iterator[Path]:
        if self.folder is not None:
            yield self.folder
            return
        with TemporaryDirectory(prefix="sparkhu-job-") as folder:
            yield Path(folder)
