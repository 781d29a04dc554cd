"""Which part of the time-ordered split each window belongs to, and a shard's windows ready for arithmetic.

| part | its windows |
| --- | --- |
| `train` | X and Y lie before `train_end`, and were known before it |
| `choose` | Y inside `[train_end, valid_end)`, early in it: chooses ridge strength, champion, what is cleaned |
| `calibrate` | Y inside it, late in it: calibrates the intervals, and chose nothing |
| `test` | Y inside `[valid_end, test_end)`: is only reported |
| `other` | Y crosses a border, lies behind `test_end` or was known too late: only for the final fit |

A value that is known only later (`available_at`), as one filled from the first point behind a border, would carry that
point into the part before it. So a window chooses or calibrates only where it was known before the end of its half as
well. A test window may be known at any time: nothing learns from it.

The X of a validation or test window may reach back over the border. Y before the middle of the validation part chooses,
Y after it calibrates, Y across it is `other`; but the first third of a series' validation windows chooses and the last
third calibrates in any case. So the two share no target where the validation part holds four horizons. Where it is
shorter they share some, and neither is left with the one window that clean halves of two horizons would leave it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import check_frame, segments
from sparkhu.steps.scaling import ScalerColumns, to_original, to_scaled
from sparkhu.steps.windows import window_view

TRAIN, CHOOSE, CALIBRATE, TEST, OTHER = PARTS = ("train", "choose", "calibrate", "test", "other")
CHUNK_BYTES = 16 * 2**20
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ShardWindows:
    """The usable windows of a shard and the values that they stand for.

    Attributes:
        series: One row a series that has a scaler and a group: `unique_id, group, input_size, horizon,
            season_length`.
        table: One row a valid window, by series and time: `code` (row in `series`), `start` (row of the first
            X), `part`.
        inputs: y in scaled units, one element a row of the shard; NaN where null.
        truth: The observed values in scaled units; NaN where nothing was observed.
        observed: The observed values in the series' own units; NaN where nothing was observed.
        scaler: The scalers, an element per row of `series`.
    """

    series: pl.DataFrame
    table: pl.DataFrame
    inputs: Floats
    truth: Floats
    observed: Floats
    scaler: ScalerColumns

    def groups(self) -> list[tuple[str, int, int, pl.DataFrame]]:
        """List `(group, L, H, its rows of table)`, in the order of the names."""
        rows = self.table.join(
            self.series.select("group", code=pl.int_range(pl.len(), dtype=pl.Int64)), on="code", maintain_order="left"
        )
        sizes = self.series.group_by("group").agg(pl.col("input_size", "horizon").first()).sort("group")
        parts = rows.partition_by("group", as_dict=True, include_key=False)
        return [(g, L, H, parts[(g,)]) for g, L, H in sizes.iter_rows() if (g,) in parts]

    def chunks(self, rows: pl.DataFrame, size: int) -> Iterator[tuple[Integers, Integers]]:
        """Yield `(codes, starts)` of windows of `size` points, so few at a time that their values stay small."""
        step = max(CHUNK_BYTES // (8 * size), 1)
        codes, starts = rows["code"].to_numpy(), rows["start"].to_numpy()
        for low in range(0, len(starts), step):
            yield codes[low : low + step], starts[low : low + step]

    def unscaled(self, values: Floats, codes: Integers) -> Floats:
        """Bring scaled values (windows, H) of the series `codes` back to their own units."""
        return to_original(values, self.scaler.take(codes))


def expand(values: Floats, starts: Integers, size: int) -> Floats:
    """Copy the windows (n, size) that begin at `starts` out of an array."""
    return window_view(values, size)[starts]


def assemble(
    sequences: pl.DataFrame, windows: pl.DataFrame, scalers: pl.DataFrame, profile: pl.DataFrame
) -> ShardWindows:
    """Put a shard's windows, values and scalers together.

    Args:
        sequences: Sorted rows; `y_raw` where steps changed values.
        windows: As `index_windows` gives them.
        scalers: As `fit_scalers` gives them.
        profile: With `group, input_size, horizon, season_length, train_end, valid_end, test_end`.
    """
    check_frame(sequences, "unique_id", "ds", "y")
    check_frame(profile, "unique_id", "group", "input_size", "horizon", "season_length")
    starts, _ = segments(sequences)
    every = pl.DataFrame({"unique_id": sequences["unique_id"].gather(starts), "start": starts})
    series = every.join(profile, on="unique_id", maintain_order="left").drop_nulls("group")
    series = series.join(scalers.select("unique_id"), on="unique_id", how="semi", maintain_order="left")
    table = assign_parts(windows.filter("valid"), series, sequences["ds"])
    scaled_rows = sequences.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64)).join(
        series.select("unique_id"), on="unique_id", how="semi", maintain_order="left"
    )
    per_row, row = ScalerColumns.of(scaled_rows["unique_id"], scalers), scaled_rows["row"].to_numpy()
    inputs, observed = (
        np.full(len(sequences), np.nan),
        _values(sequences, "y_raw" if "y_raw" in sequences.columns else "y"),
    )
    truth = inputs.copy()
    inputs[row] = to_scaled(_values(sequences, "y")[row], per_row)
    truth[row] = to_scaled(observed[row], per_row)
    scaler = ScalerColumns.of(series["unique_id"], scalers)
    names = ("unique_id", "group", "input_size", "horizon", "season_length")
    return ShardWindows(series.select(names), table, inputs, truth, observed, scaler)


def _values(frame: pl.DataFrame, name: str) -> Floats:
    return frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def assign_parts(windows: pl.DataFrame, series: pl.DataFrame, ds: pl.Series) -> pl.DataFrame:
    """Say of each window which part it belongs to.

    Args:
        windows: Valid windows, `unique_id, offset, inputs_available_at, targets_available_at`, by series and time.
        series: One row a series: `unique_id`, `start` (its first row), `input_size, horizon, train_end, valid_end,
            test_end`.
        ds: The instants of all rows of the shard.

    Returns:
        One row a window of the series given: `code` (row in `series`), `start` (row of its first X), `part`.
    """
    coded = series.select(
        "unique_id", "input_size", "horizon", "train_end", "valid_end", "test_end", first="start",
        code=pl.int_range(pl.len(), dtype=pl.Int64),
    )  # fmt: skip
    rows = windows.select(
        "unique_id", "offset", known=pl.max_horizontal("inputs_available_at", "targets_available_at")
    ).join(coded, on="unique_id", maintain_order="left")
    rows = rows.with_columns(start=pl.col("first") + pl.col("offset"))
    first_y, end_y = rows["start"] + rows["input_size"], rows["start"] + rows["input_size"] + rows["horizon"]
    rows = rows.with_columns(y_from=ds.gather(first_y), y_last=ds.gather(end_y - 1))
    inside = (pl.col("y_from") >= pl.col("train_end")) & (pl.col("y_last") < pl.col("valid_end"))
    in_test = (pl.col("y_from") >= pl.col("valid_end")) & (pl.col("y_last") < pl.col("test_end"))
    part = (
        pl.when(pl.max_horizontal("y_last", "known") < pl.col("train_end"))
        .then(pl.lit(TRAIN))
        .when(inside & (pl.col("known") < pl.col("valid_end")))
        .then(pl.lit("validation"))
        .when(in_test)
        .then(pl.lit(TEST))
        .otherwise(pl.lit(OTHER))
    )
    return _halved(rows.with_columns(part=part)).select("code", "start", "part")


def _halved(rows: pl.DataFrame) -> pl.DataFrame:
    """Divide the validation windows of each series into those that choose and those that calibrate."""
    validation = pl.col("part") == "validation"
    counted = rows.with_columns(nth=validation.cum_sum().over("code"), third=(validation.sum().over("code") + 2) // 3)
    early = validation & (pl.col("nth") <= pl.col("third"))
    late = pl.col("nth") > validation.sum().over("code") - pl.col("third")
    counted = counted.with_columns(early_until=pl.col("y_last").filter(early).max().over("code"))
    middle = pl.col("train_end") + (pl.col("valid_end") - pl.col("train_end")) / 2
    known = pl.max_horizontal("y_last", "known")
    return counted.with_columns(
        part=pl.when(~validation)
        .then("part")
        .when((known < middle) | (early & (known <= pl.col("early_until"))))
        .then(pl.lit(CHOOSE))
        .when((pl.col("y_from") >= middle) | late)
        .then(pl.lit(CALIBRATE))
        .otherwise(pl.lit(OTHER))
    )
