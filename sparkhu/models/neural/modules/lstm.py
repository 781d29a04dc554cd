"""An LSTM over segments of the input, that forecasts the segments of the horizon at once.

Source: S. Lin et al., "SegRNN: Segment Recurrent Neural Network for Long-Term Time Series Forecasting", 2023, with
the LSTM of S. Hochreiter and J. Schmidhuber, Neural Computation 9(8), 1997, as its cell.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparkhu.models.neural.modules.beginning import begun_at_zero


class SegmentLSTM(nn.Module):
    """Reads the input in segments, then steps once from its last state for each segment of the horizon.

    Args:
        input_size: L.
        horizon: H.
        segment: Points of a segment.
        width: Units of the LSTM.
        dropout: Share of the units that is left out before the last map, while training.
    """

    def __init__(self, input_size: int, horizon: int, *, segment: int, width: int, dropout: float) -> None:
        super().__init__()
        self.horizon, self.segment = horizon, segment
        self.lacking = -input_size % segment
        self.embed = nn.Linear(segment, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.places = nn.Parameter(0.02 * torch.randn(-(-horizon // segment), width))
        self.dropout = nn.Dropout(dropout)
        self.head = begun_at_zero(nn.Linear(width, segment))

    def forward(self, x: Tensor) -> Tensor:
        """Forecast (B, H) from (B, L)."""
        segments = functional.pad(x, (self.lacking, 0)).unflatten(1, (-1, self.segment))
        _, (hidden, cell) = self.lstm(torch.relu(self.embed(segments)))
        count = len(self.places)
        # Each segment of the horizon is a sequence of one step, from the same state.
        steps = self.places.repeat(len(x), 1).unsqueeze(1)
        state = hidden.repeat_interleave(count, dim=1), cell.repeat_interleave(count, dim=1)
        found, _ = self.lstm(steps, state)
        return self.head(self.dropout(found)).reshape(len(x), -1)[:, : self.horizon]
