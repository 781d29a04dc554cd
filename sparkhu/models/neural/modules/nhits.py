"""N-HiTS: stacks that look at the input pooled, and forecast at as few knots as their pooling leaves.

Source: C. Challu et al., "N-HiTS: Neural Hierarchical Interpolation for Time Series Forecasting", AAAI 2023.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparkhu.models.neural.modules.beginning import begun_at_zero


class Block(nn.Module):
    """One stack: what it explains of its input, and what it forecasts.

    Args:
        input_size: L.
        horizon: H.
        pool: Points that are pooled into one, by their maximum.
        knots: Points of the horizon that are forecast; the others lie on the lines between.
        width: Units of each of the two hidden layers.
        dropout: Share of the units that is left out while training.
    """

    def __init__(self, input_size: int, horizon: int, *, pool: int, knots: int, width: int, dropout: float) -> None:
        super().__init__()
        self.input_size, self.horizon = input_size, horizon
        self.pool = nn.MaxPool1d(pool, pool, ceil_mode=True)
        self.layers = nn.Sequential(
            *(nn.Linear(-(-input_size // pool), width), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout)),
            begun_at_zero(nn.Linear(width, input_size + knots), first=input_size),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give what is explained (B, L) and forecast (B, H) of (B, L)."""
        found = self.layers(self.pool(x.unsqueeze(1)).squeeze(1))
        explained, knots = found[:, : self.input_size], found[:, self.input_size :]
        forecast = functional.interpolate(knots.unsqueeze(1), size=self.horizon, mode="linear").squeeze(1)
        return explained, forecast


class NHITS(nn.Module):
    """Stacks from coarse to fine, each given what those before it did not explain.

    Args:
        input_size: L.
        horizon: H.
        pools: Pooling of each stack.
        knots: Knots of each stack.
        width: Units of each hidden layer.
        dropout: Share of the units that is left out while training.
    """

    def __init__(
        self,
        input_size: int,
        horizon: int,
        *,
        pools: Sequence[int],
        knots: Sequence[int],
        width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(input_size, horizon, pool=pool, knots=count, width=width, dropout=dropout)
            for pool, count in zip(pools, knots, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Forecast (B, H) from (B, L)."""
        forecasts = []
        for block in self.blocks:
            explained, forecast = block(x)
            x = x - explained
            forecasts.append(forecast)
        return torch.stack(forecasts).sum(dim=0)
