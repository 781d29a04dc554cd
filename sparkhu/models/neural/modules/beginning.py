"""Maps that give 0 before they are trained."""

import torch
from torch import nn


def begun_at_zero(layer: nn.Linear, first: int = 0) -> nn.Linear:
    """Let a map begin at 0, from its output `first` on."""
    with torch.no_grad():
        layer.weight[first:] = 0
        layer.bias[first:] = 0
    return layer
