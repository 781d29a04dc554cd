"""Filling of missing points.

A point is missing when `y` is null or when `needs_fill` flags it. Values come from known points of the same series;
a filled value may be known from when the latest point it used and the row itself could be known. What decides, rather
than being put in, dates no value: the fences by which an outlier counts as missing, and the scores by which a strategy
is chosen, are fitted on the training part, as a scaler is. So inside the training part a later value can change which
points are refilled; nothing behind it can.
At the edges a strategy fills what it can reach, and the edge policy says what becomes of the rest: `leave` leaves it
missing, `nearest` takes the nearest known value.

| strategy | before the first known point | after the last known point | known from |
| --- | --- | --- | --- |
| `mean`, `median`, `mode` | their value | their value | the whole training part |
| `last` | edge policy | the last known value, as pandas' `ffill` | the point carried, or the row |
| `next` | the first known value, as pandas' `bfill` | edge policy | the next known point |
| `linear` | edge policy | edge policy | the known points on both sides |
| `spline` | edge policy, never a curve | edge policy, never a curve | the 24 known points on each side |
| `seasonal` | edge policy | edge policy | the last season averaged, and all points before it |
| `moving_average` | edge policy | edge policy | the `window` known points on each side |
| `drop` | null, by name only | null, by name only | - |
| `leave` | as it is, by name only | as it is, by name only | - |

Every strategy fills gaps of any length, or of up to `max_gap_points` points where that is given: longer ones are left
whole. `drop` takes gaps of any length out. `spline` needs 4 known points and `seasonal` two seasons of them; a shorter
series is left as it is.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import accepts_pandas
from sparkhu.steps.estimates import Fitted, Strategy, fitted
from sparkhu.steps.filled_rows import Edge, check_filling, estimates, fill_ledger, fit_points, put
from sparkhu.steps.masks import Trial
from sparkhu.steps.points import Points
from sparkhu.steps.result import FILLED, StepResult, reads
from sparkhu.steps.segmented import times
from sparkhu.steps.strategies import WINDOW, strategy_of


@accepts_pandas
def fill_mean(frame: pl.DataFrame, *, max_gap_points: int = 0, train_end: datetime | None = None) -> pl.DataFrame:
    """Fill missing points with the mean of the known points before `train_end`. See `fill_linear`."""
    return _filled(frame, "mean", max_gap_points=max_gap_points, train_end=train_end)


@accepts_pandas
def fill_median(frame: pl.DataFrame, *, max_gap_points: int = 0, train_end: datetime | None = None) -> pl.DataFrame:
    """Fill missing points with the median of the known points before `train_end`. See `fill_linear`."""
    return _filled(frame, "median", max_gap_points=max_gap_points, train_end=train_end)


@accepts_pandas
def fill_mode(frame: pl.DataFrame, *, max_gap_points: int = 0, train_end: datetime | None = None) -> pl.DataFrame:
    """Fill missing points with the most frequent known value before `train_end`, the smallest of several as frequent.

    See `fill_linear`.
    """
    return _filled(frame, "mode", max_gap_points=max_gap_points, train_end=train_end)


@accepts_pandas
def fill_last(frame: pl.DataFrame, *, edge: Edge = "leave", max_gap_points: int = 0) -> pl.DataFrame:
    """Fill missing points with the last known value before them, behind the last one too. See `fill_linear`.

    The edge policy concerns what stands before the first known point.
    """
    return _filled(frame, "last", edge=edge, max_gap_points=max_gap_points)


@accepts_pandas
def fill_next(frame: pl.DataFrame, *, edge: Edge = "leave", max_gap_points: int = 0) -> pl.DataFrame:
    """Fill missing points with the next known value after them, before the first one too. See `fill_linear`.

    The edge policy concerns what stands behind the last known point.
    """
    return _filled(frame, "next", edge=edge, max_gap_points=max_gap_points)


@accepts_pandas
def fill_linear(frame: pl.DataFrame, *, edge: Edge = "leave", max_gap_points: int = 0) -> pl.DataFrame:
    """Fill missing points on the straight line, in time, between the known points around them.

    Args:
        frame: Observation frame, any number of series; `needs_fill` and an earlier `fill_strategy` are heeded.
        edge: `leave` or `nearest`: what becomes of the side that a strategy cannot reach, here both: before the first
            and after the last known point.
        max_gap_points: Gaps of more points are left whole; 0 means no limit.

    Returns:
        The frame with `y` filled, `y_raw` as observed, `fill_strategy` where a value was filled, and
        `available_at` of filled values. A flagged point that cannot be filled keeps its value.

    Raises:
        InputError: A column is missing, rows are out of order, or a parameter cannot be used.

    Example:
        >>> fill_linear(frame, max_gap_points=24).filter(pl.col("fill_strategy") == "linear")
    """
    return _filled(frame, "linear", edge=edge, max_gap_points=max_gap_points)


@accepts_pandas
def fill_spline(frame: pl.DataFrame, *, edge: Edge = "leave", max_gap_points: int = 0) -> pl.DataFrame:
    """Fill missing points on the cubic spline, in time, through the known points; none outside of them.

    A series of fewer than 4 known points is not filled. See `sparkhu.steps.splines` for the method and `fill_linear`
    for the rest.
    """
    return _filled(frame, "spline", edge=edge, max_gap_points=max_gap_points)


@accepts_pandas
def fill_seasonal(
    frame: pl.DataFrame, *, season_length: int, edge: Edge = "leave", max_gap_points: int = 0
) -> pl.DataFrame:
    """Fill missing points linearly in time without their season, which is put back then.

    The rows must be evenly spaced. A series with fewer than two seasons of known points is not filled. See
    `sparkhu.steps.seasonal_fill` for the method and `fill_linear` for the rest.

    Args:
        frame: Observation frame.
        season_length: Points a season.
        edge: See `fill_linear`.
        max_gap_points: See `fill_linear`.

    Raises:
        InputError: As `fill_linear`, or `season_length` is less than 2.
    """
    if season_length < 2:
        raise InputError(f"season_length must be 2 points or more, got {season_length}. For no season use fill_linear.")
    return _filled(frame, "seasonal", edge=edge, max_gap_points=max_gap_points, season_length=season_length)


@accepts_pandas
def fill_moving_average(
    frame: pl.DataFrame, *, window: int = WINDOW, edge: Edge = "leave", max_gap_points: int = 0
) -> pl.DataFrame:
    """Fill missing points with the mean of the `window` nearest known points on each side of the gap.

    Near the ends of a series there are fewer on one side. See `fill_linear`.
    """
    return _filled(frame, "moving_average", edge=edge, max_gap_points=max_gap_points, window=window)


def _filled(
    frame: pl.DataFrame,
    strategy: str,
    *,
    edge: Edge = "leave",
    max_gap_points: int = 0,
    train_end: datetime | None = None,
    season_length: int = 0,
    window: int = WINDOW,
) -> pl.DataFrame:
    check_filling(edge=edge, max_gap_points=max_gap_points)
    points = Points.of(frame, train_end, season_length)
    estimate = estimates(points, strategy_of(strategy, window=window), edge=edge, max_gap_points=max_gap_points)
    return put(frame, points, estimate, strategy)


@reads(observations=FILLED)
def fill(
    observations: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    strategy: str,
    edge: Edge = "leave",
    max_gap_points: int = 0,
    window: int = WINDOW,
) -> StepResult:
    """Fill the missing points of a shard with one strategy, and measure it on masked known points.

    Args:
        observations: Rows of the shard with the gaps marked.
        profile: One row a series with `train_end` and `season_length`; what is fitted comes from before `train_end`.
        strategy: A name in `sparkhu.steps.strategies.STRATEGIES`.
        edge: See `sparkhu.steps.filling.fill_linear`.
        max_gap_points: See `sparkhu.steps.filling.fill_linear`.
        window: For `moving_average`: known points on each side.

    Returns:
        `filled`: columns `<strategy>` (null where the point is not missing or stays so) and
        `<strategy>_available_at`, aligned with the rows; a strategy that fits a value has that of the row's series
        as well, `<strategy>_fit` and `<strategy>_fit_available_at`, on all rows; `scores`: see
        `sparkhu.steps.masks.Trial.score`. The ledger counts `missing`, `filled` and `left` points; a series that is too
        short for the strategy is `skipped`.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    results = fill_each(
        observations, profile, strategies=(strategy,), edge=edge, max_gap_points=max_gap_points, window=window
    )
    return results[strategy]


def fill_each(
    observations: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    strategies: Sequence[str],
    edge: Edge = "leave",
    max_gap_points: int = 0,
    window: int = WINDOW,
) -> dict[str, StepResult]:
    """Fill the missing points of a shard with several strategies; what they share is read and drawn once.

    Args:
        observations: See `fill`.
        profile: See `fill`.
        strategies: Names in `sparkhu.steps.strategies.STRATEGIES`.
        edge: See `fill`.
        max_gap_points: See `fill`.
        window: See `fill`.

    Returns:
        For each name what `fill` gives for it.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.

    Example:
        >>> results = fill_each(marked, profile, strategies=("last", "linear"))
        >>> scores = pl.concat(result.frames["scores"] for result in results.values())
    """
    check_filling(edge=edge, max_gap_points=max_gap_points)
    ways = {name: strategy_of(name, window=window) for name in strategies}
    trial = Trial(fit_points(observations, profile))
    return {name: _result(trial, name, way, edge, max_gap_points) for name, way in ways.items()}


def _result(trial: Trial, strategy: str, way: Strategy, edge: Edge, max_gap_points: int) -> StepResult:
    points = trial.points
    fit = fitted(points, way) if isinstance(way, Fitted) else None
    estimate = estimates(points, way, edge=edge, max_gap_points=max_gap_points, fit=fit)
    done = ~np.isnan(estimate.values)
    rows = points.missing_rows[done]
    columns = {strategy: pl.Series(estimate.values[done]), f"{strategy}_available_at": times(estimate.latest[done])}
    layer = pl.DataFrame(
        pl.repeat(None, len(points.y), dtype=column.dtype, eager=True).scatter(rows, column).alias(name)
        for name, column in columns.items()
    )
    if fit is not None:
        own = pl.DataFrame({f"{strategy}_fit": fit.values, f"{strategy}_fit_available_at": times(fit.latest)})
        layer = layer.hstack(own.fill_nan(None)[pl.Series(points.number, dtype=pl.get_index_type())])
    frames = {"filled": layer, "scores": trial.score(strategy, way)}
    return StepResult(frames, fill_ledger(points, done, skipped=~way.applies(points), reason=way.need))
