"""Sliding windows as an index over the sequences: X of exactly L points, then Y of exactly H, in time order.

A window is a row of a table, not a copy of its values; `window_view` expands where values are needed. A window is
refused, with the first of these reasons that holds:

| reason | the window has |
| --- | --- |
| `null` | a missing value that no gap explains |
| `unfilled gap` | a marked gap without a value, or rows that are missing between two of its points |
| `dropped point` | a point that the strategy `drop` took out |
| `input not yet known` | a made X value that was not known at the window's own moment (it may contain its target) |

Made is a value that was filled, or that differs from what was observed (`y_raw`), as a clipped one does.
The moment of a window is the last X's `ds`, or its `available_at` where that point was observed. A made X is
refused as well when it became available no earlier than some observed point after the X: it may be made from it.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame, segments
from sparkhu.steps.own_periods import PERIOD, by_period, with_periods
from sparkhu.steps.result import StepResult

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
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
LATEST = np.iinfo(np.int64).max
EARLIEST = np.iinfo(np.int64).min


def check_stride(stride: int) -> None:
    """Check the parameter `stride`.

    Raises:
        InputError: It is not positive.
    """
    if stride < 1:
        raise InputError(f"stride must be at least 1 row, got {stride}")


def index_windows(sequences: pl.DataFrame, profile: pl.DataFrame, *, stride: int = 1, zone: str = "UTC") -> StepResult:
    """Index every window of each series, whether it can be used, and from when its inputs and targets are known.

    Args:
        sequences: Sorted rows `unique_id, ds, y, available_at`; `y_raw`, `observed_available_at`, `is_gap`,
            `fill_strategy` and `anomaly_strategy` are used where present.
        profile: `input_size` (L), `horizon` (H) and `period_label` per series, null where a series has no period;
            `zone` and `month_day` of its calendar where they were found.
        stride: Rows from one window's start to the next.
        zone: Zone of the calendar where the profile names none.

    Returns:
        Frame `windows`: `unique_id`, `offset` (row of the first X within the series), `valid`, `reason` (null where
        valid), the instants `inputs_from` and `cutoff` of the first and last X, `targets_from` and `targets_until` of
        the first and last Y, `inputs_available_at` (the latest `available_at` of the X), `targets_available_at` (of
        the Y, as given and as observed). The ledger counts windows per reason; a series shorter than L + H, or without
        a period, is `skipped` in it.

    Raises:
        InputError: The parameter or a column cannot be used.
    """
    check_stride(stride)
    check_frame(profile, "unique_id", "input_size", "horizon", "period_label")
    rows = SequenceRows(sequences, profile, zone)
    parts = [pl.DataFrame(schema=SCHEMA)]
    for (size, horizon), series in rows.sizes():
        parts.append(_windows_of(rows, series, size, horizon, stride))
    windows = pl.concat(parts).sort("unique_id", "offset", maintain_order=True)
    return StepResult({"windows": windows}, _entries(rows.table, windows))


class SequenceRows:
    """The rows of a shard as arrays, with what decides whether a window may hold them.

    Attributes:
        table: One row a series: `unique_id, start, length, input_size, horizon` and its period.
        broken: Per reason but the last, the rows that no window may hold.
        joint: Rows that do not follow the row before by one period; no window may hold them but as its first.
        known: `available_at` in microseconds.
        settled: When both the value and what was observed were known: the later of the two.
    """

    def __init__(self, sequences: pl.DataFrame, profile: pl.DataFrame, zone: str = "UTC"):
        check_frame(sequences, "unique_id", "ds", "y", "available_at")
        starts, lengths = segments(sequences)
        series = sequences["unique_id"].gather(starts).to_frame()
        plan = with_periods(profile, zone).select("unique_id", "input_size", "horizon", *PERIOD)
        self.table = series.with_columns(
            start=pl.Series(starts, dtype=pl.Int64), length=pl.Series(lengths, dtype=pl.Int64)
        ).join(plan, on="unique_id", how="left", maintain_order="left")
        self.ds = sequences["ds"].to_physical().to_numpy()
        self.known = sequences["available_at"].to_physical().to_numpy()
        both = [name for name in ("available_at", "observed_available_at") if name in sequences.columns]
        self.settled = sequences.select(pl.max_horizontal(both)).to_series().to_physical().to_numpy()
        self.missing = sequences["y"].is_null().to_numpy()
        gap = flagged(sequences, "is_gap", pl.col("is_gap").fill_null(False))
        strategies = ("fill_strategy", "anomaly_strategy")
        named = [flagged(sequences, name, (pl.col(name) == "drop").fill_null(False)) for name in strategies]
        dropped = (named[0] | named[1]) & self.missing
        self.broken = (self.missing & ~gap & ~dropped, self.missing & gap & ~dropped, dropped)
        filled = flagged(sequences, "fill_strategy", pl.col("fill_strategy").is_not_null())
        changed = flagged(sequences, "y_raw", pl.col("y").ne_missing(pl.col("y_raw")))
        self.made = (filled | changed) & ~self.missing
        self.joint = _joints(sequences["ds"], self.table)
        self.series = sequences["unique_id"]

    def sizes(self) -> list[tuple[tuple[int, int], pl.DataFrame]]:
        """List each (L, H) in use with the series long enough for it."""
        enough = self.table.filter(pl.col("length") >= pl.col("input_size") + pl.col("horizon"))
        parts = enough.partition_by("input_size", "horizon", as_dict=True, maintain_order=True)
        return [((int(size), int(horizon)), part) for (size, horizon), part in parts.items()]

    def unbroken_from(self) -> Integers:
        """Give, per row, the first row from which on all have a value and follow each other, up to this one."""
        row = np.arange(len(self.missing))
        restart = np.where(self.missing, row + 1, np.where(self.joint, row, 0))
        first = self.table["start"].to_numpy()
        restart[first] = np.maximum(restart[first], first)
        return np.maximum.accumulate(restart)

    def known_after(self) -> Integers:
        """Give, per row, the earliest `available_at` of the observed rows after it in its series."""
        seen = pl.Series(np.where(self.made | self.missing, LATEST, self.known))
        after = pl.col("seen").cum_min(reverse=True).shift(-1, fill_value=LATEST).over("series")
        frame = pl.DataFrame({"series": self.series, "seen": seen})
        return frame.select(after).to_series().to_numpy()


def flagged(frame: pl.DataFrame, column: str, condition: pl.Expr) -> Booleans:
    """Say which rows fulfil a condition on a column; none where the frame does not have it."""
    if column not in frame.columns:
        return np.zeros(frame.height, bool)
    return frame.select(condition).to_series().to_numpy().astype(bool)


def _joints(ds: pl.Series, table: pl.DataFrame) -> Booleans:
    """Mark rows that stand 1.7 periods or more after the row before: what gap marking calls a gap."""
    joint = np.zeros(len(ds), bool)
    times = ds.to_physical().to_numpy()
    for period, part in by_period(table):
        rows = _rows_of(part["start"].to_numpy(), part["length"].to_numpy(), skip=1)
        steps, behind = period.fit_us(times[rows - 1], times[rows])
        joint[rows] = (steps > 2) | ((steps == 2) & (behind >= -0.3 * period.nominal_us))
    return joint


def _rows_of(starts: Integers, lengths: Integers, *, skip: int = 0) -> Integers:
    counts = np.maximum(lengths - skip, 0)
    first = np.repeat(starts + skip - np.cumsum(counts) + counts, counts)
    return first + np.arange(counts.sum())


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
    return null, gap, dropped, ~inputs_known(rows, at, size)


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
