"""Joining of both ways: the regular series with their gaps filled and the irregular ones on their grid."""

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import CLEAN_SCHEMA, TIME, check_frame
from sparkhu.ledger import entries
from sparkhu.steps.prompt_fills import fill_promptly
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import Segments

SEQUENCE_SCHEMA: dict[str, pl.DataType] = {
    **CLEAN_SCHEMA,
    "observed_available_at": TIME,
    "is_anomaly": pl.Boolean(),
    "handled": pl.Float64(),
    "handled_available_at": TIME,
    "anomaly_strategy": pl.String(),
}
"""The columns of the sequences: what was observed, and what each cleaning step would put in its place."""


def join_series(
    regular: pl.DataFrame, irregular: pl.DataFrame, profile: pl.DataFrame, grid_profile: pl.DataFrame
) -> StepResult:
    """Join the model-ready rows of both ways of a shard; observed and cleaned values stand side by side.

    Args:
        regular: Regular series with marked and filled gaps and handled anomalies. Where a cleaning step was off and its
            columns are not there, nothing was changed: `y_raw` is `y`, `observed_available_at` is `available_at` where
            something was observed, no flag is set, `fill_strategy` and `anomaly_strategy` are null, `handled` is `y`.
        irregular: Irregular series on their grid.
        profile: One row a series of the shard.
        grid_profile: One row an irregular series, as its grid has it.

    Returns:
        `sequences`: the columns of `SEQUENCE_SCHEMA`, sorted by series and time, with fills that are known promptly
        (`sparkhu.steps.prompt_fills`); `profile`: one row a series in
        `sequences`, in the same order, with the columns of `profile`. The ledger counts `rows`.

    Raises:
        InputError: A series goes both ways, or a column is missing.
    """
    both = [fill_promptly(_sequence(regular)), _sequence(irregular)]
    doubled = sorted(set(both[0]["unique_id"].unique()) & set(both[1]["unique_id"].unique()))
    if doubled:
        raise InputError(f"series '{doubled[0]}' goes both ways; a series is regular or irregular, not both.")
    sequences = _by_series(pl.concat(both))
    owner = Segments.of(sequences)
    rest = profile.filter(~pl.col("unique_id").is_in(grid_profile["unique_id"].implode()))
    joined = pl.concat([rest, grid_profile.select(profile.columns)])
    ledger = entries(owner.ids, counts={"rows": pl.Series(owner.lengths)})
    table = owner.align(joined, *[name for name in joined.columns if name != "unique_id"])
    return StepResult({"sequences": sequences, "profile": table}, ledger)


def _sequence(frame: pl.DataFrame) -> pl.DataFrame:
    check_frame(frame, "unique_id", "ds", "y", "available_at")
    absent = {
        "y_raw": pl.col("y"),
        "is_gap": pl.col("y").is_null(),
        "is_outlier": pl.lit(value=False),
        "fill_strategy": pl.lit(None, dtype=pl.String),
        "is_anomaly": pl.lit(value=False),
        "handled": pl.col("y"),
        "handled_available_at": pl.col("available_at"),
        "anomaly_strategy": pl.lit(None, dtype=pl.String),
    }
    frame = frame.with_columns(**{name: value for name, value in absent.items() if name not in frame.columns})
    if "observed_available_at" not in frame.columns:
        frame = frame.with_columns(observed_available_at=pl.when(pl.col("y_raw").is_not_null()).then("available_at"))
    return frame.select(pl.col(name).cast(dtype) for name, dtype in SEQUENCE_SCHEMA.items())


def _by_series(frame: pl.DataFrame) -> pl.DataFrame:
    """Bring whole series, each sorted by time, into the order of their names."""
    owner = Segments.of(frame)
    order = owner.ids.arg_sort().to_numpy()
    if np.array_equal(order, np.arange(len(order))):
        return frame
    lengths = owner.lengths[order]
    offset = np.arange(frame.height) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return frame.select(pl.all().gather(np.repeat(owner.starts[order], lengths) + offset))
