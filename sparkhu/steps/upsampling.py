"""Up: rows are inserted between the points of series, at the instants of a shorter period."""

from typing import Literal

import numpy as np
import polars as pl

from sparkhu.periods import Period
from sparkhu.steps.bucket_values import VALUES_OF, VOLUME
from sparkhu.steps.gaps import mark_gaps
from sparkhu.steps.segmented import (
    NEVER,
    NOWHERE,
    Bools,
    Floats,
    Ints,
    Segments,
    floats,
    instants,
    next_true,
    previous_true,
    times,
)
from sparkhu.zones import DAY_US

Up = Literal["last", "linear", "none"]
MONTHS = {"month": 1, "quarter": 3, "year": 12}


def divides(source: Period, target: Period) -> bool:
    """Whether every step of one period is a whole number of steps of another, on any day of the calendar."""
    if target.kind in MONTHS and source.kind in MONTHS:
        return MONTHS[source.kind] % MONTHS[target.kind] == 0
    if target.microseconds is None:
        return False
    if target.microseconds % DAY_US:
        whole_days = source.microseconds is None or source.microseconds % DAY_US == 0
        length = DAY_US if whole_days or source.microseconds is None else source.microseconds
        return length % target.microseconds == 0
    if source.microseconds is None:
        return target.microseconds == DAY_US
    return source.microseconds % target.microseconds == 0


def up_to(full: pl.DataFrame, target: Period, *, up: Up) -> tuple[pl.DataFrame, pl.Series]:
    """Insert rows between the points of series, up to their last.

    Args:
        full: Rows as `sparkhu.steps.bucket_values.complete` gives them, sorted, each instant of a series once.
        target: The shorter period, in the zone of the series.
        up: What stands in the new rows: the `last` value; `linear` in time between both neighbours, known when both
            are; or `none`. Beside a missing value stands none.

    Returns:
        The rows of all series, and per series why none could be inserted (null where they were; such a series has no
        rows). In a new row `y_raw` is null, `is_gap` is true, `volume` is 0, and other columns of the source are null.
    """
    owner = Segments.of(full)
    profile = pl.DataFrame(
        {"unique_id": owner.ids, "decision": "regular", "period_label": target.label, "zone": target.zone},
        schema=dict.fromkeys(("unique_id", "decision", "period_label", "zone"), pl.String),
    )
    marked = mark_gaps(full, profile)
    rows, new = marked.frames["observations"], marked.frames["observations"]["count"].is_null()
    filled = _fill(rows, new.to_numpy(), up).with_columns(count=pl.col("count").fill_null(1))
    filled = filled.with_columns(
        missing=pl.when(new).then(1).otherwise("missing"),
        unmarked=pl.when(new).then(0).otherwise("unmarked"),
        values=pl.when(new).then(pl.col("y").is_not_null().cast(pl.Int64)).otherwise("values"),
    ).with_columns(pl.col(f"^{VALUES_OF}.*$").fill_null(0))
    if VOLUME in filled.columns and filled.schema[VOLUME].is_numeric():
        filled = filled.with_columns(pl.when(new).then(0.0).otherwise(VOLUME).alias(VOLUME))
    return filled, marked.ledger["reason"]


def _fill(rows: pl.DataFrame, new: Bools, up: Up) -> pl.DataFrame:
    if up == "none":
        return rows
    owner = Segments.of(rows)
    y, known, ds = floats(rows["y"]), instants(rows["available_at"]), instants(rows["ds"])
    before, after = previous_true(~new, owner), next_true(~new, owner)
    value, since = (y[before], known[before]) if up == "last" else _between(y, known, ds, before, after)
    made = new & ~np.isnan(value) & (before != NOWHERE)
    strategy = pl.when(pl.Series(made)).then(pl.lit(up)).otherwise("fill_strategy")
    return rows.with_columns(
        y=pl.Series(np.where(made, value, y)).fill_nan(None),
        available_at=times(np.where(made, np.maximum(known, since), known)),
        fill_strategy=strategy,
    )


def _between(y: Floats, known: Ints, ds: Ints, before: Ints, after: Ints) -> tuple[Floats, Ints]:
    """Draw straight lines in time between the points before and after each row."""
    span = np.maximum(ds[after] - ds[before], 1)
    value = y[before] + (y[after] - y[before]) * ((ds - ds[before]) / span)
    return value, np.maximum(np.maximum(known[before], known[after]), NEVER)
