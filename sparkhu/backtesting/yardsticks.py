"""Seasonal naive as a backtest takes it: the last season, however few points models look at."""

from dataclasses import dataclass

import numpy as np

from sparkhu.models.base import Floats, Inputs, check_inputs
from sparkhu.models.naive import SeasonalNaive


@dataclass(frozen=True)
class WholeSeason(SeasonalNaive):
    """Repeats the last season, also where it is longer than the input: its intervals are calibrated on what it says."""

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from what is known up to the newest point of n windows."""
        check_inputs(inputs, self.input_size)
        return repeated(inputs.history(max(self.season_length, 1)), self.horizon)


def repeated(history: Floats, horizon: int) -> Floats:
    """Repeat the last season of each row, (n, H); its last value where the season is not whole.

    Args:
        history: A season's points, (n, season); NaN in front where there are fewer.
        horizon: H.
    """
    season = history.shape[1]
    whole = ~np.isnan(history).any(axis=1, keepdims=True)
    return np.where(whole, history[:, SeasonalNaive(season, horizon, season).repeated()], history[:, -1:])
