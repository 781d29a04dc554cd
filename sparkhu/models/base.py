"""What a forecaster is: it turns scaled inputs (n, L) of one group of series into scaled forecasts (n, H)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sparkhu.errors import InputError

Floats = npt.NDArray[np.float64]


class Forecaster(Protocol):
    """A fitted model of one group of series (one period, one season, one L and H)."""

    @property
    def name(self) -> str:
        """Its name in forecasts and metrics."""

    @property
    def input_size(self) -> int:
        """L, the points that it looks at."""

    @property
    def horizon(self) -> int:
        """H, the points that it forecasts."""

    def predict(self, inputs: Floats) -> Floats:
        """Forecast (n, H) from inputs (n, L), in scaled units; the last column of the input is the newest point."""

    def save(self, folder: Path) -> None:
        """Write the model into `folder` as JSON and safetensors."""


Models = Mapping[str, Mapping[str, Forecaster]]
"""Fitted models: by name, then by group."""


def check_inputs(inputs: Floats, input_size: int) -> None:
    """Check that inputs are (n, input_size).

    Raises:
        InputError: They have another shape.
    """
    if inputs.ndim != 2 or inputs.shape[1] != input_size:
        raise InputError(f"inputs must have the shape (windows, {input_size}), got {inputs.shape}")
