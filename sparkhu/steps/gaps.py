"""Gap detection: every instant at which a regular series lacks a row gets one, with a null and `is_gap`.

Between two rows at least 1.7 periods apart stand `n − 1` new rows, `n = ⌊(10·gap + 7·P) / (10·P)⌋`, evenly
spaced, in whole microseconds. Before the first row (back to `start`) and behind the last (up to `end`) new rows step
by `P` from that row. Months, quarters, years and business days count and step by the calendar, whole days by the
clock of the zone. A row that came without a value is marked as well.
"""

from datetime import datetime

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import accepts_pandas, check_frame
from sparkhu.ledger import entries
from sparkhu.periods import Period
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import Ints, Runs, Segments, instants, times
from sparkhu.steps.stretches import Bounds, Stretches, find_stretches, last_period, new_instants
from sparkhu.steps.validation import requested_interval

MAX_NEW_ROWS = 1_000_000
FLAGS = ("is_alert", "is_outlier", "needs_fill")


def check_gaps(*, start: str, end: str, zone: str, preserve_last: bool, max_new_rows: int) -> Bounds:
    """Check the parameters of the step, and read its interval.

    Args:
        start: ISO text of the first instant, in `zone` where it names none; empty means none.
        end: The instant the interval ends before, likewise.
        zone: IANA name.
        preserve_last: Needs an `end`.
        max_new_rows: At least 1.

    Raises:
        InputError: A text is no time, `end` does not lie after `start`, or a value cannot be used.
    """
    interval = requested_interval(start, end, zone)
    return _bounds(interval.start, interval.end, preserve_last=preserve_last, max_new_rows=max_new_rows)


def _bounds(start: datetime | None, end: datetime | None, *, preserve_last: bool, max_new_rows: int) -> Bounds:
    if max_new_rows < 1:
        raise InputError(f"max_new_rows must be at least 1, got {max_new_rows}.")
    if preserve_last and end is None:
        raise InputError("preserve_last keeps the last period before `end` free, but there is no end. Give one.")
    if start is not None and end is not None and end <= start:
        raise InputError(f"end must lie after start, got [{start.isoformat()}, {end.isoformat()}).")
    return Bounds(_microseconds(start), _microseconds(end), preserve_last)


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(instants(pl.Series([moment]))[0])


@accepts_pandas
def add_gap_rows(
    frame: pl.DataFrame,
    period: Period | str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    preserve_last: bool = False,
    max_new_rows: int = MAX_NEW_ROWS,
) -> pl.DataFrame:
    """Give every missing instant of series that share a period a row.

    Args:
        frame: Observation frame, sorted, each instant of a series once.
        period: The period, or its label such as `1h` or `1mo` (in UTC).
        start: First instant of the interval (with a zone); none: nothing is added in front.
        end: The instant the interval ends before; none: nothing is added behind.
        preserve_last: Add no row in `[end − P, end)`.
        max_new_rows: The most rows that one series may get.

    Returns:
        The frame with the new rows in their places and `is_gap`. In a new row `y` (and `y_raw`) are null,
        `available_at` is `ds`, `is_alert`, `is_outlier` and `needs_fill` are false, and any other column, of the source
        or of a step, is null.

    Raises:
        InputError: A parameter cannot be used, or a series would get more than `max_new_rows` rows.

    Example:
        >>> add_gap_rows(frame, "1h", end=datetime(2024, 6, 2, tzinfo=UTC)).filter("is_gap")
    """
    bounds = _bounds(start, end, preserve_last=preserve_last, max_new_rows=max_new_rows)
    check_frame(frame, "unique_id", "ds", "y", "available_at")
    owner = Segments.of(frame)
    steps = period if isinstance(period, Period) else Period.parse(period)
    plan = _Plan(instants(frame["ds"]), owner, bounds, max_new_rows)
    plan.add(np.arange(len(owner.lengths)), steps)
    if plan.too_many.any():
        worst = int(np.flatnonzero(plan.too_many)[0])
        raise InputError(f"series '{owner.ids[worst]}': {plan.reason()}")
    return _put(frame, owner, *plan.finish())


class _Plan:
    """The rows to add to a shard, gathered period by period."""

    def __init__(self, ds: Ints, owner: Segments, bounds: Bounds, limit: int) -> None:
        self.ds, self.owner, self.bounds, self.limit = ds, owner, bounds, limit
        self.too_many = np.zeros(len(owner.lengths), np.bool_)
        self._slots: list[Ints] = [np.zeros(0, np.int64)]
        self._numbers: list[Ints] = [np.zeros(0, np.int64)]
        self._instants: list[Ints] = [np.zeros(0, np.int64)]

    def add(self, series: Ints, period: Period) -> None:
        """Plan the rows of the series that have `period`; those that need too many get none and are remembered."""
        found = find_stretches(self.ds, self.owner, series, period, self.bounds)
        found = self._within_limit(found)
        moments = new_instants(found, period)
        slots, numbers = np.repeat(found.slot, found.rows), np.repeat(found.number, found.rows)
        free = last_period(self.bounds, period)
        if free is not None:
            kept = (moments < free[0]) | (moments >= free[1])
            moments, slots, numbers = moments[kept], slots[kept], numbers[kept]
        self._slots.append(slots)
        self._numbers.append(numbers)
        self._instants.append(moments)

    def _within_limit(self, found: Stretches) -> Stretches:
        # Each count is cut just above the limit first, so that their sum stays within 64 bits.
        rows = np.zeros(len(self.owner.lengths), np.int64)
        np.add.at(rows, found.number, np.minimum(found.rows, self.limit + 1))
        self.too_many |= rows > self.limit
        return found.take(~self.too_many[found.number])

    def reason(self) -> str:
        """Say why a series that needs too many rows is left out."""
        return (
            f"its gaps need more than max_new_rows = {self.limit} rows; "
            "check its period and the interval, or raise max_new_rows."
        )

    def finish(self) -> tuple[Ints, Ints, Ints]:
        """Give slot, series' number and instant of every new row, in the order of the shard."""
        slots, numbers = np.concatenate(self._slots), np.concatenate(self._numbers)
        moments = np.concatenate(self._instants)
        order = np.lexsort((moments, numbers)) if len(self._slots) > 2 else np.arange(len(slots))
        return slots[order], numbers[order], moments[order]


def _put(frame: pl.DataFrame, owner: Segments, slots: Ints, numbers: Ints, moments: Ints) -> pl.DataFrame:
    """Put the new rows into the frame, each before the row that `slots` says."""
    observed = pl.col("y_raw" if "y_raw" in frame.columns else "y")
    marked = frame.with_columns(is_gap=observed.is_null() | _earlier(frame))
    if not len(slots):
        return marked
    added = marked.clear(len(slots)).with_columns(
        unique_id=owner.ids.gather(numbers),
        ds=times(moments),
        available_at=times(moments),
        is_gap=pl.lit(value=True),
        **{name: pl.lit(value=False) for name in FLAGS if name in frame.columns},
    )
    order = np.insert(np.arange(frame.height), slots, frame.height + np.arange(len(slots)))
    rows = pl.Series(order, dtype=pl.get_index_type())
    columns = zip(marked.iter_columns(), added.iter_columns(), strict=True)  # one by one, for the memory's sake
    return pl.DataFrame([pl.concat([column, new], rechunk=True).gather(rows) for column, new in columns])


def _earlier(frame: pl.DataFrame) -> pl.Expr:
    return pl.col("is_gap").fill_null(value=False) if "is_gap" in frame.columns else pl.lit(value=False)


def mark_gaps(
    observations: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    start: str = "",
    end: str = "",
    zone: str = "UTC",
    preserve_last: bool = False,
    max_new_rows: int = MAX_NEW_ROWS,
) -> StepResult:
    """Mark the gaps of a shard of regular series.

    Args:
        observations: Rows of the shard.
        profile: One row a series with `decision` and `period_label`, and, where it has them, `zone` (of the calendar)
            and `month_day` (that steps of a month aim at).
        start: First instant of the interval, ISO text in `zone`; empty: nothing is added in front.
        end: The instant the interval ends before, likewise; empty: nothing is added behind.
        zone: Time zone of `start` and `end` where they name none, and of the calendar where the profile names none.
        preserve_last: Add no row in `[end − P, end)`, so that the next interval does not collide.
        max_new_rows: The most rows that one series may get; a series that needs more fails.

    Returns:
        `observations`: all rows, the new ones in their places, see `add_gap_rows`. The ledger counts `rows`,
        `marked` (new rows) and `nulls` (rows that came without a value). A series that is not regular is
        skipped: no row is added. The run counts `marked` and `left_out` rows.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    bounds = check_gaps(start=start, end=end, zone=zone, preserve_last=preserve_last, max_new_rows=max_new_rows)
    check_frame(observations, "unique_id", "ds", "y", "available_at")
    owner = Segments.of(observations)
    table = _periods(owner, profile, zone)
    plan = _Plan(instants(observations["ds"]), owner, bounds, max_new_rows)
    regular = table.filter(pl.col("label").is_not_null())
    for (label, place, month_day), group in regular.group_by("label", "zone", "month_day"):
        plan.add(group["number"].sort().to_numpy(), Period.parse(str(label), str(place), month_day))
    slots, numbers, moments = plan.finish()
    marked = _put(observations, owner, slots, numbers, moments)
    return _result(marked, owner, table, plan, np.bincount(numbers, minlength=len(owner.lengths)))


def _periods(owner: Segments, profile: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Give each series its number and, where it is regular, what its period is made of."""
    own = [name for name in ("zone", "month_day") if name in profile.columns]
    table = owner.align(profile, "decision", "period_label", *own).with_row_index("number")
    regular = (pl.col("decision") == "regular") & pl.col("period_label").is_not_null()
    return table.select(
        pl.col("number").cast(pl.Int64),
        label=pl.when(regular).then("period_label"),
        zone=pl.col("zone").fill_null(zone) if "zone" in own else pl.lit(zone),
        month_day="month_day" if "month_day" in own else pl.lit(None, dtype=pl.Int64),
        decision="decision",
    )


def _result(marked: pl.DataFrame, owner: Segments, table: pl.DataFrame, plan: _Plan, added: Ints) -> StepResult:
    left_out, lengths = int(owner.lengths[plan.too_many].sum()), owner.lengths + added
    gaps = Runs(owner.ids, np.cumsum(lengths) - lengths, lengths).sum_ints(marked["is_gap"].to_numpy())
    nulls = np.where(plan.too_many, 0, gaps - added)
    if left_out:
        marked = marked.filter(pl.Series(np.repeat(~plan.too_many, lengths)))
    skipped = table["label"].is_null()
    state = pl.DataFrame({"failed": plan.too_many, "skipped": skipped, "decision": table["decision"]})
    state = state.select(
        status=pl.when("failed").then(pl.lit("failed")).when("skipped").then(pl.lit("skipped")).otherwise(pl.lit("ok")),
        reason=pl.when("failed")
        .then(pl.lit(plan.reason()))
        .when("skipped")
        .then(pl.format("gaps are marked in regular series, this one is {}", pl.col("decision").fill_null("unknown"))),
    )
    ledger = entries(
        owner.ids,
        status=state["status"],
        reason=state["reason"],
        counts={"rows": pl.Series(owner.lengths), "marked": pl.Series(added), "nulls": pl.Series(nulls)},
    )
    return StepResult({"observations": marked}, ledger, {"marked": int(added.sum()), "left_out": left_out})
