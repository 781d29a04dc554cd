"""What a forecaster is: it turns scaled inputs (n, L) of one group of series into scaled forecasts (n, H)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import InputError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Histories:
    """Histories of windows that can be read some at a time.

    Attributes:
        read: Reads the last points up to the newest of some windows, (n, points) in scaled units.
        windows: The windows, a row each.
    """

    read: Callable[[pl.DataFrame, int], Floats]
    windows: pl.DataFrame

    def __call__(self, points: int) -> Floats:
        """Read those of all windows, (n, points)."""
        return self.read(self.windows, points)

    def some(self, rows: slice, points: int) -> Floats:
        """Read those of some windows, (n, points)."""
        return self.read(self.windows[rows], points)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What forecasters are given: n windows of one group, each of one series.

    Attributes:
        values: (n, L) in scaled units; the last column is the newest point.
        series: The name of the series of each window, (n,).
        cutoffs: The instant of the newest point of each window, (n,).
        longer: Reads the last `points` points up to and including the newest of each window, (n, points) in scaled
            units; None where nothing is known but `values`. `Histories` are read no more at once than is asked for.
    """

    values: Floats
    series: pl.Series
    cutoffs: pl.Series
    longer: Callable[[int], Floats] | None = None

    def history(self, points: int) -> Floats:
        """Give the last `points` known points of each window's series: what lies before the window as well.

        Args:
            points: How many, at least 1.

        Returns:
            (n, points) in scaled units, the newest last; NaN in front where the series is shorter, or where no more
            than the window is known.
        """
        return self.longer(points) if self.longer is not None else newest(self.values, points)

    def histories(self, points: int, *, at_once: int) -> Iterator[tuple[slice, Floats]]:
        """Give what `history` gives, some windows at a time.

        Args:
            points: How many, at least 1.
            at_once: How many windows at most.

        Yields:
            Which windows, and the last points of each, (windows, points).
        """
        longer = self.longer
        every = np.empty((0, points)) if isinstance(longer, Histories) else self.history(points)
        for low in range(0, len(self.values), at_once):
            rows = slice(low, low + at_once)
            yield rows, longer.some(rows, points) if isinstance(longer, Histories) else every[rows]


def newest(values: Floats, points: int) -> Floats:
    """Give the last points of each row, (n, points); NaN in front where a row has fewer."""
    missing = np.full((len(values), max(points - values.shape[1], 0)), np.nan)
    return np.hstack([missing, values[:, -points:]])


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

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from the inputs of n windows, in scaled units; a window's as if it stood alone."""

    def for_evaluation(self) -> "Forecaster":
        """Give the model as it stood after the training interval, to be scored on what came later."""

    def save(self, folder: Path) -> None:
        """Write the model into `folder` as JSON and safetensors."""


Models = Mapping[str, Mapping[str, Forecaster]]
"""Fitted models: by name, then by group."""


def check_inputs(inputs: Inputs, input_size: int) -> Floats:
    """Give the values of inputs that are (n, input_size).

    Raises:
        InputError: They have another shape.
    """
    if inputs.values.ndim != 2 or inputs.values.shape[1] != input_size:
        raise InputError(f"inputs must have the shape (windows, {input_size}), got {inputs.values.shape}")
    return inputs.values
