"""Missing rows and what is put into them: the edges, the longest gap, the columns, the counts."""

from typing import Literal, get_args

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import check_frame
from sparkhu.ledger import entries
from sparkhu.steps.estimates import Estimate, Strategy, filled, taken
from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NOWHERE, Bools, Ints, Segments, times
from sparkhu.steps.strategies import DROP

Edge = Literal["leave", "nearest"]
EDGES: tuple[Edge, ...] = get_args(Edge)


def check_filling(*, edge: str, max_gap_points: int) -> None:
    """Check the parameters of filling.

    Raises:
        InputError: `edge` is unknown, or `max_gap_points` is negative.
    """
    if edge not in EDGES:
        raise InputError(f"edge must be one of {', '.join(EDGES)}, got '{edge}'.")
    if max_gap_points < 0:
        raise InputError(f"max_gap_points must be 0 (no limit) or more, got {max_gap_points}.")


def put(
    frame: pl.DataFrame, points: Points, estimate: Estimate, strategy: pl.Series | str, dropped: Bools | None = None
) -> pl.DataFrame:
    """Put the estimates of the missing points into `y`, with what says so beside them.

    Args:
        frame: The frame that `points` were read from.
        points: Its points.
        estimate: Value and availability for each missing row; NaN where it stays as it is: null, or the observed
            value where it only counted as missing.
        strategy: The label of all filled rows, or one for each series.
        dropped: Series whose missing points are taken out: null, and labelled `drop`.

    Returns:
        The frame with `y`, `y_raw`, `available_at` and `fill_strategy`.
    """
    rows, number, done = points.missing_rows, points.missing_number, ~np.isnan(estimate.values)
    gone = ~done & (False if dropped is None else dropped[number])
    filled, empty = pl.Series(rows[done]), pl.Series(rows[gone])
    names = strategy.gather(number[done]) if isinstance(strategy, pl.Series) else strategy
    none = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    labels = frame["fill_strategy"].cast(pl.String) if "fill_strategy" in frame.columns else none
    value = frame["y"].scatter(filled, estimate.values[done]).scatter(empty, None)
    return frame.with_columns(
        y=value,
        y_raw=pl.col("y_raw" if "y_raw" in frame.columns else "y"),
        available_at=frame["available_at"].scatter(filled, times(estimate.latest[done])),
        fill_strategy=labels.scatter(filled, names).scatter(empty, DROP),
    )


def estimates(
    points: Points, way: Strategy, *, edge: Edge = "leave", max_gap_points: int = 0, fit: Estimate | None = None
) -> Estimate:
    """Estimate the missing points of a shard.

    Args:
        points: The shard.
        way: The strategy.
        edge: See `sparkhu.steps.filling.fill_linear`.
        max_gap_points: See `sparkhu.steps.filling.fill_linear`.
        fit: One estimate a series, fitted before, for a `Fitted` strategy; none means to fit it now.

    Returns:
        For each missing row a value, NaN where it stays missing; and the moment from which it could have been known:
        when the latest point it used had become available and, since only then it is known to be missing, the row.
    """
    rows, number = points.missing_rows, points.missing_number
    values, latest = filled(points, way) if fit is None else (fit.values[number], fit.latest[number])
    if edge == "nearest" and way.from_both_sides:
        before, after = points.before_gap(rows), points.after_gap(rows)
        outside = (before == NOWHERE) | (after == NOWHERE)
        nearest = taken(points, np.where(before != NOWHERE, before, after))
        open_end = np.isnan(values) & outside
        values = np.where(open_end, nearest.values, values)
        latest = np.where(open_end, nearest.latest, latest)
    if max_gap_points:
        values = np.where(points.gap_length(rows) <= max_gap_points, values, np.nan)
    return Estimate(values, np.maximum(latest, points.available_at[rows]))


def fit_points(observations: pl.DataFrame, profile: pl.DataFrame) -> Points:
    """Read a shard with the end of each series' training part and its season's length (0 where unknown)."""
    check_frame(observations, "unique_id", "ds")
    owner = Segments.of(observations)
    table = owner.align(profile, "train_end", "season_length")
    return Points.of(observations, table["train_end"], seasons_of(table), owner)


def seasons_of(table: pl.DataFrame) -> Ints:
    """Give the season's length of every row of a table, 0 where unknown."""
    lengths: Ints = table["season_length"].fill_null(0).cast(pl.Int64).to_numpy()
    return lengths


def fill_ledger(points: Points, done: Bools, *, skipped: Bools | None = None, reason: str = "") -> pl.DataFrame:
    """Count, per series, the points that were missing, are filled, and stay missing.

    Args:
        points: The shard.
        done: Which of the missing rows are filled.
        skipped: Series that the strategy does not apply to.
        reason: Why.
    """
    marked = {"missing": np.ones(len(done), np.bool_), "filled": done, "left": ~done}
    series = len(points.owner.ids)
    counts = {name: np.bincount(points.missing_number[rows], minlength=series) for name, rows in marked.items()}
    table = pl.DataFrame({"skipped": np.zeros(len(points.owner.ids), np.bool_) if skipped is None else skipped})
    table = table.select(
        status=pl.when("skipped").then(pl.lit("skipped")).otherwise(pl.lit("ok")),
        reason=pl.when("skipped").then(pl.lit(reason)),
    )
    return entries(
        points.owner.ids,
        status=table["status"],
        reason=table["reason"],
        counts={name: pl.Series(each) for name, each in counts.items()},
    )
