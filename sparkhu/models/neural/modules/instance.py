"""Instance normalisation: what a module sees of a window, and the forecast brought back."""

import torch
from torch import Tensor, nn

SMALLEST_SCALE = 1e-5


class Instance(nn.Module):
    """A module that sees each window on a scale of its own.

    Source: `mean`: T. Kim et al., "Reversible Instance Normalization", ICLR 2022, without its affine map; `last`:
    A. Zeng et al., AAAI 2023 (NLinear).

    Args:
        inner: (B, L) to (B, H), on the window's own scale.
        centre: `last` subtracts the newest value; `mean` subtracts the mean and divides by the standard deviation.
    """

    def __init__(self, inner: nn.Module, centre: str) -> None:
        super().__init__()
        self.inner = inner
        self.centre = centre

    def forward(self, x: Tensor) -> Tensor:
        """Forecast (B, H) from (B, L)."""
        if self.centre == "last":
            last = x[:, -1:]
            return self.inner(x - last) + last
        mean = x.mean(dim=1, keepdim=True)
        scale = torch.sqrt(x.var(dim=1, keepdim=True, unbiased=False) + SMALLEST_SCALE)
        return self.inner((x - mean) / scale) * scale + mean
