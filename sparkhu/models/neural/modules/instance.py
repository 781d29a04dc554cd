"""What a module sees of a window, the linear map beside it, and the forecast brought back."""

import torch
from torch import Tensor, nn

from sparkhu.models.neural.modules.beginning import begun_at_zero

SMALLEST_SCALE = 1e-5


class Instance(nn.Module):
    """A module that sees each window on a scale of its own, and adds to a linear map of what it sees.

    The map begins at 0, and the forecasts of the modules here do as well: so a training begins at the last value (or
    the mean), and what is linear needs no layers to be learnt by.

    Source: `mean`: T. Kim et al., "Reversible Instance Normalization", ICLR 2022, without its affine map; `last`, and
    the map: A. Zeng et al., AAAI 2023 (NLinear).

    Args:
        inner: (B, L) to (B, H), on the window's own scale.
        centre: `last` subtracts the newest value; `mean` subtracts the mean and divides by the standard deviation.
        input_size: L.
        horizon: H.
    """

    def __init__(self, inner: nn.Module, centre: str, input_size: int, horizon: int) -> None:
        super().__init__()
        self.inner = inner
        self.centre = centre
        self.linear = begun_at_zero(nn.Linear(input_size, horizon))

    def forward(self, x: Tensor) -> Tensor:
        """Forecast (B, H) from (B, L)."""
        if self.centre == "last":
            last = x[:, -1:]
            return self._added(x - last) + last
        mean = x.mean(dim=1, keepdim=True)
        scale = torch.sqrt(x.var(dim=1, keepdim=True, unbiased=False) + SMALLEST_SCALE)
        return self._added((x - mean) / scale) * scale + mean

    def _added(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.inner(x)
