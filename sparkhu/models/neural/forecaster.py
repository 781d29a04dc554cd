"""A fitted neural model: the weights of a module, and the same weights as they stood after the training interval."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from sparkhu.errors import SparkhuError
from sparkhu.models.base import Floats, Inputs, check_inputs
from sparkhu.models.neural.architectures import ARCHITECTURES, CENTRES
from sparkhu.models.neural.running import ONE_BY_ONE, reproducible, require_torch
from sparkhu.models.storage import write_model

if TYPE_CHECKING:
    from torch import nn

Weights = Mapping[str, npt.NDArray[np.float32]]
"""The parameters of a module by their names, float32."""

BATCH: Final = 1024
TOLERANCE: Final = 1e-5
"""By how much the forecast of a window may depend on those beside it, in scaled units and times its largest input."""
FINAL, EVALUATION = "final.", "evaluation."


@dataclass(frozen=True, eq=False)
class Design:
    """What a module is made of.

    Attributes:
        name: Of the architecture.
        input_size: L.
        horizon: H.
        centre: What is taken off each window (`sparkhu.models.neural.modules.instance`).
        shape: The arguments of the module.
    """

    name: str
    input_size: int
    horizon: int
    centre: str
    shape: Mapping[str, Any]

    def module(self) -> "nn.Module":
        """Make the module (B, L) to (B, H), its weights drawn from torch's own random numbers.

        Raises:
            InputError: torch is not installed.
            SparkhuError: The design is none of an architecture.
        """
        require_torch(self.name)
        from sparkhu.models.neural.modules.instance import Instance

        if self.name not in ARCHITECTURES or self.centre not in CENTRES:
            raise SparkhuError(f"there is no neural model '{self.name}' that takes '{self.centre}' off its windows.")
        inner = ARCHITECTURES[self.name].module(self.input_size, self.horizon, dict(self.shape))
        return Instance(inner, self.centre, self.input_size, self.horizon)


@dataclass(frozen=True, eq=False)
class Neural:
    """A neural forecaster.

    Attributes:
        design: What its module is made of.
        weights: Fitted on all windows: what new forecasts are made with.
        evaluation_weights: Fitted on the training interval alone: what validation and test are scored with.
        learning_rate: What it was trained at; an update goes on at a share of it.
    """

    design: Design
    weights: Weights
    evaluation_weights: Weights
    learning_rate: float

    @property
    def name(self) -> str:
        """Its name in forecasts and metrics."""
        return self.design.name

    @property
    def input_size(self) -> int:
        """L, the points of an input."""
        return self.design.input_size

    @property
    def horizon(self) -> int:
        """H, the points of a forecast."""
        return self.design.horizon

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from the inputs of n windows, `BATCH` at a time, in single precision.

        The forecast of a window depends on those beside it by no more than `TOLERANCE`: products of matrices are summed
        in another order for another number of rows. A missing value in an input makes its forecast missing.

        Raises:
            InputError: The inputs have another shape, or torch is not installed.
        """
        require_torch(self.name)
        import torch

        values = check_inputs(inputs, self.input_size)
        forecast = np.empty((len(values), self.horizon))
        with ONE_BY_ONE, reproducible(), torch.inference_mode():
            for low in range(0, len(values), BATCH):
                part = torch.from_numpy(values[low : low + BATCH].astype(np.float32))
                forecast[low : low + BATCH] = self._module(part).numpy()
        return forecast

    def for_evaluation(self) -> "Neural":
        """Give the model as it stood after the training interval, to be scored on what came later."""
        return replace(self, weights=self.evaluation_weights)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`."""
        design = self.design
        sizes = {"input_size": self.input_size, "horizon": self.horizon}
        arrays = {FINAL + name: array for name, array in self.weights.items()}
        arrays |= {EVALUATION + name: array for name, array in self.evaluation_weights.items()}
        content = {"kind": self.name, **sizes, "centre": design.centre, "shape": dict(design.shape)}
        content["learning_rate"] = self.learning_rate
        write_model(folder, content, arrays)

    @cached_property
    def _module(self) -> "nn.Module":
        import torch

        with torch.random.fork_rng():
            module = self.design.module()
        set_weights(module, self.weights)
        return module.eval()


def load_neural(content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Neural:
    """Make a neural forecaster of what `Neural.save` wrote."""
    design = Design(
        content["kind"], content["input_size"], content["horizon"], content["centre"], dict(content["shape"])
    )
    final, evaluation = (
        {name.removeprefix(part): array for name, array in arrays.items() if name.startswith(part)}
        for part in (FINAL, EVALUATION)
    )
    if not final or final.keys() != evaluation.keys():
        raise KeyError("weights")
    return Neural(design, final, evaluation, content["learning_rate"])


def weights_of(module: "nn.Module") -> dict[str, npt.NDArray[np.float32]]:
    """Copy the parameters of a module out of it."""
    return {name: value.detach().cpu().numpy().copy() for name, value in module.named_parameters()}


def set_weights(module: "nn.Module", weights: Weights) -> None:
    """Copy parameters into a module, made of the same design.

    Raises:
        SparkhuError: They are of another design.
    """
    import torch

    own = dict(module.named_parameters())
    shapes = {name: tuple(value.shape) for name, value in own.items()}
    if shapes != {name: array.shape for name, array in weights.items()}:
        raise SparkhuError("the weights are those of another design of the model. Train it again.")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(torch.tensor(weights[name]))
