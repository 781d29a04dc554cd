"""Down: the points of series of one period are brought together in the buckets of a longer one."""

from typing import NamedTuple

import numpy as np
import polars as pl

from sparkhu.periods import Period
from sparkhu.steps.bucket_values import How, Runs, aggregated, complete
from sparkhu.steps.buckets import Buckets, steps_before, steps_since
from sparkhu.steps.gaps import MAX_NEW_ROWS
from sparkhu.steps.segmented import Bools, Ints, Segments, instants, times
from sparkhu.steps.stretches import count_parts

NOT_WHOLE = "it covers no whole period of {}"
TOO_MANY = "its gaps hold more than {} periods of {}; check its times"


class Down(NamedTuple):
    """The outcome for some series.

    Attributes:
        rows: The buckets, empty ones between them included.
        reasons: Per series, why it cannot be brought to the period; null where it was.
        cut: Per series, the rows in a first or last bucket that was left out.
    """

    rows: pl.DataFrame
    reasons: pl.Series
    cut: Ints


def down(frame: pl.DataFrame, source: Period | None, target: Period, *, how: How, whole: bool) -> Down:
    """Bring series of one period to a longer one.

    Args:
        frame: Observation rows, sorted, each instant of a series once.
        source: Their period; None where it is not known, then `unmarked` is null and no bucket is left out.
        target: The period of the buckets, in the zone of the series.
        how: What stands for the points of a bucket.
        whole: Leave out a first or last bucket in which the period expects points before the first or behind the last.
    """
    frame = complete(frame, how)
    owner, buckets, ds = Segments.of(frame), Buckets(target), instants(frame["ds"])
    number = buckets.numbers(ds)
    low, high = number[owner.starts], number[owner.ends - 1]
    if whole and source is not None:
        low = low + (steps_since(source, buckets.starts(low), ds[owner.starts]) > 0)
        high = high - (steps_before(source, ds[owner.ends - 1], buckets.starts(high + 1)) > 0)
    size = np.maximum(high - low + 1, 0)
    too_many = size - owner.lengths > MAX_NEW_ROWS
    size = np.where(too_many, 0, size)
    grid = Segments(owner.ids, np.cumsum(size) - size, size)
    inside = (number >= low[owner.number()]) & (number <= high[owner.number()]) & (size > 0)[owner.number()]
    numbers = np.repeat(low, size) + np.arange(int(size.sum())) - np.repeat(grid.starts, size)
    cell = (grid.starts - low)[owner.number()] + number
    begins, ends = buckets.starts(numbers), buckets.starts(numbers + 1)
    rows = aggregated(frame.filter(pl.Series(inside)), Runs.of(cell[inside], len(numbers)), ends, how)
    unmarked = pl.repeat(None, len(numbers), dtype=pl.Int64, eager=True)
    if source is not None:
        unmarked = _unmarked(frame, _Absent(ds, owner, source), grid.number(), begins, ends)
        unmarked += _told(frame, cell, inside, len(numbers))
    if how == "sum":
        rows = _without_partial_truth(rows, unmarked)
    rows = rows.with_columns(unique_id=owner.ids.gather(grid.number()), ds=times(begins), unmarked=unmarked)
    cut = owner.lengths - owner.sum_ints(inside)
    return Down(rows.select(frame.columns), _reasons(size, too_many, target.label), cut)


def _without_partial_truth(rows: pl.DataFrame, unmarked: pl.Series) -> pl.DataFrame:
    """Take the observed sum out of buckets that lack a row: the sum of a part is not what was observed of the whole."""
    whole = (unmarked == 0).fill_null(value=True)
    return rows.with_columns(pl.when(whole).then(name).alias(name) for name in ("y_raw", "observed_available_at"))


def _reasons(size: Ints, too_many: Bools, label: str) -> pl.Series:
    table = pl.DataFrame({"size": size, "too_many": too_many})
    return table.select(
        pl.when("too_many")
        .then(pl.lit(TOO_MANY.format(MAX_NEW_ROWS, label)))
        .when(pl.col("size") == 0)
        .then(pl.lit(NOT_WHOLE.format(label)))
    ).to_series()


def _told(frame: pl.DataFrame, cell: Ints, inside: Bools, size: int) -> pl.Series:
    """Add up the unmarked points that an earlier resampling has told of."""
    return pl.Series(Runs.of(cell[inside], size).counts(frame["unmarked"].fill_null(0).to_numpy()[inside]))


def _unmarked(frame: pl.DataFrame, absent: "_Absent", series: Ints, begins: Ints, ends: Ints) -> pl.Series:
    """Count the instants of each bucket that the period expects and that have no row.

    A row that stands for several points already is missed as that many: as a usual row of its series has.
    """
    found = absent.before(ends, series) - absent.before(begins, series)
    points = frame.select("unique_id", points=pl.col("count") + pl.col("unmarked").fill_null(0))
    usual = points.group_by("unique_id", maintain_order=True).agg(pl.col("points").median().round())["points"]
    return pl.Series(found * usual.cast(pl.Int64).to_numpy()[series])


class _Absent:
    """The instants at which the rows of some series leave out their period."""

    def __init__(self, ds: Ints, owner: Segments, period: Period) -> None:
        self.ds, self.owner, self.period = ds, owner, period
        gaps = np.zeros(len(ds), np.int64)
        behind = np.ones(len(ds), np.bool_)
        behind[owner.starts] = False
        rows = np.flatnonzero(behind)
        gaps[rows] = count_parts(ds[rows - 1], ds[rows], period) - 1
        self.until = np.cumsum(gaps)

    def before(self, limits: Ints, series: Ints) -> Ints:
        """Count those before each limit, from its series' first row on; in front of that row backwards, negative."""
        starts, ends = self.owner.starts[series], self.owner.ends[series]
        row = self._last_row(limits, series)
        at = np.clip(row, starts, ends - 1)
        counted = self.until[at] - self.until[starts]
        following = np.minimum(at + 1, ends - 1)
        reached = steps_before(self.period, self.ds[at], limits)
        room = np.where(at + 1 < ends, self.until[following] - self.until[at], reached)
        inside = counted + np.minimum(reached, room)
        return np.where(row < starts, -steps_since(self.period, limits, self.ds[starts]), inside)

    def _last_row(self, limits: Ints, series: Ints) -> Ints:
        """Find the last row before each limit: one in front of the series' first where there is none."""
        # Both are sorted by series and time, so one merge finds the places of all.
        order = np.lexsort(
            (
                np.concatenate([np.zeros(len(limits), np.int8), np.ones(len(self.ds), np.int8)]),
                np.concatenate([limits, self.ds]),
                np.concatenate([series, self.owner.number()]),
            )
        )
        is_row = order >= len(limits)
        passed = np.cumsum(is_row) - 1
        rows = np.empty(len(limits), np.int64)
        rows[order[~is_row]] = passed[~is_row]
        return rows
