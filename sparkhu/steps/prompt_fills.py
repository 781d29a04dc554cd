"""Fills that a forecaster can be given: known as soon as the next point is.

The strategy that fills a series best may look far ahead: a season is averaged over the cycles on both sides, a spline
bends to the points behind the gap. Such a value is known late, and a window may not hold it before
(`sparkhu.steps.windows`): with a gap in every second window, next to none would be left to learn from, or to forecast
from. So the clean table keeps the best fill, and forecasters get the straight line in its place.
"""

import numpy as np
import polars as pl

from sparkhu.frame import check_frame
from sparkhu.steps.estimates import Estimate
from sparkhu.steps.filled_rows import put
from sparkhu.steps.points import Points
from sparkhu.steps.strategies import STRATEGIES

LATE = ("spline", "seasonal", "moving_average")
"""Strategies that look further than to the next known point."""
STAND_IN = "linear"


def fill_promptly(frame: pl.DataFrame) -> pl.DataFrame:
    """Put the straight line in the place of fills that are known late.

    Args:
        frame: Filled observation frame: `unique_id, ds, y, available_at, fill_strategy`, and
            `observed_available_at` where an observed value was replaced (else it counts as known at its own time).

    Returns:
        The frame. Where `fill_strategy` was one of `LATE` and there are known points on both sides, `y` is the straight
        line in time between them, `available_at` that of the later one (or the row's own, if later), and
        `fill_strategy` is `linear`. Before the first and after the last known point rows stay as they are.

    Raises:
        InputError: A column is missing.

    Example:
        >>> fill_promptly(frame).filter(pl.col("fill_strategy") == "seasonal").height
        0
    """
    check_frame(frame, "unique_id", "ds", "y", "available_at", "fill_strategy")
    late = frame.select(late=pl.col("fill_strategy").is_in(LATE).fill_null(value=False)).to_series()
    if not late.any():
        return frame
    own = ["observed_available_at"] if "observed_available_at" in frame.columns else []
    emptied = frame.with_columns(
        y=pl.when(~late).then("y"),
        fill_strategy=pl.when(~late).then("fill_strategy"),
        available_at=pl.when(late).then(pl.coalesce(*own, "ds")).otherwise("available_at"),
    )
    points = Points.of(emptied.drop("needs_fill", strict=False))
    line = STRATEGIES[STAND_IN].fill(points)
    reached = late.to_numpy() & ~np.isnan(line.values)
    latest = np.maximum(line.latest, points.available_at)
    values = np.where(reached, line.values, np.nan)
    filled = Estimate(values[points.missing_rows], latest[points.missing_rows])
    refilled = put(emptied, points, filled, STAND_IN)
    taken = pl.Series(reached)
    return frame.with_columns(
        pl.when(taken).then(refilled[name]).otherwise(pl.col(name)).alias(name)
        for name in ("y", "available_at", "fill_strategy")
    )
