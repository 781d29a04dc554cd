"""The linear forecaster: one global map per group from the input, less its last value, to the horizon.

Source: A. Zeng et al., "Are Transformers Effective for Time Series Forecasting?", AAAI 2023 (NLinear: subtract the
last value of the input, map linearly, add it back); here fitted in closed form by ridge regression.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sparkhu.errors import SparkhuError
from sparkhu.models.base import Floats, check_inputs
from sparkhu.models.storage import write_model


@dataclass(frozen=True, eq=False)
class Linear:
    """A fitted linear map.

    Attributes:
        weights: (L, H).
        intercept: (H,).
        evaluation_weights: (L, H), fitted on the training interval alone: what validation and test are scored with.
        evaluation_intercept: (H,).
        strength: The ridge strength chosen, in shares of the mean variance of the inputs.

    `weights` and `intercept` are fitted on all windows at the same strength: what new forecasts are made with.
    """

    weights: Floats
    intercept: Floats
    evaluation_weights: Floats
    evaluation_intercept: Floats
    strength: float
    name: str = "linear"

    def __post_init__(self) -> None:
        size, horizon = self.weights.shape
        for what, got, wanted in (
            ("intercept", self.intercept.shape, (horizon,)),
            ("evaluation_weights", self.evaluation_weights.shape, (size, horizon)),
            ("evaluation_intercept", self.evaluation_intercept.shape, (horizon,)),
        ):
            if got != wanted:
                raise SparkhuError(f"{what} must have the shape {wanted}, got {got}. Train the model again.")

    @property
    def input_size(self) -> int:
        """L, the points of an input."""
        return int(self.weights.shape[0])

    @property
    def horizon(self) -> int:
        """H, the points of a forecast."""
        return int(self.weights.shape[1])

    def predict(self, inputs: Floats) -> Floats:
        """Forecast (n, H) from inputs (n, L); each row's to the bit as if it stood alone.

        A product of two matrices is summed in another order for another number of rows, one a row is not.
        """
        check_inputs(inputs, self.input_size)
        last = inputs[:, -1:]
        forecast: Floats = np.matmul((inputs - last)[:, None, :], self.weights)[:, 0] + self.intercept + last
        return forecast

    def for_evaluation(self) -> "Linear":
        """Give the model as it stood after the training interval, to be scored on what came later."""
        weights, intercept = self.evaluation_weights, self.evaluation_intercept
        return Linear(weights, intercept, weights, intercept, self.strength)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`."""
        arrays = {
            name: getattr(self, name) for name in ("weights", "intercept", "evaluation_weights", "evaluation_intercept")
        }
        sizes = {"input_size": self.input_size, "horizon": self.horizon}
        write_model(folder, {"kind": self.name, **sizes, "strength": self.strength}, arrays)
