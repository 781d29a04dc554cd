"""Histories: what was known of many series, and when, kept so that any moment's view is found without a scan.

A history is bitemporal. A row says that the series `unique_id` had a value at `ds`, and that this could be known
from `available_at` on. Several rows of one `ds` are its versions: the first and its revisions. As of a moment the
newest version that had become available counts; of those that became available at once, the one that stands later in
the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame
from sparkhu.steps.segmented import Bools, Floats, Ints, floats
from sparkhu.steps.windows import sliding_max

Codes = npt.NDArray[np.uint32]
KEYS = ("unique_id", "ds", "available_at")
FOREVER = np.int64(np.iinfo(np.int64).max)
"""Stands for a moment that never comes."""
SORTED_AT_ONCE = 2**16
"""Rows that are sorted or gone through at once: few enough to stay in a core's cache."""


@dataclass(frozen=True, eq=False)
class History:
    """Rows sorted by series, `ds` and `available_at`, and where each point and its versions stand among them.

    A point is one `ds` of a series. It has one version at least.

    Attributes:
        ids: The names of the series, sorted.
        starts: The first point of each series, and behind the last the number of points.
        versions: The first row of each point, and behind the last the number of rows.
        reach: Per point, when the first of it and the later points of its series became known: it never falls within
            a series, so that the last point known at a moment is found by bisection.
        ds: Per row, microseconds since 1970 in UTC.
        available_at: Per row, likewise.
        values: Per row and value column; NaN where null.
    """

    ids: pl.Series
    starts: Ints
    versions: Ints
    reach: Ints
    ds: Ints
    available_at: Ints
    values: dict[str, Floats]

    @classmethod
    def of(cls, rows: pl.DataFrame, columns: Sequence[str] = ("y",)) -> "History":
        """Arrange rows, which may come in any order; rows that are sorted already are not copied.

        Args:
            rows: `unique_id, ds, available_at` and `columns`; nothing among the first three is null.
            columns: The value columns: numbers or booleans.

        Raises:
            InputError: A column is missing, has another type, or a key is null.
        """
        check_values(rows, columns)
        check_keys(rows, *KEYS)
        ids = rows["unique_id"].unique().sort()
        first_rows, ds, known, *values = _arranged(
            codes(rows["unique_id"], ids).to_numpy(),
            *(rows[name].to_physical().to_numpy() for name in KEYS[1:]),
            *(floats(rows[name]) for name in columns),
        )
        versions = _versions(first_rows, ds)
        starts = np.searchsorted(versions, first_rows)
        reach = _reach(known[versions[:-1]], starts)
        return cls(ids, starts, versions, reach, ds, known, dict(zip(columns, values, strict=True)))

    def places(self, unique_id: pl.Series) -> tuple[Ints, Ints]:
        """Give the first point of each series named, and the point behind its last; both 0 where it is unknown."""
        code = codes(unique_id, self.ids).cast(pl.Int64).fill_null(-1).to_numpy()
        known = code >= 0
        return np.where(known, self.starts[code], 0), np.where(known, self.starts[code + 1], 0)

    def up_to(self, first: Ints, behind: Ints, until: Ints) -> Ints:
        """Give the point behind the last one that is not later than `until`, between `first` and `behind`."""
        low, high = first.copy(), behind.copy()
        while (low < high).any():
            middle = (low + high) // 2
            row = self.versions[np.minimum(middle, len(self.versions) - 2)]
            right = (low < high) & (self.ds[row] <= until)
            high = np.where(right, high, middle)
            low = np.where(right, middle + 1, low)
        return low

    def settled(self, length: int) -> Ints:
        """Give, per point, from when on it and those behind it were known: `length` points in as many rows.

        Returns:
            An array shorter by `length − 1`; `FOREVER` where one of these points has several versions. Empty where
            there are fewer points, or so many versions that hardly one stretch of this length is without.
        """
        points, rows = len(self.versions) - 1, len(self.ds)
        if points < length or (rows - points) * length > points:
            return np.empty(0, np.int64)
        settled, step = np.empty(points - length + 1, np.int64), max(SORTED_AT_ONCE, length)
        for low in range(0, len(settled), step):
            versions = self.versions[low : low + step + length]
            known = np.where(np.diff(versions) == 1, self.available_at[versions[:-1]], FOREVER)
            settled[low : low + step] = sliding_max(known, length)
        return settled

    def newest(self, points: Ints, at: Ints) -> Ints:
        """Give the row of the newest version of each point that was known at its moment; one version must have been."""
        first, behind = self.versions[points], self.versions[points + 1]
        revised = np.flatnonzero(behind - first > 1)
        if len(revised):
            first[revised] = bisect(self.available_at, first[revised], behind[revised], at[revised]) - 1
        return first


def check_values(rows: pl.DataFrame, columns: Sequence[str]) -> None:
    """Check that `rows` holds the value columns, as numbers.

    Raises:
        InputError: It does not; the message names the column and the way out.
    """
    if isinstance(columns, str) or not columns:
        raise InputError(f"columns must list one value column or more, got {columns!r}. Give columns=('y',), say.")
    for name in columns:
        check_frame(rows, name)
        dtype = rows.schema[name]
        if name in KEYS or not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
            raise InputError(f"column '{name}' has type {dtype}, expected numbers. Cast it or leave it out.")


def check_keys(frame: pl.DataFrame, *columns: str) -> None:
    """Check that `frame` holds these columns, text in `unique_id` and UTC microseconds in all others, and no null.

    Raises:
        InputError: It does not; the message names the column, what was found, and the way out.
    """
    for name in columns:
        check_frame(frame, name)
        wanted, got = (pl.String() if name == "unique_id" else TIME), frame.schema[name]
        if got != wanted:
            raise InputError(f"column '{name}' has type {got}, expected {wanted}. Cast it first.")
        if frame[name].null_count():
            row = int(frame[name].is_null().arg_max() or 0)
            raise InputError(f"column '{name}' is null in row {row}. Fill it, or drop rows without it.")


def codes(names: pl.Series, ids: pl.Series) -> pl.Series:
    """Give the number of each name among `ids`, which are unique; null where it is not among them."""
    return names.cast(pl.Enum(ids), strict=False).to_physical().cast(pl.UInt32)


def bisect(times: Ints, low: Ints, high: Ints, at: Ints) -> Ints:
    """Find, per search, the first place behind the times that are not later than `at`.

    Args:
        times: Non-decreasing between `low` and `high` of every search.
        low: Where each search begins.
        high: Where it ends, exclusive.
        at: What it looks for.
    """
    low, high = low.copy(), high.copy()
    while (low < high).any():
        middle = (low + high) // 2
        right = (low < high) & (times[np.minimum(middle, len(times) - 1)] <= at)
        high = np.where(right, high, middle)
        low = np.where(right, middle + 1, low)
    return low


def _arranged(code: Codes, ds: Ints, known: Ints, *values: Floats) -> tuple[Any, ...]:
    """Sort `ds`, `known` and `values` by series, `ds`, `known` and place in the table; sorted ones stay as they are.

    Returns:
        The first row of each series, and behind the last the number of rows; then the columns.
    """
    first_rows = np.append(0, np.cumsum(np.bincount(code)))
    falls: Bools = known[1:] < known[:-1]
    for key in (ds, code):
        falls &= key[1:] == key[:-1]
        falls |= key[1:] < key[:-1]
    if not falls.any():
        return first_rows, ds, known, *values
    order = _sorting(code, first_rows, ds, known)
    return first_rows, *(column[order] for column in (ds, known, *values))


def _sorting(code: Codes, first_rows: Ints, ds: Ints, known: Ints) -> Ints:
    """Find the order of rows: first by series, which is cheap, then inside of a few series at a time."""
    order = np.argsort(code.astype(np.uint16) if len(first_rows) <= 2**16 else code, kind="stable")
    low = 0
    for high in first_rows[1:]:
        if high - low >= SORTED_AT_ONCE or high == len(order):
            part = order[low:high]
            order[low:high] = part[np.lexsort((known[part], ds[part], code[part]))]
            low = high
    return order


def _versions(first_rows: Ints, ds: Ints) -> Ints:
    """Find the first row of each point, and behind the last the number of rows."""
    begins = np.ones(len(ds) + 1, np.bool_)
    begins[1:-1] = ds[1:] != ds[:-1]
    begins[first_rows] = True
    return np.flatnonzero(begins)


def _reach(first_known: Ints, starts: Ints) -> Ints:
    """Take the minimum of each point and those behind it, in place; series known in order of `ds` stay as they are."""
    late = np.flatnonzero(first_known[1:] < first_known[:-1]) + 1
    owner = np.searchsorted(starts, late, side="right") - 1
    for series in np.unique(owner[late > starts[owner]]):
        points = first_known[starts[series] : starts[series + 1]]
        points[:] = np.minimum.accumulate(points[::-1])[::-1]
    return first_known
