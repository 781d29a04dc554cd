"""The linear forecaster: one global map per group from the input, less its last value, to the horizon.

Source: A. Zeng et al., "Are Transformers Effective for Time Series Forecasting?", AAAI 2023 (NLinear: subtract the
last value of the input, map linearly, add it back); here fitted in closed form by ridge regression.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Floats, Inputs, check_inputs
from sparkhu.models.storage import write_model
from sparkhu.tuning.space import Parameter, Space

Prior = Literal["last_value", "seasonal_naive"]
"""The forecast that shrinking the weights leads to."""

SPACE: Final[Space] = (
    Parameter("strength", "double", low=1e-6, high=1e3, distribution="logUniform"),
    Parameter("look_back", "discrete", choices=("0.25", "0.5", "0.75", "1")),
    Parameter("shrink_to", "categorical", choices=get_args(Prior)),
)
"""What can be tuned of it, and between which borders."""
UNTUNED: Final[Mapping[str, str]] = {
    "strength": "chosen from 37 on the same windows",
    "look_back": "1",
    "shrink_to": "last_value",
}
"""What each parameter is where the model is not tuned."""
MEANINGS: Final[Mapping[str, str]] = {
    "strength": "Ridge strength, in shares of the mean variance of the inputs.",
    "look_back": "Share of the input that is looked at, its newest points.",
    "shrink_to": "The forecast that the ridge pulls towards.",
}


@dataclass(frozen=True)
class LinearSettings:
    """How a linear map is fitted.

    Attributes:
        strength: The ridge strength, in shares of the mean variance of the inputs; None: chosen on validation windows.
        look_back: Share of the input that is looked at, its newest points, in (0, 1].
        shrink_to: The forecast that the ridge pulls towards.

    Raises:
        InputError: A value lies outside.
    """

    strength: float | None = None
    look_back: float = 1.0
    shrink_to: Prior = "last_value"

    def __post_init__(self) -> None:
        if self.strength is not None and not 0 < self.strength < float("inf"):
            raise InputError(f"strength must be positive, got {self.strength}")
        if not 0 < self.look_back <= 1:
            raise InputError(f"look_back must lie in (0, 1], got {self.look_back}")
        if self.shrink_to not in get_args(Prior):
            raise InputError(f"shrink_to must be one of {', '.join(get_args(Prior))}, got '{self.shrink_to}'")

    @classmethod
    def of(cls, assignment: Mapping[str, str]) -> "LinearSettings":
        """Read what a trial is given, as texts.

        Raises:
            InputError: A name is unknown or a value cannot be used.
        """
        known = {parameter.name: parameter for parameter in SPACE}
        if unknown := assignment.keys() - known:
            raise InputError(f"'{min(unknown)}' is no parameter of the linear model; there is {', '.join(known)}.")
        try:
            values = {name: known[name].value(text) for name, text in assignment.items()}
        except ValueError as error:
            raise InputError(f"a value of {dict(assignment)} is no number: {error}.") from error
        return cls(**values)  # type: ignore[arg-type]  # each parameter reads its own type

    def assignment(self) -> dict[str, str]:
        """Give the settings as a trial is given them; without the strength where it is chosen on validation."""
        texts = {"look_back": f"{self.look_back:g}", "shrink_to": self.shrink_to}
        return texts if self.strength is None else {"strength": repr(self.strength), **texts}


@dataclass(frozen=True, eq=False)
class Linear:
    """A fitted linear map.

    Attributes:
        weights: (L, H).
        intercept: (H,).
        evaluation_weights: (L, H), fitted on the training interval alone: what validation and test are scored with.
        evaluation_intercept: (H,).
        settings: What it was fitted with, its strength chosen.
        sums: (L + 1 + H, L + 1 + H), the Gram matrix of all windows that the final weights were fitted on
            (`sparkhu.training.gram`): with it the model takes in new windows without the old ones. None: it cannot.

    `weights` and `intercept` are fitted on all windows at the same strength: what new forecasts are made with.
    """

    weights: Floats
    intercept: Floats
    evaluation_weights: Floats
    evaluation_intercept: Floats
    settings: LinearSettings
    sums: Floats | None = None
    name: str = "linear"

    def __post_init__(self) -> None:
        size, horizon = self.weights.shape
        whole = (size + 1 + horizon,) * 2
        for what, got, wanted in (
            ("intercept", self.intercept.shape, (horizon,)),
            ("evaluation_weights", self.evaluation_weights.shape, (size, horizon)),
            ("evaluation_intercept", self.evaluation_intercept.shape, (horizon,)),
            ("sums", whole if self.sums is None else self.sums.shape, whole),
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

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from the inputs of n windows; each one's to the bit as if it stood alone.

        A product of two matrices is summed in another order for another number of rows, one a row is not.
        """
        values = check_inputs(inputs, self.input_size)
        last = values[:, -1:]
        forecast: Floats = np.matmul((values - last)[:, None, :], self.weights)[:, 0] + self.intercept + last
        return forecast

    def for_evaluation(self) -> "Linear":
        """Give the model as it stood after the training interval, to be scored on what came later."""
        weights, intercept = self.evaluation_weights, self.evaluation_intercept
        return Linear(weights, intercept, weights, intercept, self.settings)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`."""
        names = ("weights", "intercept", "evaluation_weights", "evaluation_intercept", "sums")
        arrays = {name: array for name in names if (array := getattr(self, name)) is not None}
        sizes = {"input_size": self.input_size, "horizon": self.horizon}
        write_model(folder, {"kind": self.name, **sizes, "settings": self.settings.assignment()}, arrays)
