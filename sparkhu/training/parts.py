"""Which part of the time-ordered split each window belongs to.

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

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

TRAIN, CHOOSE, CALIBRATE, TEST, OTHER = PARTS = ("train", "choose", "calibrate", "test", "other")
INDEX = (
    *("offset", "inputs_from", "cutoff", "targets_from", "targets_until"),
    *("inputs_available_at", "targets_available_at"),
)
"""The columns that say where a window lies and when it was known, as `index_windows` gives them."""
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Late(NamedTuple):
    """How many series there are, and of how many targets came too late for a window that chooses or calibrates."""

    series: int
    choose: int
    calibrate: int

    @classmethod
    def of(cls, windows: pl.DataFrame, series: pl.DataFrame) -> "Late":
        """Count the series of a shard whose validation windows became known behind their part, and serve for nothing.

        Args:
            windows: As `assign_parts` gives them.
            series: One row a series: `train_end, valid_end`.
        """
        borders = series.select("train_end", "valid_end", code=pl.int_range(pl.len(), dtype=pl.Int64))
        known = pl.max_horizontal("inputs_available_at", "targets_available_at")
        inside = (pl.col("targets_from") >= pl.col("train_end")) & (pl.col("targets_until") < pl.col("valid_end"))
        counted = (
            windows.join(borders, on="code", maintain_order="left")
            .filter(inside)
            .group_by("code")
            .agg(late=(known >= pl.col("valid_end")).any(), parts=pl.col("part").unique())
            .filter("late")
        )
        lacking = (int((~counted["parts"].list.contains(part)).sum()) for part in (CHOOSE, CALIBRATE))
        return cls(series.height, *lacking)

    @classmethod
    def added(cls, counts: Iterable["Late"]) -> "Late":
        """Add the counts of shards."""
        return cls(*(sum(column) for column in zip(*counts, strict=True)))

    def note(self) -> str | None:
        """Say what is lacking, why, and what helps; null: nothing is."""
        if not self.choose + self.calibrate:
            return None
        return (
            f"{self.choose:,} of {self.series:,} series have no window to choose a model by, {self.calibrate:,} none "
            "to calibrate intervals on: the final values of their validation part became known only behind it. Give a "
            "longer validation part (split): more than twice the delay of these values and two horizons"
        )


def assign_parts(windows: pl.DataFrame, series: pl.DataFrame) -> pl.DataFrame:
    """Say of each window which part it belongs to.

    Args:
        windows: Valid windows, `unique_id` and the columns of `INDEX`, by series and time.
        series: One row a series: `unique_id, train_end, valid_end, test_end`.

    Returns:
        One row a window of the series given: `code` (row in `series`), the columns of `INDEX`, `part`.
    """
    borders = ("train_end", "valid_end", "test_end")
    coded = series.select("unique_id", *borders, code=pl.int_range(pl.len(), dtype=pl.Int64))
    known = pl.max_horizontal("inputs_available_at", "targets_available_at")
    rows = windows.select("unique_id", *INDEX, known=known).join(coded, on="unique_id", maintain_order="left")
    inside = (pl.col("targets_from") >= pl.col("train_end")) & (pl.col("targets_until") < pl.col("valid_end"))
    in_test = (pl.col("targets_from") >= pl.col("valid_end")) & (pl.col("targets_until") < pl.col("test_end"))
    part = (
        pl.when(pl.max_horizontal("targets_until", "known") < pl.col("train_end"))
        .then(pl.lit(TRAIN))
        .when(inside & (pl.col("known") < pl.col("valid_end")))
        .then(pl.lit("validation"))
        .when(in_test)
        .then(pl.lit(TEST))
        .otherwise(pl.lit(OTHER))
    )
    return _halved(rows.with_columns(part=part)).select("code", *INDEX, "part")


def _halved(rows: pl.DataFrame) -> pl.DataFrame:
    """Divide the validation windows of each series into those that choose and those that calibrate."""
    validation = pl.col("part") == "validation"
    counted = rows.with_columns(nth=validation.cum_sum().over("code"), third=(validation.sum().over("code") + 2) // 3)
    early = validation & (pl.col("nth") <= pl.col("third"))
    late = pl.col("nth") > validation.sum().over("code") - pl.col("third")
    counted = counted.with_columns(early_until=pl.col("targets_until").filter(early).max().over("code"))
    middle = pl.col("train_end") + (pl.col("valid_end") - pl.col("train_end")) / 2
    known = pl.max_horizontal("targets_until", "known")
    return counted.with_columns(
        part=pl.when(~validation)
        .then("part")
        .when((known < middle) | (early & (known <= pl.col("early_until"))))
        .then(pl.lit(CHOOSE))
        .when((pl.col("targets_from") >= middle) | late)
        .then(pl.lit(CALIBRATE))
        .otherwise(pl.lit(OTHER))
    )
