"""The newest input of each series, for serving: the window that ends at its last observed point."""

import numpy as np
import polars as pl

from sparkhu.frame import TIME
from sparkhu.steps.sequence_rows import EARLIEST, Integers, SequenceRows, flagged


def newest_inputs(sequences: pl.DataFrame, profile: pl.DataFrame, *, zone: str = "UTC") -> pl.DataFrame:
    """Find each series' newest input for serving: the L rows that end at its last observed point.

    Rows behind it that were only filled say nothing new and are left out, so the cutoff is the same however they were.

    Args:
        sequences: As in `index_windows`.
        profile: As in `index_windows`.
        zone: As in `index_windows`.

    Returns:
        One row a series with such a point (with a value, in `y_raw` too where the frame has it, else with a value that
        was not filled): `unique_id`, `cutoff` (the instant of that point), `end` (its row in
        `sequences`), `points` (how many rows up to it have a value and follow each other without a hole), `valid`
        (`points` are L at least), `reason` (null where valid), `inputs_available_at` (of the last L of these points).
    """
    rows = SequenceRows(sequences, profile, zone)
    unseen = flagged(sequences, "y_raw", pl.col("y_raw").is_null()) if "y_raw" in sequences.columns else rows.made
    places = sequences.select("unique_id", cutoff="ds", end=pl.int_range(pl.len(), dtype=pl.Int64))
    last = places.filter(~(rows.missing | unseen)).group_by("unique_id", maintain_order=True).last()
    found = rows.table.join(last, on="unique_id", maintain_order="left")
    end, size = found["end"].to_numpy(), found["input_size"].fill_null(1).to_numpy()
    points = end - rows.unbroken_from()[end] + 1
    latest = _span_max(rows.known, end + 1 - np.minimum(points, size), end + 1)
    reason = (
        pl.when(pl.col("input_size").is_null())
        .then(pl.lit("no period was found"))
        .when(pl.col("length") < pl.col("input_size"))
        .then(pl.format("{} points, the input needs {}", pl.col("length"), pl.col("input_size")))
        .when(pl.col("points") < pl.col("input_size"))
        .then(pl.format("{} points since the last hole, the input needs {}", pl.col("points"), pl.col("input_size")))
    )
    placed = found.with_columns(
        points=pl.Series(points, dtype=pl.Int64), inputs_available_at=pl.Series(latest, dtype=pl.Int64).cast(TIME)
    ).with_columns(reason=reason)
    names = ("unique_id", "cutoff", "end", "points", "valid", "reason", "inputs_available_at")
    return placed.with_columns(valid=pl.col("reason").is_null()).select(names)


def _span_max(values: Integers, low: Integers, high: Integers) -> Integers:
    borders = np.column_stack([low, high]).ravel()
    return np.maximum.reduceat(np.append(values, EARLIEST), borders)[::2] if len(borders) else borders
