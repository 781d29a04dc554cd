"""Resampling of irregular series to the even grid of their median gap, so that they can be forecast.

The grid starts at a series' first point and steps by its median gap P. A cell is named by its end: the value at `s`
is the mean of the points in `(s − P, s]`. So nothing in it is later than its own time, and data that lie on the
grid already stay as they are. An empty cell repeats the last value before it. The first cell is the first point
itself; the last is the last whole one: points behind its end wait for the row that completes theirs, since a part of
a cell is no mean of it, and its end would lie in the future.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import CLEAN_SCHEMA, TIME, accepts_pandas, check_frame
from sparkhu.ledger import entries
from sparkhu.periods import Period
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import (
    NEVER,
    NOWHERE,
    Bools,
    Floats,
    Ints,
    Segments,
    flag,
    floats,
    instants,
    previous_true,
    times,
)

MAX_GRID_POINTS = 1_000_000
GRID_SCHEMA: dict[str, pl.DataType] = {**CLEAN_SCHEMA, "is_alert": pl.Boolean(), "observed_available_at": TIME}
BORDERS = ("train_end", "valid_end", "test_end")


class _Grid(NamedTuple):
    """The grids of some series: steps and first instants in microseconds, how many points."""

    owner: Segments
    step: Ints
    origin: Ints

    @property
    def stamps(self) -> Ints:
        position = np.arange(int(self.owner.lengths.sum())) - np.repeat(self.owner.starts, self.owner.lengths)
        return np.repeat(self.origin, self.owner.lengths) + position * np.repeat(self.step, self.owner.lengths)

    @property
    def last(self) -> Ints:
        return self.origin + (self.owner.lengths - 1) * self.step


def check_resampling(*, max_grid_points: int) -> None:
    """Check the parameters of the step.

    Raises:
        InputError: `max_grid_points` is below 1.
    """
    if max_grid_points < 1:
        raise InputError(f"max_grid_points must be at least 1, got {max_grid_points}.")


@accepts_pandas
def resample_to_median_gap(frame: pl.DataFrame, *, max_grid_points: int = MAX_GRID_POINTS) -> pl.DataFrame:
    """Bring every series to the grid of its own median gap, see `resample_irregular`.

    Args:
        frame: Observation frame, sorted, each instant of a series once.
        max_grid_points: The most points that the grid of one series may have.

    Returns:
        The columns of `GRID_SCHEMA`. A series of one row stays as it is.

    Raises:
        InputError: A parameter cannot be used, a column is missing, or a grid would have too many points.

    Example:
        >>> resample_to_median_gap(frame)["ds"].diff().unique()
    """
    check_resampling(max_grid_points=max_grid_points)
    check_frame(frame, "unique_id", "ds", "y", "available_at")
    owner = Segments.of(frame)
    gaps = frame.group_by("unique_id").agg(gap=pl.col("ds").diff().median())
    step = owner.align(gaps, "gap")["gap"].dt.total_microseconds().fill_null(1).to_numpy()
    grid = _grid(owner, instants(frame["ds"]), step)
    if (grid.owner.lengths > max_grid_points).any():
        worst = int(grid.owner.lengths.argmax())
        raise InputError(
            f"the grid of series '{owner.ids[worst]}' would have {grid.owner.lengths[worst]} points, more than "
            f"max_grid_points = {max_grid_points}. Raise it, or thin out the points that stand close together."
        )
    return _fill_cells(frame, owner, grid)


def _grid(owner: Segments, ds: Ints, step: Ints) -> _Grid:
    """Lay a grid over each series, up to the last grid point at or before its last row."""
    origin = ds[owner.starts]
    lengths = (ds[owner.ends - 1] - origin) // step + 1
    return _Grid(Segments(owner.ids, np.cumsum(lengths) - lengths, lengths), step, origin)


def resample_irregular(
    observations: pl.DataFrame, profile: pl.DataFrame, *, max_grid_points: int = MAX_GRID_POINTS
) -> StepResult:
    """Bring the irregular series of a shard to the grid of their median gap.

    Args:
        observations: Rows of the shard with their outlier flags.
        profile: One row a series with `median_gap_us`, `n`, the period and the borders of the split.
        max_grid_points: A series whose grid would have more points fails.

    Returns:
        `observations`: `ds` the end of each cell; `y` the mean of its known points, in an empty cell the last value
        before it (null before the first); `y_raw` the mean of all its observed points, flagged ones too, else null;
        `available_at` the cell's end or, if later, when the last point that it used became available, and
        `observed_available_at` likewise for the observed points as they came; `is_gap` where nothing was observed;
        `is_outlier` and `is_alert` where a point in it was; `fill_strategy` `last` where repeated. Further columns of
        the source are left out: a cell is no row of theirs.
        `profile`: the series' profile with the grid's period and number of points, and the borders moved to
        the first grid point at or after them. The ledger counts `rows`, `cells` and the rows `behind` the last cell.
        A series of one row is skipped and stays as it is; one without a median gap fails.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    check_resampling(max_grid_points=max_grid_points)
    check_frame(observations, "unique_id", "ds", "y", "available_at")
    owner = Segments.of(observations)
    table = owner.align(profile, *[name for name in profile.columns if name != "unique_id"])
    check_frame(table, "median_gap_us", "n", "period_kind", "period_us", "period_label", *BORDERS)
    ds = instants(observations["ds"])
    gap = table["median_gap_us"].fill_null(0).cast(pl.Int64).to_numpy()
    single, unknown = owner.lengths == 1, (owner.lengths > 1) & (gap < 1)
    step = np.maximum(gap, 1)
    points = _grid(owner, ds, step).owner.lengths
    failed = unknown | (~single & (points > max_grid_points))
    kept = pl.Series(~failed)
    rows = observations.filter(pl.Series(np.repeat(~failed, owner.lengths)))
    rest = Segments.of(rows)
    grid = _grid(rest, instants(rows["ds"]), step[~failed])
    sequences = _fill_cells(rows, rest, grid)
    moved = _profile(table.filter(kept), grid, single[~failed])
    behind = np.zeros(len(failed), np.int64)
    behind[~failed] = np.bincount(rest.number()[~_whole(rows, rest, grid)], minlength=len(rest.ids))
    ledger = _ledger(
        owner,
        pl.DataFrame({"single": single, "unknown": unknown, "failed": failed, "points": points, "behind": behind}),
        max_grid_points,
    )
    left_out = int(owner.lengths[failed].sum())
    return StepResult({"observations": sequences, "profile": moved}, ledger, {"left_out": left_out})


def _whole(rows: pl.DataFrame, owner: Segments, grid: _Grid) -> Bools:
    """Mark the rows that lie in a whole cell: not behind the last grid point."""
    inside: Bools = instants(rows["ds"]) <= grid.last[owner.number()]
    return inside


def _fill_cells(rows: pl.DataFrame, owner: Segments, grid: _Grid) -> pl.DataFrame:
    """Average the rows of each cell, and repeat the last value in the empty ones."""
    whole = _whole(rows, owner, grid)
    rows, number = rows.filter(pl.Series(whole)), owner.number()[whole]
    inside = instants(rows["ds"]) - grid.origin[number]
    cell = grid.owner.starts[number] - (-inside // grid.step[number])
    first = np.flatnonzero(np.diff(cell, prepend=NOWHERE))
    y, raw = floats(rows["y"]), floats(rows["y_raw"] if "y_raw" in rows.columns else rows["y"])
    stamps = grid.stamps
    values = _spread(_means(y, ~np.isnan(y) & ~flag(rows, "needs_fill"), first), cell[first], len(stamps), np.nan)
    observed = _spread(_means(raw, ~np.isnan(raw), first), cell[first], len(stamps), np.nan)
    known_from = _latest(instants(rows["available_at"]), first)
    available = np.maximum(stamps, _spread(known_from, cell[first], len(stamps), NEVER))
    came = instants(rows["observed_available_at" if "observed_available_at" in rows.columns else "available_at"])
    seen_from = _latest(np.where(np.isnan(raw), NEVER, came), first)
    seen = np.where(np.isnan(observed), NEVER, np.maximum(stamps, _spread(seen_from, cell[first], len(stamps), NEVER)))
    outlier, alert = (
        _spread(_latest(flag(rows, name).astype(np.int64), first), cell[first], len(stamps), 0) == 1
        for name in ("is_outlier", "is_alert")
    )
    source = previous_true(~np.isnan(values), grid.owner)
    filled = np.isnan(values) & (source != NOWHERE)
    values[filled] = values[source[filled]]
    available[filled] = np.maximum(available[filled], available[source[filled]])
    return pl.DataFrame(
        {
            "unique_id": grid.owner.ids.gather(grid.owner.number()),
            "ds": times(stamps),
            "y": pl.Series(values).fill_nan(None),
            "y_raw": pl.Series(observed).fill_nan(None),
            "available_at": times(available),
            "is_gap": np.isnan(observed),
            "is_outlier": outlier,
            "fill_strategy": pl.Series(filled).replace_strict({True: "last", False: None}, return_dtype=pl.String),
            "is_alert": alert,
            "observed_available_at": times(seen),
        },
        schema=GRID_SCHEMA,
    )


def _means(values: Floats, which: Bools, first: Ints) -> Floats:
    if not len(first):
        return np.zeros(0)
    sums = np.add.reduceat(np.where(which, values, 0.0), first)
    counts = np.add.reduceat(which.astype(np.int64), first)
    means: Floats = np.divide(sums, counts, out=np.full(len(first), np.nan), where=counts > 0)
    return means


def _latest(values: Ints, first: Ints) -> Ints:
    return np.maximum.reduceat(values, first) if len(first) else np.zeros(0, np.int64)


def _spread(values: np.ndarray, cells: Ints, size: int, empty: float | np.int64) -> np.ndarray:
    spread = np.full(size, empty, dtype=values.dtype)
    spread[cells] = values
    return spread


def _profile(table: pl.DataFrame, grid: _Grid, single: Bools) -> pl.DataFrame:
    """Describe the grid in the profile of each series; one of a single row keeps its own."""
    periods = [Period("fixed", int(step)) for step in grid.step]
    described = {
        "period_kind": pl.repeat("fixed", len(periods), dtype=pl.String, eager=True),
        "period_us": pl.Series(grid.step),
        "period_label": pl.Series([period.label for period in periods], dtype=pl.String),
        "n": pl.Series(grid.owner.lengths),
        **{name: times(_border(instants(table[name]), grid)) for name in BORDERS},
    }
    own = pl.Series(single)
    return table.with_columns(
        pl.when(own).then(pl.col(name)).otherwise(column).cast(table.schema[name]).alias(name)
        for name, column in described.items()
    )


def _border(border: Ints, grid: _Grid) -> Ints:
    """Move borders to the grid: the same points lie before them as whole cells do."""
    known = np.where(border == NEVER, grid.origin, border)
    moved = grid.origin - (grid.origin - known) // grid.step * grid.step
    return np.where(border == NEVER, NEVER, moved)


def _ledger(owner: Segments, state: pl.DataFrame, limit: int) -> pl.DataFrame:
    entry = state.select(
        status=pl.when("failed").then(pl.lit("failed")).when("single").then(pl.lit("skipped")).otherwise(pl.lit("ok")),
        reason=pl.when("unknown")
        .then(pl.lit("no median gap is known, so there is no grid to bring it to"))
        .when("failed")
        .then(pl.format("its grid would have {} points, more than max_grid_points = {}", "points", pl.lit(limit)))
        .when("single")
        .then(pl.lit("one point has no gap to make a grid of; it stays as it is")),
        cells=pl.when("failed").then(0).otherwise("points"),
    )
    return entries(
        owner.ids,
        status=entry["status"],
        reason=entry["reason"],
        counts={"rows": pl.Series(owner.lengths), "cells": entry["cells"], "behind": state["behind"]},
    )
