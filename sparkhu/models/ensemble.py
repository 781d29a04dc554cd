"""The ensemble: a mean of other forecasters, weighted for each series.

Source: J. M. Bates and C. W. J. Granger, "The Combination of Forecasts", Operational Research Quarterly 20 (1969). How
the weights are found: `sparkhu.training.weights`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import SparkhuError
from sparkhu.models.base import Floats, Forecaster, Inputs, check_inputs
from sparkhu.models.storage import write_model

MEMBERS = "members"
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Fitted members and their weights.

    Attributes:
        members: The forecasters by name; at least one, of one L and H.
        weights: (members,), not negative, summing to 1: those of a series that has none of its own.
        series: The series that have weights of their own, (s,).
        series_weights: (s, members), each row not negative and summing to 1.

    A member whose forecast of a window is not finite is left out there; the weights of the others are raised to sum
    to 1, or are equal where all of theirs are 0. Where no member has a forecast, it is NaN.

    Raises:
        SparkhuError: The weights do not belong to the members.
    """

    members: Mapping[str, Forecaster]
    weights: Floats
    series: tuple[str, ...]
    series_weights: Floats
    name: str = "ensemble"

    def __post_init__(self) -> None:
        count = len(self.members)
        wanted = {"weights": (count,), "series_weights": (len(self.series), count)}
        for what, shape in wanted.items():
            got = getattr(self, what).shape
            if not count or got != shape:
                raise SparkhuError(f"{what} must have the shape {shape}, got {got}. Train the model again.")

    @property
    def _first(self) -> Forecaster:
        return next(iter(self.members.values()))

    @property
    def input_size(self) -> int:
        """L, the points of an input."""
        return self._first.input_size

    @property
    def horizon(self) -> int:
        """H, the points of a forecast."""
        return self._first.horizon

    def weights_of(self, series: pl.Series) -> Floats:
        """Give the weights of windows by their series, (n, members)."""
        rows = {name: row for row, name in enumerate(self.series)}
        every = np.vstack([self.series_weights, self.weights])
        return every[[rows.get(name, len(rows)) for name in series]]

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from the inputs of n windows, in scaled units."""
        check_inputs(inputs, self.input_size)
        forecasts = np.stack([member.predict(inputs) for member in self.members.values()], axis=1)
        return weighted(forecasts, self.weights_of(inputs.series))

    def for_evaluation(self) -> "Ensemble":
        """Give the ensemble of the members as they stood after the training interval."""
        return replace(self, members={name: member.for_evaluation() for name, member in self.members.items()})

    def save(self, folder: Path) -> None:
        """Write the weights into `folder`, each member into a folder of its own in `members`."""
        sizes = {"input_size": self.input_size, "horizon": self.horizon}
        content = {"kind": self.name, **sizes, "members": list(self.members), "series": list(self.series)}
        write_model(folder, content, {"weights": self.weights, "series_weights": self.series_weights})
        for name, member in self.members.items():
            member.save(folder / MEMBERS / name)

    @classmethod
    def load(
        cls,
        folder: Path,
        content: Mapping[str, Any],
        arrays: Mapping[str, Floats],
        open_model: Callable[[Path], Forecaster],
    ) -> "Ensemble":
        """Read what `save` wrote.

        Raises:
            SparkhuError: A member is damaged or has a name that is no folder of its own.
        """
        names = content["members"]
        if strange := [name for name in names if not name.replace("_", "").isalnum()]:
            raise SparkhuError(f"'{strange[0]}' names no member of the ensemble in '{folder}'. Train the model again.")
        members = {name: open_model(folder / MEMBERS / name) for name in names}
        return cls(members, arrays["weights"], tuple(content["series"]), arrays["series_weights"])


def weighted(forecasts: Floats, weights: Floats) -> Floats:
    """Average forecasts.

    Args:
        forecasts: (n, members, H); one with a value that is not finite is left out.
        weights: (n, members), each row not negative and summing to 1.

    Returns:
        (n, H); NaN where no member is left.
    """
    able: Marks = np.all(np.isfinite(forecasts), axis=2)
    left = np.where(able, weights, 0.0)
    left = np.where(left.sum(axis=1, keepdims=True) > 0, left, able)
    total = left.sum(axis=1, keepdims=True)
    shares = np.divide(left, total, out=np.full(left.shape, np.nan), where=total > 0)
    given = np.where(able[:, :, None], forecasts, 0.0)
    mean: Floats = (shares[:, :, None] * given).sum(axis=1)
    return mean
