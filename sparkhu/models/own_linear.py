"""Linear maps of each series' own, drawn towards the map of all series of the group.

Source: A. E. Hoerl and R. W. Kennard, "Ridge Regression", Technometrics 12 (1970), with the weights of all series in
the place of zero; the last value is taken off as in A. Zeng et al., AAAI 2023 (NLinear). Fitted by
`sparkhu.training.own_linear`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Floats, Inputs, check_inputs
from sparkhu.models.storage import write_model
from sparkhu.tuning.space import Parameter, Space

Weights = npt.NDArray[np.float32]
WINDOWS_AT_ONCE = 256
"""Windows that are forecast at a time, as each takes its series' weights along."""

SPACE: Final[Space] = (Parameter("strength", "double", low=1e-3, high=1e3, distribution="logUniform"),)
"""What can be tuned of it, and between which borders."""
UNTUNED: Final[Mapping[str, str]] = {"strength": "chosen from 13 on the same windows"}
"""What each parameter is where the model is not tuned."""
MEANINGS: Final[Mapping[str, str]] = {
    "strength": "How strongly a series' weights are drawn to those of all, in shares of its inputs' mean square."
}


@dataclass(frozen=True, eq=False)
class OwnLinear:
    """Fitted maps.

    Attributes:
        weights: (1 + series, L, H): first those of all series together, then of each in `series`.
        evaluation_weights: The same, fitted on the training interval alone.
        series: The series that have weights of their own.
        strength: How strongly these were drawn towards the first.

    Raises:
        SparkhuError: The arrays do not fit together.
    """

    weights: Weights
    evaluation_weights: Weights
    series: tuple[str, ...]
    strength: float
    name: str = "own_linear"

    def __post_init__(self) -> None:
        wanted = (1 + len(self.series), *self.weights.shape[1:])
        for what in ("weights", "evaluation_weights"):
            got = getattr(self, what).shape
            if got != wanted or len(got) != 3:
                raise SparkhuError(f"{what} must have the shape {wanted}, got {got}. Train the model again.")

    @property
    def input_size(self) -> int:
        """L, the points of an input."""
        return int(self.weights.shape[1])

    @property
    def horizon(self) -> int:
        """H, the points of a forecast."""
        return int(self.weights.shape[2])

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from the inputs of n windows, each one's to the bit as if it stood alone.

        A series without weights of its own has those of all. A window with a missing value has a forecast of NaN.
        """
        values = check_inputs(inputs, self.input_size)
        places = {name: place for place, name in enumerate(self.series, start=1)}
        codes = np.array([places.get(name, 0) for name in inputs.series], dtype=np.int64)
        forecasts = np.empty((len(values), self.horizon))
        for low in range(0, len(values), WINDOWS_AT_ONCE):
            few = slice(low, low + WINDOWS_AT_ONCE)
            last = values[few, -1:]
            off = (values[few] - last)[:, None, :]
            forecasts[few] = np.matmul(off, self.weights[codes[few]].astype(np.float64))[:, 0] + last
        return forecasts

    def for_evaluation(self) -> "OwnLinear":
        """Give the model as it stood after the training interval, to be scored on what came later."""
        return OwnLinear(self.evaluation_weights, self.evaluation_weights, self.series, self.strength)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`."""
        sizes = {"input_size": self.input_size, "horizon": self.horizon}
        content = {"kind": self.name, **sizes, "series": list(self.series), "strength": self.strength}
        arrays: dict[str, Any] = {"weights": self.weights, "evaluation_weights": self.evaluation_weights}
        write_model(folder, content, arrays)


def strength_of(assignment: Mapping[str, Any]) -> float | None:
    """Read the strength that is given as a text or a number; None where none is.

    Raises:
        InputError: Another parameter is named, or the strength is no positive number.
    """
    if unknown := assignment.keys() - {"strength"}:
        raise InputError(f"'{min(unknown)}' is no parameter of the own linear maps; there is strength.")
    if "strength" not in assignment:
        return None
    try:
        strength = float(assignment["strength"])
    except (TypeError, ValueError) as error:
        raise InputError(f"strength must be a number, got '{assignment['strength']}'") from error
    if not 0 < strength < float("inf"):
        raise InputError(f"strength must be positive, got {strength}")
    return strength
