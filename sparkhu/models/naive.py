"""Forecasters that learn nothing: the yardsticks of every evaluation, and the fallback of every forecast."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sparkhu.models.base import Floats, Inputs, check_inputs
from sparkhu.models.storage import write_model


@dataclass(frozen=True)
class LastValue:
    """Repeats the last value."""

    input_size: int
    horizon: int
    name: str = "last_value"

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from the inputs of n windows."""
        return np.repeat(check_inputs(inputs, self.input_size)[:, -1:], self.horizon, axis=1)

    def for_evaluation(self) -> "LastValue":
        """Give itself: it learns nothing."""
        return self

    def save(self, folder: Path) -> None:
        """Write the model into `folder`."""
        write_model(folder, {"kind": self.name, "input_size": self.input_size, "horizon": self.horizon}, {})


@dataclass(frozen=True)
class SeasonalNaive:
    """Repeats the last season; where the input is shorter than a season, or there is none, the last value.

    Example:
        >>> SeasonalNaive(input_size=3, horizon=3, season_length=2).repeated().tolist()
        [1, 2, 1]
    """

    input_size: int
    horizon: int
    season_length: int
    name: str = "seasonal_naive"

    @property
    def lag(self) -> int:
        """How many points back the forecast looks: the season, 1 where the input does not hold one."""
        return self.season_length if 1 <= self.season_length <= self.input_size else 1

    def repeated(self) -> npt.NDArray[np.int64]:
        """Give the point of the input that each step of the forecast repeats, (H,)."""
        return self.input_size - self.lag + np.arange(self.horizon, dtype=np.int64) % self.lag

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from the inputs of n windows."""
        return check_inputs(inputs, self.input_size)[:, self.repeated()]

    def for_evaluation(self) -> "SeasonalNaive":
        """Give itself: it learns nothing."""
        return self

    def save(self, folder: Path) -> None:
        """Write the model into `folder`."""
        sizes = {"input_size": self.input_size, "horizon": self.horizon, "season_length": self.season_length}
        write_model(folder, {"kind": self.name, **sizes}, {})
