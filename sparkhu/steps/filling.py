"""Filling of missing points: by mean, median, last, next, or the straight line in time.

A point is missing when `y` is null or when `needs_fill` flags it. Values come from known points of the same series;
a filled value may be known from when the latest point it used and the row itself could be known.
At the edges a strategy fills what it can reach, and the edge policy says what becomes of the rest: `leave` leaves it
missing, `nearest` takes the nearest known value.

| strategy | before the first known point | after the last known point |
| --- | --- | --- |
| `last` | edge policy | the last known value, as pandas' `ffill` |
| `next` | the first known value, as pandas' `bfill` | edge policy |
| `linear` | edge policy | edge policy |
| `mean`, `median` | their value | their value |
"""

from datetime import datetime
from typing import Literal, get_args

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas
from sparkhu.ledger import entries
from sparkhu.steps.masks import score
from sparkhu.steps.points import Points
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import NOWHERE, Bools, times
from sparkhu.steps.strategies import FITTED, STRATEGIES, Estimate, spread, taken

Edge = Literal["leave", "nearest"]
EDGES: tuple[Edge, ...] = get_args(Edge)


def check_filling(*, strategy: str, edge: str, max_gap_points: int) -> None:
    """Check the parameters of filling.

    Raises:
        InputError: `strategy` or `edge` is unknown, or `max_gap_points` is negative.
    """
    if strategy not in STRATEGIES:
        raise InputError(f"strategy must be one of {', '.join(STRATEGIES)}, got '{strategy}'.")
    if edge not in EDGES:
        raise InputError(f"edge must be one of {', '.join(EDGES)}, got '{edge}'.")
    if max_gap_points < 0:
        raise InputError(f"max_gap_points must be 0 (no limit) or more, got {max_gap_points}.")


@accepts_pandas
def fill_mean(frame: pl.DataFrame, *, max_gap_points: int = 0, train_end: datetime | None = None) -> pl.DataFrame:
    """Fill missing points with the mean of the known points before `train_end`. See `fill_linear`."""
    return _filled(frame, "mean", max_gap_points=max_gap_points, train_end=train_end)


@accepts_pandas
def fill_median(frame: pl.DataFrame, *, max_gap_points: int = 0, train_end: datetime | None = None) -> pl.DataFrame:
    """Fill missing points with the median of the known points before `train_end`. See `fill_linear`."""
    return _filled(frame, "median", max_gap_points=max_gap_points, train_end=train_end)


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


def _filled(
    frame: pl.DataFrame,
    strategy: str,
    *,
    edge: Edge = "leave",
    max_gap_points: int = 0,
    train_end: datetime | None = None,
) -> pl.DataFrame:
    check_filling(strategy=strategy, edge=edge, max_gap_points=max_gap_points)
    points = Points.of(frame, train_end)
    estimate = estimates(points, strategy, edge=edge, max_gap_points=max_gap_points)
    return put(frame, points, estimate, pl.lit(strategy))


def put(frame: pl.DataFrame, points: Points, estimate: Estimate, strategy: pl.Expr) -> pl.DataFrame:
    """Put the estimates of the missing points into `y`, with what says so beside them.

    Args:
        frame: The frame that `points` were read from.
        points: Its points.
        estimate: Value and availability for each row; NaN where a missing point stays as it is: null, or the
            observed value where it only counted as missing.
        strategy: The label of each filled row.

    Returns:
        The frame with `y`, `y_raw`, `available_at` and `fill_strategy`.
    """
    missing = pl.Series(points.missing)
    value = pl.Series(estimate.values).fill_nan(None)
    done = missing & value.is_not_null()
    earlier = "fill_strategy" if "fill_strategy" in frame.columns else pl.lit(None, dtype=pl.String)
    return frame.with_columns(
        y=pl.when(done).then(value).otherwise("y"),
        y_raw=pl.col("y_raw" if "y_raw" in frame.columns else "y"),
        available_at=pl.when(done).then(times(estimate.latest)).otherwise("available_at"),
        fill_strategy=pl.when(done).then(strategy).otherwise(earlier),
    )


def estimates(
    points: Points, strategy: str, *, edge: Edge = "leave", max_gap_points: int = 0, fit: Estimate | None = None
) -> Estimate:
    """Estimate the missing points of a shard.

    Args:
        points: The shard.
        strategy: A name in `STRATEGIES`.
        edge: See `fill_linear`.
        max_gap_points: See `fill_linear`.
        fit: One estimate a series, fitted before, for a strategy in `FITTED`; none means to fit it now.

    Returns:
        Values, NaN where a point is not missing or stays so; and the moment from which each could have been known:
        when the latest point it used had become available and, since only then it is known to be missing, the row.
    """
    way = STRATEGIES[strategy]
    values, latest = way.fill(points) if fit is None else spread(points, fit)
    if edge == "nearest" and way.from_both_sides:
        nearest = taken(points, np.where(points.before != NOWHERE, points.before, points.after))
        open_end = np.isnan(values)
        values = np.where(open_end, nearest.values, values)
        latest = np.where(open_end, nearest.latest, latest)
    kept = points.missing & _short(points, max_gap_points)
    return Estimate(np.where(kept, values, np.nan), np.maximum(latest, points.available_at))


def _short(points: Points, max_gap_points: int) -> Bools:
    if max_gap_points == 0:
        return np.ones(len(points.y), np.bool_)
    return points.run <= max_gap_points


def fill(
    observations: pl.DataFrame, profile: pl.DataFrame, *, strategy: str, edge: Edge = "leave", max_gap_points: int = 0
) -> StepResult:
    """Fill the missing points of a shard with one strategy, and measure it on masked known points.

    Args:
        observations: Rows of the shard with the gaps marked.
        profile: One row a series with `train_end` and `season_length`; what is fitted comes from before `train_end`.
        strategy: A name in `STRATEGIES`.
        edge: See `fill_linear`.
        max_gap_points: See `fill_linear`.

    Returns:
        `filled`: columns `<strategy>` (null where the point is not missing or stays so) and
        `<strategy>_available_at`, aligned with the rows; a strategy that fits a value has that of the row's series
        as well, `<strategy>_fit` and `<strategy>_fit_available_at`, on all rows; `scores`: see
        `sparkhu.steps.masks.score`. The ledger counts `missing`, `filled` and `left` points.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    check_filling(strategy=strategy, edge=edge, max_gap_points=max_gap_points)
    points, season_length = fit_points(observations, profile)
    fit = FITTED[strategy].fit(points) if strategy in FITTED else None
    estimate = estimates(points, strategy, edge=edge, max_gap_points=max_gap_points, fit=fit)
    value = pl.Series(strategy, estimate.values).fill_nan(None)
    done = value.is_not_null()
    known_from = pl.select(pl.when(done).then(times(estimate.latest))).to_series()
    layer = pl.DataFrame({strategy: value, f"{strategy}_available_at": known_from.cast(TIME)})
    if fit is not None:
        own = spread(points, fit)
        layer = layer.with_columns(
            pl.Series(f"{strategy}_fit", own.values).fill_nan(None), times(own.latest, f"{strategy}_fit_available_at")
        )
    scores = score(points, strategy, STRATEGIES[strategy], season_length)
    return StepResult({"filled": layer, "scores": scores}, fill_ledger(points, done.to_numpy()))


def fit_points(observations: pl.DataFrame, profile: pl.DataFrame) -> tuple[Points, np.ndarray]:
    """Read a shard with the end of each series' training part and its season's length (0 where unknown)."""
    check = Points.of(observations)
    table = check.owner.align(profile, "train_end", "season_length")
    points = Points.of(observations, table["train_end"])
    return points, table["season_length"].fill_null(0).cast(pl.Int64).to_numpy()


def fill_ledger(points: Points, done: Bools) -> pl.DataFrame:
    """Count, per series, the points that were missing, are filled, and stay missing."""
    count = {
        "missing": points.missing,
        "filled": points.missing & done,
        "left": points.missing & ~done,
    }
    return entries(
        points.owner.ids, counts={name: pl.Series(points.owner.sum_ints(what)) for name, what in count.items()}
    )
