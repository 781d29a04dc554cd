"""A recipe that several workers fit together."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparkhu.training.distribution.job import Order, read_fitted, write_job
from sparkhu.training.distribution.launching import Launch, launch
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, Recipe, Settings, TrainingData
from sparkhu.tuning.space import Space


@dataclass(frozen=True)
class DistributedRecipe:
    """A recipe that several workers fit together: `linear` and the neural models.

    Attributes:
        recipe: What is fitted.
        how: How the workers are begun.
        folder: Where the job lies, which an interrupted fit goes on from; None: a folder that is removed behind it.
        plan: How neural models are trained.
        on_epoch: Is given `group` and what the epoch brought.
    """

    recipe: Recipe
    how: Launch = field(default_factory=Launch)
    folder: Path | None = None
    plan: Plan = field(default_factory=Plan)
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
            InputError: The folder holds another job, or a worker says so.
            SparkhuError: A worker was killed, or never joined.
        """
        order = Order(self.name, settings, data.seasons, seed, self.plan, self.how.join_seconds)
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
