"""The recipe of the trees: windows are drawn, laid out as rows, and LightGBM grows trees until validation says stop.

The loss is the mean absolute error in the rows' own units, so that every window counts alike. Its gradients are −1, 0
and 1 and every row weighs the same: sums of them are whole numbers, which come out the same to the bit however many
threads add them up.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from sparkhu.models import trees
from sparkhu.models.lagged import Layout
from sparkhu.models.trees import WINDOWS_AT_ONCE, Trees, TreesSettings, lightgbm
from sparkhu.training.parts import CHOOSE, PARTS, TRAIN
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.sampling import Sample, group_sizes, sample_windows
from sparkhu.training.windows import Target
from sparkhu.tuning.space import Space

ROWS = 400_000
"""Rows (steps of windows) that trees are grown on at most: 8,333 windows of 48 steps."""
CHOOSING_ROWS = 100_000
"""Rows that say when to stop, at most."""
MOST_TREES = 400
PATIENCE = 40
"""Trees without a better validation error after which no more are grown."""
UNCHOSEN_TREES = 150
"""Trees that are grown where no validation window can say when to stop."""


class Bounds(NamedTuple):
    """What a fit may take.

    Attributes:
        rows: Rows that trees are grown on at most.
        choosing_rows: Rows that say when to stop, at most.
        trees: How many trees are grown at most.
        threads: How many threads grow them, 0: as many as there are cores; the result is the same.
    """

    rows: int = ROWS
    choosing_rows: int = CHOOSING_ROWS
    trees: int = MOST_TREES
    threads: int = 0


BOUNDS: Final = Bounds()


@dataclass(frozen=True)
class TreesRecipe:
    """Gradient-boosted trees on lags and calendar, one global model a group (`sparkhu.models.trees`).

    Attributes:
        name: Its name in forecasts, metrics and settings.
        space: The parameters that can be tuned.
        bounds: What a fit may take.
        final: Whether trees are grown on all windows as well; else those that are scored stand in their place.
    """

    name: str = "trees"
    space: Space = trees.SPACE
    bounds: Bounds = BOUNDS
    final: bool = True

    def fit(self, data: TrainingData, settings: Settings, *, seed: int = 0) -> Fitted:
        """Fit every group; what is not in `settings` has its default.

        Args:
            data: What is fitted.
            settings: By group: values of the space's parameters.
            seed: Of the draw of windows, rows and columns.

        Raises:
            SparkhuError: LightGBM is not installed.
            InputError: A setting cannot be used.
        """
        models: dict[str, Any] = {}
        notes = []
        for group, (L, H) in group_sizes(data).items():
            if group not in data.seasons:
                continue
            layout = Layout(H, data.seasons[group], L, group.partition("/")[0])
            own = TreesSettings.of(settings.get(group, {}))
            grower = Grower(data, group, layout, own, self.bounds, seed, self.final)
            model, note = grower.fit()
            notes.append(f"{group}: {note}")
            if model is not None:
                models[group] = model
        return Fitted(models, notes)

    def for_trial(self, report: Callable[[float], None]) -> "TreesRecipe":  # noqa: ARG002 - trees have no epochs
        """Give the recipe without the trees that are grown on all windows."""
        return replace(self, final=False)


@dataclass(frozen=True)
class Grower:
    """Grows the trees of one group."""

    data: TrainingData
    group: str
    layout: Layout
    settings: TreesSettings
    bounds: Bounds
    seed: int
    final: bool = True

    def fit(self) -> tuple[Trees | None, str]:
        """Grow trees on the training windows, and again on all, and say how; None where nothing can be trained."""
        rows = self.bounds.rows
        train = self._sample((TRAIN,), rows)
        if train is None:
            return None, "no training window, so no trees"
        choosing = self._sample((CHOOSE,), self.bounds.choosing_rows, observed=True)
        trained, count = self._grow(train, choosing)
        every = self._sample(PARTS, rows) if self.final else None
        final = self._grow(every if every is not None else train, None, count)[0] if self.final else trained
        how = f"chosen on {choosing.seen:,} validation windows" if choosing else "for want of validation windows"
        of = f"{len(train.targets):,} of {train.seen:,} training windows"
        return Trees(final, trained, self.layout, self.settings), f"{count} trees {how}; {of}"

    def _sample(self, parts: tuple[str, ...], rows: int, *, observed: bool = False) -> Sample | None:
        """Draw windows that have a known target; against observed values where they choose."""
        most = max(rows // self.layout.horizon, 1)
        target: Target = "truth" if observed else "given"
        depth = self.layout.depth
        drawn = sample_windows(self.data, self.group, parts, depth=depth, most=most, seed=self.seed, target=target)
        return drawn if drawn is not None and np.isfinite(drawn.targets).any() else None

    def _grow(self, sample: Sample, choosing: Sample | None, count: int = 0) -> tuple[str, int]:
        """Grow `count` trees, or as many as the choosing windows say; give their text and their number."""
        library = lightgbm()
        grown = self._rows(sample)
        stop, callbacks = [], []
        if choosing is not None:
            stop = [grown.create_valid(*self._table(choosing))]
            callbacks = [library.early_stopping(PATIENCE, verbose=False)]
        trees = count or (self.bounds.trees if stop else min(UNCHOSEN_TREES, self.bounds.trees))
        booster = library.train(self._parameters(), grown, trees, valid_sets=stop, callbacks=callbacks)
        best = booster.best_iteration if stop else trees
        return booster.model_to_string(num_iteration=best), best

    def _rows(self, sample: Sample) -> Any:
        table, answers = self._table(sample)
        return lightgbm().Dataset(table, answers, feature_name=self.layout.names(), params=self._parameters())

    def _table(self, sample: Sample) -> tuple[Any, Any]:
        """Lay windows out, without the steps whose target is not known."""
        count, H = sample.targets.shape
        table = np.empty((count * H, len(self.layout.names())), dtype=np.float32)
        answers = np.empty(count * H)
        for low in range(0, count, WINDOWS_AT_ONCE):
            few = slice(low, low + WINDOWS_AT_ONCE)
            rows, laid = slice(few.start * H, few.stop * H), self.layout.rows(sample.history[few], sample.cutoffs[few])
            table[rows], answers[rows] = laid.table, laid.answers(sample.targets[few])
        known = np.isfinite(answers)
        return (table, answers) if known.all() else (table[known], answers[known])

    def _parameters(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "objective": "l1",
            "learning_rate": settings.learning_rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.leaf_rows,
            "feature_fraction": settings.column_share,
            "bagging_fraction": settings.row_share,
            "bagging_freq": 1,
            "max_bin": 63,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.bounds.threads,
            "verbosity": -1,
        }
