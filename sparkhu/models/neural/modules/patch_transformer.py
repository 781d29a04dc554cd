"""A transformer over patches of one series.

Source: Y. Nie et al., "A Time Series is Worth 64 Words: Long-term Forecasting with Transformers" (PatchTST), ICLR 2023;
here with normalisation by layer, which needs nothing of the other windows of a batch, before each part.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparkhu.models.neural.modules.beginning import begun_at_zero


class PatchTransformer(nn.Module):
    """Patches that attend to each other, then one linear map from all of them to the horizon.

    Args:
        input_size: L.
        horizon: H.
        patch: Points of a patch.
        stride: Points between the beginnings of two patches.
        width: Numbers that a patch is made of, a multiple of `heads`.
        heads: Heads of the attention.
        layers: Layers of the encoder.
        dropout: Share of the units that is left out while training.
    """

    def __init__(
        self,
        input_size: int,
        horizon: int,
        *,
        patch: int,
        stride: int,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.patch, self.stride = patch, stride
        self.lacking = max(patch - input_size, 0) or -(input_size - patch) % stride
        count = (input_size + self.lacking - patch) // stride + 1
        self.embed = nn.Linear(patch, width)
        self.places = nn.Parameter(0.02 * torch.randn(count, width))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(_Layer(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = begun_at_zero(nn.Linear(count * width, horizon))

    def forward(self, x: Tensor) -> Tensor:
        """Forecast (B, H) from (B, L)."""
        patches = functional.pad(x.unsqueeze(1), (self.lacking, 0), mode="replicate").squeeze(1)
        patches = patches.unfold(1, self.patch, self.stride)
        z = self.dropout(self.embed(patches) + self.places)
        for layer in self.layers:
            z = layer(z)
        return self.head(self.norm(z).flatten(1))


class _Layer(nn.Module):
    """Attention, then a small network at each patch; both are added to what they are given."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.network = nn.Sequential(
            *(nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, z: Tensor) -> Tensor:
        asked = self.ask(self.before(z)).unflatten(2, (3, self.heads, -1))
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(
            query, key, value, dropout_p=self.rate if self.training else 0.0
        )
        z = z + self.dropout(self.merge(found.transpose(1, 2).flatten(2)))
        return z + self.dropout(self.network(self.between(z)))
