"""Quartiles and level of every series' training part: what outliers are found by."""

from datetime import datetime

import numpy as np
import polars as pl

from sparkhu.frame import TIME
from sparkhu.splits import split_times
from sparkhu.steps.ordered import Ordered
from sparkhu.steps.segmented import Runs, floats, instants, times

FIT_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "fit_q1": pl.Float64(),
    "fit_q3": pl.Float64(),
    "fit_until": TIME,
    "fit_points": pl.Int64(),
    "fit_level": pl.Float64(),
}
LEAST_NEWEST = 5


def fit_quartiles(frame: pl.DataFrame, *, split: str, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """Compute the quartiles of each series' training part, or of a sample interval.

    Args:
        frame: Observation frame, sorted.
        split: The split that says where the training part ends.
        start: First instant of the sample; None: from the first row.
        end: The instant the sample ends before; None: the end of each series' training part.

    Returns:
        `unique_id`, `fit_q1`, `fit_q3` (linear; null without a value in the sample), `fit_until`, the exclusive end;
        `fit_points`, the values in the sample, and `fit_level`, the median of the newest tenth of
        them, of five at least.
    """
    owner, ds = Runs.whole(frame), instants(frame["ds"])
    until = split_times(frame, split)["train_end"]
    if end is not None:
        until = times(np.full(len(until), instants(pl.Series([end]))[0]))
    sample = frame["y"].is_not_null().to_numpy() & (ds < owner.spread(instants(until)))
    if start is not None:
        sample &= ds >= instants(pl.Series([start]))[0]
    values, points = floats(frame["y"])[sample], owner.sum_ints(sample)
    ordered = Ordered.of(values, points)
    newest = np.minimum(np.maximum(points // 10, LEAST_NEWEST), points)
    behind = np.repeat(np.cumsum(points), points) - np.arange(len(values))
    level = Ordered.of(values[behind <= np.repeat(newest, points)], newest).quantile(0.5)
    numbers = {"fit_q1": ordered.quantile(0.25), "fit_q3": ordered.quantile(0.75), "fit_level": level}
    table = pl.DataFrame({"unique_id": owner.ids, "fit_until": until, "fit_points": points, **numbers})
    return table.select(FIT_SCHEMA.keys()).with_columns(pl.col(numbers.keys()).fill_nan(None))
