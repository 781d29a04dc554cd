"""Statistical forecasters: each window's series is fitted anew, on its newest points.

The models are statsforecast's: AutoETS (R. J. Hyndman et al., "A state space framework for automatic forecasting using
exponential smoothing methods", International Journal of Forecasting 18, 2002), MSTL (K. Bandara et al.,
arXiv:2107.13462) and Theta models (J. A. Fiorucci et al., International Journal of Forecasting 32, 2016).

They look at the last 1,000 points: their fit grows faster than the number of points, and what lies further back tells
a forecast little. AutoTheta fits four kinds of Theta models and keeps the best; it is taken below 1,000 points alone.
Where that many are known, the dynamic optimised kind alone is fitted.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Floats, Inputs, check_inputs
from sparkhu.models.storage import write_model

Method = Literal["ets", "mstl", "theta"]
POINTS = 1_000
"""Points of a series that are fitted, its newest."""
WINDOWS_AT_ONCE = 2_048
"""Windows whose history is read at a time, so that it stays small."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Statistical:
    """A model that is fitted when it forecasts, and so holds nothing that was learnt.

    Attributes:
        method: Which; also its name.
        input_size: L; what lies before it is looked at as well, up to `POINTS` in all.
        horizon: H.
        season_length: Points in a season, 1 where there is none.

    A missing value in front shortens the series, one between two points is filled on the line between them. A window
    that cannot be fitted gets a forecast of NaN, which the caller stands another one in for and counts; the log (level
    WARNING, once a call) says how many and why the first.

    Raises:
        InputError: The method is none of `Method`.
    """

    method: Method
    input_size: int
    horizon: int
    season_length: int

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise InputError(f"method must be one of {', '.join(get_args(Method))}, got '{self.method}'")

    @property
    def name(self) -> str:
        """Its name in forecasts and metrics."""
        return self.method

    def predict(self, inputs: Inputs) -> Floats:
        """Forecast (n, H) from the inputs of n windows, in scaled units; NaN where a window cannot be fitted.

        Raises:
            SparkhuError: statsforecast is not installed.
        """
        check_inputs(inputs, self.input_size)
        forecasts = np.full((len(inputs.values), self.horizon), np.nan)
        failures: list[Exception] = []
        for few, histories in inputs.histories(POINTS, at_once=WINDOWS_AT_ONCE):
            for row, history in enumerate(histories, start=few.start):
                known = known_points(history)
                if len(known):
                    forecasts[row] = self._forecast(known, failures)
        if failures:
            many, first = len(failures), failures[0]
            logger.warning("%s could not be fitted to %d windows; the first: %r", self.name, many, first)
        return forecasts

    def for_evaluation(self) -> "Statistical":
        """Give itself: it learns nothing but from the window that it forecasts."""
        return self

    def save(self, folder: Path) -> None:
        """Write the model into `folder`."""
        sizes = {"input_size": self.input_size, "horizon": self.horizon, "season_length": self.season_length}
        write_model(folder, {"kind": self.name, **sizes}, {})

    def _forecast(self, values: Floats, failures: list[Exception]) -> Floats:
        season = self.season_length if len(values) >= 2 * self.season_length else 1
        model = fitted_with(self.method, season, len(values))
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(model.forecast(y=values, h=self.horizon)["mean"], dtype=np.float64)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library's optimiser trips over, that window has none
            failures.append(error)
            return np.full(self.horizon, np.nan)
        return np.where(np.isfinite(found).all(), found, np.nan)


def known_points(history: Floats) -> Floats:
    """Give a series from its first known value on, gaps inside filled on a line, the end with the last known value."""
    known = np.flatnonzero(np.isfinite(history))
    if not len(known):
        return history[:0]
    filled: Floats = np.interp(np.arange(known[0], len(history)), known, history[known])
    return filled


def fitted_with(method: Method, season: int, points: int) -> Any:
    """Make statsforecast's model.

    Args:
        method: Which.
        season: Points in a season; MSTL without one is the seasonally adjusted part's AutoETS alone.
        points: How many are to be fitted.

    Raises:
        SparkhuError: statsforecast is not installed.
    """
    try:
        from statsforecast import models
    except ImportError as error:
        raise SparkhuError("statistical models need statsforecast: pip install 'sparkhu[models]'") from error
    if method == "ets" or (method == "mstl" and season == 1):
        return models.AutoETS(season_length=season)
    if method == "mstl":
        return models.MSTL(season_length=season, trend_forecaster=models.AutoETS(model="ZZN"))
    if points < POINTS:
        return models.AutoTheta(season_length=season)
    return models.DynamicOptimizedTheta(season_length=season)
