"""A shard's windows ready for arithmetic, wherever their values are read.

Training and evaluation read a stored table by point-in-time look-ups (`stored.py`); what is compared before anything is
stored, as the variants of cleaning are, is read from the frame at hand. Both are sources of windows, so that the
arithmetic on them exists once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import check_frame, segments
from sparkhu.models.base import Histories, Inputs
from sparkhu.steps.scaling import ScalerColumns, to_original, to_scaled
from sparkhu.steps.segmented import floats
from sparkhu.steps.windows import window_view
from sparkhu.training.parts import Floats, Integers, assign_parts

CHUNK_BYTES = 16 * 2**20
Target = Literal["given", "truth", "observed"]
"""What Y is: the values that forecasters are given, in scaled units; what was observed, in scaled units; what was
observed, in the series' own units. NaN where nothing was observed."""


class Laid(NamedTuple):
    """Where X and Y of windows lie whole in arrays of values, so that nothing needs to be copied.

    Attributes:
        there: Which of the windows do, (windows,); the others have to be read.
        x: The values that X lies in.
        x_starts: Where the X of each window that is there begins.
        y: The values that Y lies in.
        y_starts: Likewise of Y.
    """

    there: npt.NDArray[np.bool_]
    x: Floats
    x_starts: Integers
    y: Floats
    y_starts: Integers


class WindowSource(Protocol):
    """Where the values of windows are read; windows are rows of `ShardWindows.table` of one size."""

    def inputs(self, windows: pl.DataFrame, size: int) -> Floats:
        """Read the X of windows, (windows, L) in scaled units."""

    def histories(self, windows: pl.DataFrame, points: int) -> Floats:
        """Read the last points up to the newest X of windows, (windows, points) in scaled units; NaN in front."""

    def own_histories(self, windows: pl.DataFrame, points: int) -> Floats:
        """Read what `histories` reads in the series' own units."""

    def targets(self, windows: pl.DataFrame, size: int, what: Target) -> Floats:
        """Read the Y of windows, (windows, H)."""

    def laid(self, windows: pl.DataFrame, sizes: tuple[int, int], what: Target) -> Laid:
        """Find X and Y of windows of the sizes L and H among the values."""

    def rows(self) -> pl.DataFrame:
        """Give the rows that windows lie over: `unique_id, ds, y, available_at` and, where known, `y_raw`."""


@dataclass(frozen=True, eq=False)
class ShardWindows:
    """The usable windows of a shard and where their values are.

    Attributes:
        series: One row a series that has a scaler and a group: `unique_id, group, input_size, horizon,
            season_length, train_end, valid_end`.
        table: One row a valid window, by series and time, as `assign_parts` gives them.
        scaler: The scalers, an element per row of `series`.
        source: Where the values are read.
    """

    series: pl.DataFrame
    table: pl.DataFrame
    scaler: ScalerColumns
    source: WindowSource

    def groups(self) -> list[tuple[str, int, int, pl.DataFrame]]:
        """List `(group, L, H, its rows of table)`, in the order of the names."""
        rows = self.table.join(
            self.series.select("group", code=pl.int_range(pl.len(), dtype=pl.Int64)), on="code", maintain_order="left"
        )
        sizes = self.series.group_by("group").agg(pl.col("input_size", "horizon").first()).sort("group")
        parts = rows.partition_by("group", as_dict=True, include_key=False)
        return [(g, L, H, parts[(g,)]) for g, L, H in sizes.iter_rows() if (g,) in parts]

    def inputs(self, windows: pl.DataFrame, size: int) -> Inputs:
        """Read what forecasters are given of some rows of `table`, L points each."""
        series = self.series["unique_id"].gather(windows["code"])
        longer = Histories(self.source.histories, windows)
        return Inputs(self.source.inputs(windows, size), series, windows["cutoff"], longer)

    def unscaled(self, values: Floats, codes: Integers) -> Floats:
        """Bring scaled values (windows, H) of the series `codes` back to their own units."""
        return to_original(values, self.scaler.take(codes))


def chunks(windows: pl.DataFrame, size: int) -> Iterator[pl.DataFrame]:
    """Yield windows of `size` points, so few at a time that their values stay small."""
    step = max(CHUNK_BYTES // (8 * size), 1)
    return (windows.slice(low, step) for low in range(0, windows.height, step))


def plan_series(profile: pl.DataFrame, scalers: pl.DataFrame) -> pl.DataFrame:
    """Give the rows of `profile` of the series that have a group and a scaler."""
    check_frame(profile, "unique_id", "group", "input_size", "horizon", "season_length")
    planned = profile.drop_nulls("group")
    return planned.join(scalers.select("unique_id"), on="unique_id", how="semi", maintain_order="left")


def shard_windows(
    series: pl.DataFrame, windows: pl.DataFrame, scalers: pl.DataFrame, source: WindowSource
) -> ShardWindows:
    """Put series as `plan_series` gives them, their windows and a source of their values together."""
    table = assign_parts(windows.filter("valid"), series)
    names = ("unique_id", "group", "input_size", "horizon", "season_length", "train_end", "valid_end")
    return ShardWindows(series.select(names), table, ScalerColumns.of(series["unique_id"], scalers), source)


@dataclass(frozen=True, eq=False)
class FrameSource:
    """Windows over the rows of a frame, as they stand.

    Attributes:
        sequences: The rows.
        first: The first row of each series of the shard's table.
        sizes: L of each.
        given: y in scaled units, an element a row; NaN where null.
        truth: The observed values in scaled units; NaN where nothing was observed.
        observed: The observed values in the series' own units; NaN where nothing was observed.
    """

    sequences: pl.DataFrame
    first: Integers
    sizes: Integers
    given: Floats
    truth: Floats
    observed: Floats

    def starts(self, windows: pl.DataFrame) -> Integers:
        """Give the row of the first X of each window."""
        starts: Integers = self.first[windows["code"].to_numpy()] + windows["offset"].to_numpy()
        return starts

    def inputs(self, windows: pl.DataFrame, size: int) -> Floats:
        """Read the X of windows, (windows, L) in scaled units."""
        return expand(self.given, self.starts(windows), size)

    def histories(self, windows: pl.DataFrame, points: int) -> Floats:
        """Read the last points up to the newest X of windows, (windows, points) in scaled units; NaN in front."""
        return self.looked_back(self.given, windows, points)

    def own_histories(self, windows: pl.DataFrame, points: int) -> Floats:
        """Read what `histories` reads in the series' own units."""
        return self.looked_back(floats(self.sequences["y"]), windows, points)

    def looked_back(self, values: Floats, windows: pl.DataFrame, points: int) -> Floats:
        """Give the last points of an array, an element a row, up to the newest X of windows; NaN in front."""
        codes = windows["code"].to_numpy()
        behind = self.starts(windows) + self.sizes[codes]
        first, found = self.first[codes], np.empty((len(codes), points))
        step = max(CHUNK_BYTES // (8 * points), 1)
        for few in (slice(low, low + step) for low in range(0, len(codes), step)):
            rows = behind[few, None] - np.arange(points, 0, -1)
            found[few] = np.where(rows < first[few, None], np.nan, values[np.maximum(rows, 0)])
        return found

    def targets(self, windows: pl.DataFrame, size: int, what: Target) -> Floats:
        """Read the Y of windows, (windows, H)."""
        return expand(self._values(what), self.starts(windows) + self.sizes[windows["code"].to_numpy()], size)

    def laid(self, windows: pl.DataFrame, sizes: tuple[int, int], what: Target) -> Laid:
        """Find X and Y of windows of the sizes L and H among the values: all are there."""
        starts = self.starts(windows)
        return Laid(np.ones(len(starts), np.bool_), self.given, starts, self._values(what), starts + sizes[0])

    def _values(self, what: Target) -> Floats:
        return {"given": self.given, "truth": self.truth, "observed": self.observed}[what]

    def rows(self) -> pl.DataFrame:
        """Give the rows of the frame."""
        return self.sequences


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
    starts, _ = segments(sequences)
    every = pl.DataFrame({"unique_id": sequences["unique_id"].gather(starts), "start": starts})
    series = every.join(plan_series(profile, scalers), on="unique_id", maintain_order="left")
    rows = sequences.with_row_index("row").join(series, on="unique_id", how="semi", maintain_order="left")
    row = rows["row"].to_numpy()
    per_row = ScalerColumns.of(sequences["unique_id"].gather(row), scalers)
    observed = floats(sequences["y_raw" if "y_raw" in sequences.columns else "y"])
    given, truth = np.full(len(sequences), np.nan), np.full(len(sequences), np.nan)
    given[row] = to_scaled(floats(sequences["y"])[row], per_row)
    truth[row] = to_scaled(observed[row], per_row)
    sizes = series["input_size"].to_numpy()
    source = FrameSource(sequences, series["start"].to_numpy(), sizes, given, truth, observed)
    return shard_windows(series, windows, scalers, source)
