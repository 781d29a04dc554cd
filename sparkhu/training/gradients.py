"""Loss and gradient of a module over the windows of one rank."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparkhu.training.batches import pieces
from sparkhu.training.plan import Plan
from sparkhu.training.window_sets import WindowSet

if TYPE_CHECKING:
    from torch import Tensor, nn


class Gradients:
    """A module whose parameters are one vector.

    Args:
        module: (B, L) to (B, H).
        flat: Its parameters, one behind the other; what changes in it changes in the module.
        plan: The loss, and how many windows are looked at at once.

    A GPU multiplies in bfloat16 (mixed precision), a CPU in single precision.
    """

    def __init__(self, module: "nn.Module", flat: "Tensor", plan: Plan) -> None:
        self._module = module.to(flat.device)
        self._plan = plan
        self._device = flat.device
        self.with_flat(flat)

    def with_flat(self, flat: "Tensor") -> "nn.Module":
        """Make a vector the parameters of the module."""
        from torch.nn.utils import vector_to_parameters

        vector_to_parameters(flat, self._module.parameters())
        return self._module

    def of(self, windows: WindowSet, which: npt.NDArray[np.int64]) -> "Tensor":
        """Sum the gradient over some windows, with the summed loss and the number of known values behind it.

        Returns:
            (parameters + 2,), to be added over ranks and divided by `mean`. The number counts thousands, so that
            single precision holds it.
        """
        import torch

        self._module.train()
        self._module.zero_grad(set_to_none=True)
        loss, known = 0.0, 0
        for x, y, there in pieces(windows, which, self._plan.micro_batch):
            summed = self._error(x, y, there)
            summed.backward()
            loss += float(summed.detach())
            known += int(there.sum())
        empty = [torch.zeros_like(each) if each.grad is None else each.grad for each in self._module.parameters()]
        counts = torch.tensor([loss, known / 1000], dtype=torch.float32, device=self._device)
        return torch.cat([*(each.reshape(-1) for each in empty), counts])

    def mean(self, summed: "Tensor") -> tuple[float, "Tensor"]:
        """Divide sums over all ranks: the loss per known value, and its gradient, shortened to `clip` at most.

        The length is taken in double precision: in single, that of a gradient of 1e20 is infinite, and the gradient
        shortened by it would be 0. A gradient that is not finite is given as it is.
        """
        loss, known = float(summed[-2]), max(1000 * float(summed[-1]), 1.0)
        gradient = summed[:-2].double() / known
        norm = float(gradient.norm())
        if self._plan.clip < norm < float("inf"):
            gradient *= self._plan.clip / norm
        return loss / known, gradient.float()

    def errors(self, windows: WindowSet) -> npt.NDArray[np.float64]:
        """Sum the loss over the known values of some windows, and count these: (2,)."""
        import torch

        self._module.eval()
        sums = np.zeros(2)
        with torch.inference_mode():
            for x, y, there in pieces(windows, None, self._plan.micro_batch):
                sums += float(self._error(x, y, there)), there.sum()
        return sums

    def _error(self, x: Any, y: Any, there: Any) -> "Tensor":
        """Sum the errors over the known values."""
        import torch

        given, wanted, known = (torch.from_numpy(each).to(self._device) for each in (x, y, there))
        with self._precision():
            forecast = self._module(given)
        error = (forecast.float() - wanted) * known
        return (error.square() if self._plan.loss == "mse" else error.abs()).sum()

    def _precision(self) -> AbstractContextManager[Any]:
        import torch

        return torch.autocast("cuda", torch.bfloat16) if self._device.type == "cuda" else nullcontext()
