"""Sliding windows as an index over the sequences: X of exactly L points, then Y of exactly H, in time order.

A window is a row of a table, not a copy of its values; `window_view` expands where values are needed. A window is
refused, with the first of these reasons that holds:

| reason | the window has |
| --- | --- |
| `null` | a missing value that no gap explains |
| `unfilled gap` | a marked gap without a value, or rows that are missing between two of its points |
| `dropped point` | a point that the strategy `drop` took out |
| `input not yet known` | an X value known later than an observed Y, or a made one later than the window's own moment |

An observed value is known from the first version of it on: what was revised later is looked up as it was in its time
(`sparkhu.versions`). One that was withdrawn for a time and given again is known from then on, but a Y was seen with its
first version all the same. X that arrive together with their Y, as in one delivery, are let in.

Made is a value that was filled, or that differs from what was observed (`y_raw`), as a clipped one does.
The moment of a window is the last X's `ds`, or when that point became known where it was observed. A made X is
refused as well when it became available no earlier than some observed point after the X: it may be made from it,
and contain its target.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame
from sparkhu.steps.result import StepResult
from sparkhu.steps.sequence_rows import EARLIEST, Booleans, Integers, SequenceRows

NULL, GAP, DROPPED, UNKNOWN = REASONS = ("null", "unfilled gap", "dropped point", "input not yet known")
SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "offset": pl.Int64(),
    "valid": pl.Boolean(),
    "reason": pl.String(),
    "inputs_from": TIME,
    "cutoff": TIME,
    "targets_from": TIME,
    "targets_until": TIME,
    "inputs_available_at": TIME,
    "targets_available_at": TIME,
}
Number = TypeVar("Number", np.float64, np.int64)


def check_stride(stride: int) -> None:
    """Check the parameter `stride`.

    Raises:
        InputError: It is not positive.
    """
    if stride < 1:
        raise InputError(f"stride must be at least 1 row, got {stride}")


def index_windows(
    sequences: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    stride: int = 1,
    zone: str = "UTC",
    versions: pl.DataFrame | None = None,
) -> StepResult:
    """Index every window of each series, whether it can be used, and from when its inputs and targets are known.

    Args:
        sequences: Sorted rows `unique_id, ds, y, available_at`; `y_raw`, `observed_available_at`, `is_gap`,
            `fill_strategy` and `anomaly_strategy` are used where present.
        profile: `input_size` (L), `horizon` (H) and `period_label` per series, null where a series has no period;
            `zone` and `month_day` of its calendar where they were found.
        stride: Rows from one window's start to the next.
        zone: Zone of the calendar where the profile names none.
        versions: The versions of revised points (`sparkhu.versions.versions_of`); null: none was revised.

    Returns:
        Frame `windows`: `unique_id`, `offset` (row of the first X within the series), `valid`, `reason` (null where
        valid), the instants `inputs_from` and `cutoff` of the first and last X, `targets_from` and `targets_until` of
        the first and last Y, `inputs_available_at` (from when on some version of each X was known),
        `targets_available_at` (from when on the newest of each Y was, as given and as observed). The ledger counts
        windows per reason; a series shorter than L + H, or without a period, is `skipped` in it.

    Raises:
        InputError: The parameter or a column cannot be used.
    """
    check_stride(stride)
    check_frame(profile, "unique_id", "input_size", "horizon", "period_label")
    rows = SequenceRows(sequences, profile, zone, versions)
    parts = [pl.DataFrame(schema=SCHEMA)]
    for (size, horizon), series in rows.sizes():
        parts.append(_windows_of(rows, series, size, horizon, stride))
    windows = pl.concat(parts).sort("unique_id", "offset", maintain_order=True)
    return StepResult({"windows": windows}, _entries(rows.table, windows))


def _windows_of(rows: SequenceRows, series: pl.DataFrame, size: int, horizon: int, stride: int) -> pl.DataFrame:
    per_series = (series["length"].to_numpy() - size - horizon) // stride + 1
    code = np.repeat(np.arange(series.height), per_series)
    nth = np.arange(len(code)) - np.repeat(np.cumsum(per_series) - per_series, per_series)
    offset = nth * stride
    at = series["start"].to_numpy()[code] + offset
    inputs = sliding_max(rows.known, size)[at]
    targets = sliding_max(rows.settled, horizon)[at + size]
    instants = {"inputs_from": at, "cutoff": at + size - 1}
    instants |= {"targets_from": at + size, "targets_until": at + size + horizon - 1}
    reason = np.full(len(at), -1)
    for index, broken in reversed([*enumerate(_refusals(rows, at, size, horizon))]):
        reason[broken] = index
    names = pl.Series(REASONS).gather(pl.Series(np.where(reason < 0, 0, reason), dtype=pl.UInt32))
    return pl.DataFrame(
        {
            "unique_id": series["unique_id"].gather(code),
            "offset": offset,
            "valid": reason < 0,
            "reason": names.zip_with(pl.Series(reason >= 0), pl.Series([None], dtype=pl.String)),
            **{name: _times(rows.ds[row]) for name, row in instants.items()},
            "inputs_available_at": _times(inputs),
            "targets_available_at": _times(targets),
        },
        schema=SCHEMA,
    )


def _times(microseconds: Integers) -> pl.Series:
    return pl.Series(microseconds, dtype=pl.Int64).cast(TIME)


def _refusals(rows: SequenceRows, at: Integers, size: int, horizon: int) -> tuple[Booleans, ...]:
    """Say per reason which of the windows starting at rows `at` it refuses."""
    null, gap, dropped = (holds_any(broken, at, size + horizon) for broken in rows.broken)
    gap |= holds_any(rows.joint, at + 1, size + horizon - 1)
    first_target = -sliding_max(-rows.seen, horizon)[at + size]
    late = sliding_max(rows.known, size)[at] > first_target
    return null, gap, dropped, late | ~inputs_known(rows, at, size)


def inputs_known(rows: SequenceRows, at: Integers, size: int) -> Booleans:
    """Say which windows hold only made X values that were known at the window's own moment."""
    if not rows.made.any():
        return np.ones(len(at), bool)
    last = at + size - 1
    observed = ~(rows.made | rows.missing)[last]
    moment = np.where(observed, np.maximum(rows.ds[last], rows.known[last]), rows.ds[last])
    latest = sliding_max(np.where(rows.made, rows.known, EARLIEST), size)[at]
    return (latest <= moment) & (latest < rows.known_after()[last])


def holds_any(flags: Booleans, at: Integers, length: int) -> Booleans:
    """Say for each start in `at` whether any of the `length` rows from it on is flagged."""
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(flags)])
    return sums[at + length] > sums[at]


def sliding_max(values: Integers, length: int) -> Integers:
    """Give the maximum of each `length` consecutive values: an array shorter by `length − 1`.

    Doubles the covered width, so it takes log2(length) passes.
    """
    width, best = 1, values
    while 2 * width <= length:
        best = np.maximum(best[:-width], best[width:])
        width *= 2
    rest = length - width
    return np.maximum(best[: len(best) - rest], best[rest:])


def _entries(table: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    counted = windows.group_by("unique_id").agg(
        pl.len().alias("windows"),
        pl.col("valid").sum(),
        *[(pl.col("reason") == reason).fill_null(False).sum().alias(reason) for reason in REASONS],
    )
    names = ("windows", "valid", *REASONS)
    table = table.join(counted, on="unique_id", how="left", maintain_order="left")
    table = table.with_columns(pl.col(names).fill_null(0))
    short = pl.format("{} points, a window needs {} + {}", pl.col("length"), pl.col("input_size"), pl.col("horizon"))
    table = table.with_columns(
        why=pl.when(pl.col("input_size").is_null() | pl.col("horizon").is_null())
        .then(pl.lit("no period was found, so windows have no size"))
        .when(pl.col("length") < pl.col("input_size") + pl.col("horizon"))
        .then(short)
    )
    status = table["why"].is_null().replace_strict({True: "ok", False: "skipped"}, return_dtype=pl.String)
    return ledger.entries(
        table["unique_id"], status=status, reason=table["why"], counts={name: table[name] for name in names}
    )


def window_view(values: npt.NDArray[Number], size: int) -> npt.NDArray[Number]:
    """Give a read-only view (n − size + 1, size) of all windows of an array (n), without a copy.

    Example:
        >>> window_view(np.arange(4.0), 3).tolist()
        [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]
    """
    if len(values) < size:
        return np.empty((0, size), values.dtype)
    return np.lib.stride_tricks.sliding_window_view(values, size)
