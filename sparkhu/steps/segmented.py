"""Per-series reductions and look-ups over one sorted shard, without a loop over its series.

A shard holds whole series one after another, so a series is a segment of rows: reductions are
`reduceat` calls, and a neighbour is looked up where stretches of rows end. Every result of a series depends on its own
rows alone, to the last bit, so it does not matter which other series share the shard.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame, segments, whole_segments

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Value = TypeVar("Value", bound=np.generic)

NOWHERE = -1
"""Stands for "no such row" among row numbers."""
NEVER = np.int64(np.iinfo(np.int64).min)
"""Stands for "no such instant": earlier than every instant, so that it loses in every maximum."""


@dataclass(frozen=True)
class Runs:
    """The runs of rows of one series that stand together; rows in any order.

    Attributes:
        ids: The name of each run's series, null where rows have none.
        starts: The row each run starts at.
        lengths: How many rows each run has.
    """

    ids: pl.Series
    starts: Ints
    lengths: Ints

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Self:
        """Find the runs of a frame."""
        starts, lengths = segments(frame)
        return cls(frame["unique_id"].gather(starts), starts, lengths)

    @classmethod
    def whole(cls, frame: pl.DataFrame) -> Self:
        """Find the series of a frame, one run each.

        Raises:
            InputError: The rows of a series stand in several places.
        """
        starts, lengths = whole_segments(frame)
        return cls(frame["unique_id"].gather(starts), starts, lengths)

    @property
    def ends(self) -> Ints:
        """The row after each run's last."""
        return self.starts + self.lengths

    def number(self) -> Ints:
        """Give the number of its run to every row."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def spread(self, values: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """Give every row the value of its run."""
        return np.repeat(values, self.lengths)

    def sum_ints(self, values: npt.NDArray[np.integer] | Bools) -> Ints:
        """Sum whole numbers (or count what is true) per run."""
        return np.add.reduceat(values, self.starts, dtype=np.int64) if len(self.starts) else np.zeros(0, np.int64)

    def count(self, rows: pl.Series) -> Ints:
        """Count per run the rows that are true."""
        return self.sum_ints(rows.to_numpy()) if rows.any() else np.zeros(len(self.starts), np.int64)

    def sum_floats(self, values: Floats) -> Floats:
        """Sum per run."""
        return np.add.reduceat(values, self.starts) if len(self.starts) else np.zeros(0)

    def latest(self, values: Ints) -> Ints:
        """Find the largest value per run."""
        return np.maximum.reduceat(values, self.starts) if len(self.starts) else np.zeros(0, np.int64)

    def align(self, table: pl.DataFrame, *columns: str) -> pl.DataFrame:
        """Look up one row of `table` for every run, in the order of the rows; nulls where it has none.

        Raises:
            InputError: `table` lacks a column or holds a series twice.
        """
        check_table(table, *columns)
        ids = pl.DataFrame({"unique_id": self.ids})
        return ids.join(table.select("unique_id", *columns), on="unique_id", how="left", maintain_order="left")


@dataclass(frozen=True)
class Segments(Runs):
    """The series of a shard, in row order: one run each.

    Attributes:
        ids: One name a series.
        starts: The row each series starts at.
        lengths: How many rows each series has.
    """

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Self:
        """Find the series of a sorted frame.

        Raises:
            InputError: The rows are not sorted by `unique_id`, `ds`, or an instant of a series stands twice.
        """
        found = super().of(frame)
        _check_order(found, instants(frame["ds"]))
        return found


def _check_order(owner: Segments, ds: Ints) -> None:
    back = np.diff(ds) <= 0
    back[owner.starts[1:] - 1] = False
    bad = np.flatnonzero(back)
    if len(bad) or owner.ids.n_unique() != len(owner.ids):
        where = f"row {int(bad[0]) + 1}" if len(bad) else "a series that stands in two places"
        raise InputError(
            f"rows must be sorted by unique_id and ds, each instant once; broken at {where}. "
            'Drop duplicates and call frame.sort("unique_id", "ds") first.'
        )


def check_table(table: pl.DataFrame, *columns: str) -> None:
    """Check that a table has `unique_id` and `columns`, and one row a series.

    Raises:
        InputError: It does not; the message names the column or the series.
    """
    check_frame(table, "unique_id", *columns)
    repeated = table["unique_id"].is_duplicated()
    if repeated.any():
        name = table["unique_id"].filter(repeated)[0]
        raise InputError(f"the table of series holds unique_id '{name}' more than once; keep one row a series.")


def instants(series: pl.Series) -> Ints:
    """Give times as microseconds since 1970 in UTC; `NEVER` where null."""
    return series.cast(TIME).to_physical().fill_null(NEVER).to_numpy()


def times(microseconds: Ints, name: str = "") -> pl.Series:
    """Give microseconds since 1970 in UTC as times; null where `NEVER`."""
    series = pl.Series(name, microseconds, dtype=pl.Int64)
    return (series.set(series == NEVER, None) if (microseconds == NEVER).any() else series).cast(TIME)


def floats(series: pl.Series) -> Floats:
    """Give numbers as an array, NaN where null."""
    return series.cast(pl.Float64).fill_null(np.nan).to_numpy()


def flag(frame: pl.DataFrame, name: str) -> Bools:
    """Give a flag column as an array, false where null or where the frame has no such column."""
    if name not in frame.columns:
        return np.zeros(frame.height, np.bool_)
    return frame[name].cast(pl.Boolean).fill_null(value=False).to_numpy()


class Stretch(NamedTuple):
    """Stretches of rows that a mask marks, each within one series.

    Attributes:
        first: The first row of each.
        after: The row behind the last of each.
        number: The number of its series.
    """

    first: Ints
    after: Ints
    number: Ints

    @property
    def lengths(self) -> Ints:
        """How many rows each has."""
        return self.after - self.first


def stretches_of(mask: Bools, owner: Runs) -> Stretch:
    """Find the stretches of true rows."""
    first, last = mask.copy(), mask.copy()
    first[1:] &= ~mask[:-1]
    last[:-1] &= ~mask[1:]
    first[owner.starts] = mask[owner.starts]
    last[owner.ends - 1] = mask[owner.ends - 1]
    rows = np.flatnonzero(first)
    return Stretch(rows, np.flatnonzero(last) + 1, np.searchsorted(owner.starts, rows, side="right") - 1)


def previous_true(mask: Bools, owner: Runs) -> Ints:
    """Find the nearest true row at or before each row, within its series; `NOWHERE` where there is none."""
    rows, false = np.arange(len(mask)), stretches_of(~mask, owner)
    before = np.where(false.first > owner.starts[false.number], false.first - 1, NOWHERE)
    rows[~mask] = np.repeat(before, false.lengths)
    return rows


def next_true(mask: Bools, owner: Runs) -> Ints:
    """Find the nearest true row at or after each row, within its series; `NOWHERE` where there is none."""
    rows, false = np.arange(len(mask)), stretches_of(~mask, owner)
    after = np.where(false.after < owner.ends[false.number], false.after, NOWHERE)
    rows[~mask] = np.repeat(after, false.lengths)
    return rows
