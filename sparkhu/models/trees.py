"""The tree forecaster: one global model of boosted trees a group, asked for every step of the horizon by itself.

Source: G. Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017. The forecast is
direct: the step number and the lags that lie whole seasons before the step are columns of its row
(`sparkhu.models.lagged`), and the answer is added to the seasonal naive forecast.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Floats, Inputs, check_inputs
from sparkhu.models.lagged import Layout, Rows
from sparkhu.models.storage import write_model
from sparkhu.tuning.space import Parameter, Space

FINAL, TRAINED = "final.txt", "trained.txt"
"""The files of the trees fitted on all windows, and of those fitted on the training interval alone."""
WINDOWS_AT_ONCE = 2_048
"""Windows whose history is read and laid out at a time, so that their rows stay small."""

SPACE: Final[Space] = (
    Parameter("learning_rate", "double", low=0.02, high=0.3, distribution="logUniform"),
    Parameter("leaves", "int", low=15, high=511),
    Parameter("leaf_rows", "int", low=20, high=500),
    Parameter("column_share", "double", low=0.2, high=1.0),
    Parameter("row_share", "double", low=0.2, high=1.0),
)
"""What can be tuned of it, and between which borders."""
UNTUNED: Final[Mapping[str, str]] = {
    "learning_rate": "0.1",
    "leaves": "255",
    "leaf_rows": "100",
    "column_share": "0.5",
    "row_share": "0.5",
}
"""What each parameter is where the model is not tuned."""
MEANINGS: Final[Mapping[str, str]] = {
    "learning_rate": "Share of each tree's answer that is added.",
    "leaves": "Leaves of a tree at most.",
    "leaf_rows": "Rows (steps of windows) in a leaf at least.",
    "column_share": "Share of the columns that each tree may look at, drawn by the seed.",
    "row_share": "Share of the rows that each tree is grown on, drawn by the seed.",
}


@dataclass(frozen=True)
class TreesSettings:
    """How trees are grown.

    Attributes:
        learning_rate: Share of each tree's answer that is added, in (0, 1].
        leaves: Leaves of a tree at most, at least 2.
        leaf_rows: Rows in a leaf at least, at least 1.
        column_share: Share of the columns that each tree may look at, in (0, 1].
        row_share: Share of the rows that each tree is grown on, in (0, 1].

    Raises:
        InputError: A value lies outside.
    """

    learning_rate: float = 0.1
    leaves: int = 255
    leaf_rows: int = 100
    column_share: float = 0.5
    row_share: float = 0.5

    def __post_init__(self) -> None:
        for name in ("learning_rate", "column_share", "row_share"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"{name} must lie in (0, 1], got {getattr(self, name)}")
        if self.leaves < 2:
            raise InputError(f"leaves must be at least 2, got {self.leaves}")
        if self.leaf_rows < 1:
            raise InputError(f"leaf_rows must be at least 1, got {self.leaf_rows}")

    @classmethod
    def of(cls, assignment: Mapping[str, Any]) -> "TreesSettings":
        """Read what a trial is given, as texts or values.

        Raises:
            InputError: A name is unknown or a value cannot be used.
        """
        kinds: dict[str, Any] = {name: type(value) for name, value in asdict(cls()).items()}
        if unknown := assignment.keys() - kinds:
            raise InputError(f"'{min(unknown)}' is no parameter of the trees; there is {', '.join(kinds)}.")
        try:
            values: dict[str, Any] = {name: kinds[name](value) for name, value in assignment.items()}
        except ValueError as error:
            raise InputError(f"a value of {dict(assignment)} is no number: {error}.") from error
        return cls(**values)


@dataclass(frozen=True, eq=False)
class Trees:
    """Fitted trees.

    Attributes:
        final: The trees fitted on all windows, in LightGBM's text form: what new forecasts are made with.
        trained: Those fitted on the training interval alone: what validation and test are scored with.
        layout: The columns of their rows.
        settings: What they were grown with.

    A value that is missing among the inputs has a way of its own in every tree: where a column is NaN, a row takes
    the branch that lowered the training loss for such rows.
    """

    final: str
    trained: str
    layout: Layout
    settings: TreesSettings
    name: str = "trees"

    @property
    def input_size(self) -> int:
        """L, the points of an input; what lies before it is looked at as well, where it is known."""
        return self.layout.input_size

    @property
    def horizon(self) -> int:
        """H, the points of a forecast."""
        return self.layout.horizon

    @cached_property
    def _booster(self) -> Any:
        return booster_of(self.final)

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from the inputs of n windows, in scaled units."""
        check_inputs(inputs, self.input_size)
        forecasts = np.empty((len(inputs.values), self.horizon))
        for few, history in inputs.histories(self.layout.depth, at_once=WINDOWS_AT_ONCE):
            forecasts[few] = answered(self._booster, self.layout.rows(history, inputs.cutoffs[few]))
        return forecasts

    def for_evaluation(self) -> "Trees":
        """Give the model as it stood after the training interval, to be scored on what came later."""
        return Trees(self.trained, self.trained, self.layout, self.settings, self.name)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`: `model.json` and the trees as LightGBM's text."""
        content = {"layout": asdict(self.layout), "settings": asdict(self.settings)}
        sizes = {"input_size": self.input_size, "horizon": self.horizon}
        write_model(folder, {"kind": self.name, **sizes, **content}, {})
        for file, trees in ((FINAL, self.final), (TRAINED, self.trained)):
            (folder / file).write_text(trees, encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, folder: Path, content: Mapping[str, Any]) -> "Trees":
        """Read what `save` wrote.

        Raises:
            SparkhuError: A file of the trees is missing or cut off.
        """
        final, trained = (_read(folder / file) for file in (FINAL, TRAINED))
        return cls(final, trained, Layout(**content["layout"]), TreesSettings.of(content["settings"]))


def _read(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SparkhuError(f"the trees in '{file}' cannot be read: {error}. Train the model again.") from error
    if "\nend of trees\n" not in text:
        raise SparkhuError(f"the trees in '{file}' are cut off. Train the model again.")
    return text


def booster_of(trees: str) -> Any:
    """Read trees from LightGBM's text form.

    Raises:
        SparkhuError: LightGBM is not installed.
    """
    return lightgbm().Booster(model_str=trees)


def answered(booster: Any, rows: Rows) -> Floats:
    """Give what trees forecast for rows, (n, H) in scaled units; one thread, as rows are few."""
    return rows.forecasts(booster.predict(rows.table, num_threads=1))


def lightgbm() -> Any:
    """Import LightGBM.

    Raises:
        SparkhuError: It is not installed; the message says how it is.
    """
    try:
        import lightgbm as library
    except ImportError as error:
        raise SparkhuError("trees need LightGBM: pip install 'sparkhu[models]'") from error
    return library
