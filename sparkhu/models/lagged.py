"""What a tree sees of a step that is to be forecast: lags, levels and the calendar, aligned to that step.

A row is one step of one window. Its columns look at the window's history alone, so nothing of them comes from behind
the cutoff. Values are counted from the mean of the window's last season, in units of the window's own mean absolute
seasonal change: a row reads the same at every level and spread, and one model serves all series of a group.

Source: the aligned lags are those of P. Montero-Manso and R. J. Hyndman, "Principles and algorithms for forecasting
groups of time series", International Journal of Forecasting 37 (2021), of a global model on scaled windows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import InputError
from sparkhu.models.base import Floats
from sparkhu.models.calendar import Calendar

SEASONS = 14
"""Seasons that are looked back on, within `DEEPEST`: two weeks of hours, fourteen years of months."""
DEEPEST = 1_008
"""Points that are looked back on at most."""
LEAST_SCALE = 1e-3
"""The unit is at least this share of the history's standard deviation."""


@dataclass(frozen=True)
class Layout:
    """Which columns the rows of a group have.

    Attributes:
        horizon: H.
        season_length: Points in a season, 1 where there is none.
        input_size: L, the points that every window has.
        period: The label of the group's period, such as `1h`, for the calendar of the steps.

    Raises:
        InputError: A size is not positive.
    """

    horizon: int
    season_length: int
    input_size: int
    period: str

    def __post_init__(self) -> None:
        for name in ("horizon", "season_length", "input_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def season(self) -> int:
        """The season that lags are counted in: 1 where no window holds one."""
        return self.season_length if self.season_length <= self.input_size else 1

    @property
    def depth(self) -> int:
        """How many points of a window's history are looked at."""
        return max(self.season, min(max(SEASONS * self.season, self.input_size), DEEPEST))

    @property
    def seasons(self) -> int:
        """How many whole seasons of the history are looked at."""
        return min(self.depth // self.season, SEASONS)

    def names(self) -> list[str]:
        """Name the columns of `rows`, in their order."""
        return [
            "step",
            *(f"season_{back}" for back in range(1, self.seasons + 1)),
            *(f"season_{back}_{shift:+d}" for back, shift in self._beside()),
            *(f"last_{back}" for back in range(1, self._recent() + 1)),
            *(f"change_{back}" for back in self._changes()),
            *(f"level_{back}" for back in range(1, self._levels() + 1)),
            *("mean", "mean_of_3", "median_of_7", "spread_of_7", "deviation", "change_deviation", "last_deviation"),
            *("long_change",),
            *Calendar(self.period).names(),
        ]

    def _beside(self) -> list[tuple[int, int]]:
        """Points beside the aligned lag of one season and of seven (of hours: a week)."""
        beside = [(1, -2), (1, -1), (1, 1), (1, 2), (7, -1), (7, 1)]
        return [(back, shift) for back, shift in beside if back <= self.seasons and self.season > 4]

    def _recent(self) -> int:
        return min(3, self.depth)

    def _changes(self) -> list[int]:
        return [back for back in (1, 2, 7) if back * self.season < self.depth]

    def _levels(self) -> int:
        return min(8, self.seasons) if self.season > 1 else 0

    def rows(self, history: Floats, cutoffs: pl.Series) -> "Rows":
        """Lay windows out.

        Args:
            history: (n, depth) in scaled units, the newest last; NaN where a value is not known. What is made of
                values of which some are missing is made of the others; a column without any is NaN.
            cutoffs: The instant of the newest point of each window, (n,).

        Raises:
            InputError: The history has another shape.
        """
        if history.ndim != 2 or history.shape[1] != self.depth:
            raise InputError(f"history must have the shape (windows, {self.depth}), got {history.shape}")
        unit = _unit(history, self.season)
        base = _mean(history[:, -self.season :])
        base = np.where(np.isfinite(base), base, _newest(history))
        scaled = (history - base[:, None]) / unit[:, None]
        lags = self._aligned(scaled, np.arange(1, self.seasons + 1))
        offset = _first_known(np.moveaxis(lags, 2, 0), _newest(scaled))
        columns = [np.broadcast_to(np.arange(self.horizon, dtype=np.float64), offset.shape)[:, :, None], lags]
        columns += [self._aligned(scaled, np.array([back]), shift) for back, shift in self._beside()]
        columns += [self._alike(self._window_parts(scaled)), _summary(lags)]
        columns += [self._alike(_spreads(scaled, self.season))]
        columns += [Calendar(self.period).rows(cutoffs, self.horizon)]
        table = np.concatenate([column.astype(np.float32) for column in columns], axis=2)
        return Rows(table.reshape(-1, table.shape[2]), base[:, None] + offset * unit[:, None], unit)

    def _aligned(self, scaled: Floats, back: npt.NDArray[np.int64], shift: int = 0) -> Floats:
        """Give the values that lie whole seasons before the steps, (n, H, backs); never one behind the cutoff."""
        steps = np.arange(self.horizon) % self.season
        at = self.depth - self.season * back[None, :] + steps[:, None] + shift
        found: Floats = scaled[:, np.clip(at, 0, self.depth - 1)]
        return found

    def _alike(self, columns: Floats) -> Floats:
        """Give every step of a window the same values: (n, k) becomes (n, H, k)."""
        return np.broadcast_to(columns[:, None, :], (len(columns), self.horizon, columns.shape[1]))

    def _window_parts(self, scaled: Floats) -> Floats:
        """Give the recent points, changes and levels of each window, (n, columns)."""
        newest = scaled[:, -1]
        parts = [scaled[:, -back] for back in range(1, self._recent() + 1)]
        parts += [newest - scaled[:, -1 - back * self.season] for back in self._changes()]
        for back in range(1, self._levels() + 1):
            behind = self.depth - (back - 1) * self.season
            parts.append(_mean(scaled[:, behind - self.season : behind]))
        return np.column_stack(parts)


@dataclass(frozen=True, eq=False)
class Rows:
    """Windows as trees see them.

    Attributes:
        table: (n·H, columns), the steps of a window one below another.
        offset: (n, H) in scaled units: the seasonal naive forecast, which the trees' answer is added to.
        unit: (n,), what an answer of 1 is worth in scaled units.
    """

    table: npt.NDArray[np.float32]
    offset: Floats
    unit: Floats

    def answers(self, targets: Floats) -> Floats:
        """Give what a tree is to answer for targets (n, H), one below another: (n·H,)."""
        return ((targets - self.offset) / self.unit[:, None]).ravel()

    def forecasts(self, answers: Floats) -> Floats:
        """Give the forecasts (n, H) in scaled units that answers (n·H,) stand for."""
        return self.offset + answers.reshape(self.offset.shape) * self.unit[:, None]


def _mean(values: Floats, axis: int = 1) -> Floats:
    """Average the values that are known; NaN where none is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _deviation(values: Floats, axis: int = 1) -> Floats:
    off = values - np.expand_dims(_mean(values, axis), axis)
    deviation: Floats = np.sqrt(_mean(off * off, axis))
    return deviation


def _unit(history: Floats, season: int) -> Floats:
    """Give the mean absolute seasonal change of each window; 1 where nothing changes."""
    change = _mean(np.abs(history[:, season:] - history[:, :-season])) if history.shape[1] > season else np.nan
    spread = LEAST_SCALE * _deviation(history)
    unit = np.fmax(change, spread)
    return np.where(unit > 0, unit, 1.0)


def _newest(values: Floats) -> Floats:
    """Give the newest known value of each row; 0 where none is."""
    known = np.isfinite(values)
    at = values.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    return np.where(known.any(axis=1), values[np.arange(len(values)), at], 0.0)


def _first_known(options: Floats, otherwise: Floats) -> Floats:
    """Give the first known of several arrays (n, H), else the window's own value."""
    found = np.broadcast_to(otherwise[:, None], options.shape[1:])
    for option in options[::-1]:
        found = np.where(np.isfinite(option), option, found)
    return found


def _summary(lags: Floats) -> Floats:
    """Give mean, mean of 3, median of 7 and spread of 7 of the aligned lags, (n, H, 4)."""
    recent = np.where(np.isfinite(lags), lags, _mean(lags, 2)[:, :, None])[:, :, :7]
    return np.stack(
        [_mean(lags, 2), _mean(lags[:, :, :3], 2), np.median(recent, axis=2), _deviation(recent, 2)], axis=2
    )


def _spreads(scaled: Floats, season: int) -> Floats:
    """Give the deviation of history, of its seasonal changes and of its last season, and its change over 7 seasons."""
    depth = scaled.shape[1]
    change = scaled[:, season:] - scaled[:, :-season] if depth > season else scaled[:, :0]
    long = scaled[:, 7 * season :] - scaled[:, : -7 * season] if depth > 7 * season else scaled[:, :0]
    parts = (_deviation(scaled), _deviation(change), _deviation(scaled[:, -season:]), _mean(np.abs(long)))
    return np.column_stack(parts)
