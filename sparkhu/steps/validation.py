"""Validation: rows that cannot be used go to quarantine, each with its reason; rows outside the interval are left out.

A value outside the valid range of its own series is refused; one at an alert level is real, stays, and is marked.
Rows in = rows out + quarantined + left out, for every series and over all.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas, check_frame
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import Runs
from sparkhu.zones import check_zone

READ = ("unique_id", "ds", "y", "available_at", "source_row")
OBSERVATIONS = (*READ, "is_alert")
QUARANTINE = ("unique_id", "source_row", "ds_text", "y_text", "reason", "detail")
LIMITS: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "unit": pl.String(),
    "valid_min": pl.Float64(),
    "valid_max": pl.Float64(),
    "alert_low": pl.Float64(),
    "alert_high": pl.Float64(),
}
"""What validation uses of the metadata of a series."""
STAMP = "%Y-%m-%d %H:%M:%S%.f"


class Interval(NamedTuple):
    """The half-open interval `[start, end)` of a run; null is without limit."""

    start: datetime | None
    end: datetime | None


def requested_interval(start: str = "", end: str = "", zone: str = "UTC") -> Interval:
    """Read the limits of a run.

    Args:
        start: ISO time from which rows count, in `zone` where it has no offset; empty: from the first row.
        end: ISO time before which rows count; empty: to the last row.
        zone: IANA time zone. Of an hour that a clock change repeats, the first pass is meant.

    Raises:
        InputError: One of the three cannot be read, or `end` does not lie after `start`.

    Example:
        >>> requested_interval("2014-01-01", zone="Europe/Berlin").start.isoformat()
        '2014-01-01T00:00:00+01:00'
    """
    check_zone(zone)
    interval = Interval(_limit("start", start, zone), _limit("end", end, zone))
    if interval.start and interval.end and interval.end <= interval.start:
        raise InputError(f"end must lie after start, got start '{start}' and end '{end}'")
    return interval


def _limit(parameter: str, text: str, zone: str) -> datetime | None:
    if not text:
        return None
    try:
        limit = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{parameter} must be an ISO time such as 2014-03-09 or 2014-03-09T03:00, got '{text}'"
        ) from error
    return limit if limit.tzinfo else limit.replace(tzinfo=ZoneInfo(zone))


@accepts_pandas
def judge_rows(frame: pl.DataFrame, metadata: pl.DataFrame | None = None) -> pl.DataFrame:
    """Say of each row why it cannot be used, or whether its value is one to be alerted of.

    Args:
        frame: The raw frame of a source, or any observation frame. `ds_text`, `y_text` (the source's text where it
            could not be parsed) and `ds_reason` (why not) are used where they are there.
        metadata: Limits per series (`LIMITS`): the valid range from `valid_min` to `valid_max`, both included, and
            the levels `alert_low` and `alert_high`, in the values' own unit; null is without limit.

    Returns:
        `frame` with the text column `reason`: `line_unreadable`, `id_missing`, `time_missing`,
        `time_unparsable` (or what `ds_reason` says), `value_unparsable`, `value_not_finite`,
        `value_out_of_range`; null where the row can be used. A null value is a marked gap and can be used. Of
        several reasons the first of this list stands. `is_alert` is true where a value that can be used is
        `alert_low` or less, or `alert_high` or more; it is never null.

    Raises:
        InputError: A column is missing, or `metadata` has a series twice.

    Example:
        >>> oven = pl.DataFrame([("oven", "°C", 0, 50, None, 45)], schema=LIMITS, orient="row")
        >>> rows = pl.DataFrame({"unique_id": "oven", "y": [45.0, 44.0, 51.0]})
        >>> rows = rows.with_columns(ds=pl.lit(datetime(2026, 1, 1)).cast(TIME))
        >>> judge_rows(rows, oven).select("reason", "is_alert").rows()
        [(None, True), (None, False), ('value_out_of_range', False)]
    """
    check_frame(frame, "unique_id", "ds", "y", raw=True)
    texts = {name: pl.col(name) if name in frame.columns else pl.lit(None, pl.String) for name in _TEXTS}
    rows = frame.select("unique_id", "ds", pl.col("y").fill_nan(None), **texts)
    rows = rows.with_columns(_limits(frame, metadata))
    refused = rows.select(_is_refused()).to_series()
    reason = pl.repeat(None, frame.height, dtype=pl.String, eager=True).alias("reason")
    if refused.any():
        reason = reason.scatter(refused.arg_true(), rows.filter(refused).select(_reason()).to_series())
    y = pl.col("y")
    alert = ((y <= pl.col("alert_low")) | (y >= pl.col("alert_high"))).fill_null(value=False)
    return frame.with_columns(rows.select("y", reason, is_alert=alert & ~pl.lit(refused)).get_columns())


_TEXTS = ("ds_text", "y_text", "ds_reason")


def _is_refused() -> pl.Expr:
    """Tell the rows that `_reason` has a reason for: they are few, and texts are made for them alone."""
    y = pl.col("y")
    refused = (pl.col("ds_reason") == "line_unreadable").fill_null(value=False)
    refused |= pl.col("unique_id").is_null() | pl.col("ds").is_null()
    refused |= y.is_infinite().fill_null(value=False) | (y.is_null() & pl.col("y_text").is_not_null())
    return refused | ((y < pl.col("valid_min")) | (y > pl.col("valid_max"))).fill_null(value=False)


def _reason() -> pl.Expr:
    y, text = pl.col("y"), pl.col("y_text")
    infinite = y.is_infinite() | (y.is_null() & text.cast(pl.Float64, strict=False).is_infinite())
    no_time = pl.when(pl.col("ds_text").is_null()).then(pl.lit("time_missing")).otherwise(pl.lit("time_unparsable"))
    unreadable = pl.col("ds_reason") == "line_unreadable"
    return (
        pl.when(unreadable)
        .then(pl.col("ds_reason"))
        .when(pl.col("unique_id").is_null())
        .then(pl.lit("id_missing"))
        .when(pl.col("ds").is_null())
        .then(pl.coalesce("ds_reason", no_time))
        .when(infinite)
        .then(pl.lit("value_not_finite"))
        .when(y.is_null() & text.is_not_null())
        .then(pl.lit("value_unparsable"))
        .when((y < pl.col("valid_min")) | (y > pl.col("valid_max")))
        .then(pl.lit("value_out_of_range"))
    )


def _limits(frame: pl.DataFrame, metadata: pl.DataFrame | None) -> Sequence[pl.Expr | pl.Series]:
    """Align the limits with the rows; a series without metadata has none."""
    if metadata is None:
        return [pl.lit(None, dtype).alias(name) for name, dtype in LIMITS.items() if name != "unique_id"]
    check_frame(metadata, *LIMITS)
    doubled = metadata.filter(pl.col("unique_id").is_duplicated())["unique_id"]
    if len(doubled):
        raise InputError(f"metadata has series '{doubled[0]}' more than once. Give each series one row.")
    runs = Runs.of(frame)
    limits = runs.align(metadata.cast(pl.Schema(LIMITS)), *(name for name in LIMITS if name != "unique_id"))
    return limits.drop("unique_id").select(pl.all().gather(runs.number())).get_columns()


def validate(
    observations: pl.DataFrame,
    metadata: pl.DataFrame | None = None,
    *,
    start: str = "",
    end: str = "",
    zone: str = "UTC",
) -> StepResult:
    """Sort the rows of a shard into observations, quarantine, and what lies outside the interval.

    A row whose time is known and lies outside `[start, end)` is left out and counted, whatever else it holds. A series
    without one observed value among the rows that remain has failed.

    Args:
        observations: The raw frame.
        metadata: Limits per series, see `judge_rows`; of any number of series, among them those of the shard.
        start: ISO time, see `requested_interval`.
        end: ISO time, not included.
        zone: Time zone of `start` and `end`.

    Returns:
        Frames `observations` (`unique_id, ds, y, available_at, source_row, is_alert`, then the source's further
        columns in their order) and `quarantine` (`unique_id, source_row, ds_text, y_text, reason, detail`; `detail`
        is the valid range that a value lies outside); counts `quarantined`, `left_out` and `alerts`.

    Raises:
        InputError: A parameter or a column cannot be used.
    """
    interval = requested_interval(start, end, zone)
    check_frame(observations, *READ, raw=True)
    texts = [name for name in _TEXTS if name in observations.columns and not _is_null(observations[name])]
    extras = [name for name in observations.columns if name not in (*OBSERVATIONS, *_TEXTS)]
    judged = judge_rows(observations.select(*READ, *texts), metadata).with_columns(_outside=_outside(interval))
    usable = judged.select(pl.col("reason").is_null() & ~pl.col("_outside")).to_series()
    kept = judged.select(OBSERVATIONS).hstack(observations.select(extras))
    kept = kept if usable.all() else kept.filter(usable)
    refused = judged.filter(pl.col("reason").is_not_null() & ~pl.col("_outside"))
    quarantine = _quarantine(refused, _limits(refused, metadata))
    counts = {
        "quarantined": quarantine.height,
        "left_out": int(judged["_outside"].sum()),
        "alerts": int(kept["is_alert"].sum()),
    }
    return StepResult({"observations": kept, "quarantine": quarantine}, _entries(judged), counts)


def _is_null(column: pl.Series) -> bool:
    return column.null_count() == len(column)


def _outside(interval: Interval) -> pl.Expr:
    outside = pl.lit(value=False)
    if interval.start:
        outside = outside | (pl.col("ds") < pl.lit(interval.start).cast(TIME))
    if interval.end:
        outside = outside | (pl.col("ds") >= pl.lit(interval.end).cast(TIME))
    return outside.fill_null(value=False)


def _quarantine(refused: pl.DataFrame, limits: Sequence[pl.Expr | pl.Series]) -> pl.DataFrame:
    """Show each refused row as text: the source's own where it could not be parsed, else what was read."""
    shown = {"ds_text": pl.col("ds").dt.strftime(STAMP), "y_text": pl.col("y").cast(pl.String)}
    texts = [
        pl.coalesce(name, read).alias(name) if name in refused.columns else read.alias(name)
        for name, read in shown.items()
    ]
    detail = pl.when(pl.col("reason") == "value_out_of_range").then(_valid_range()).alias("detail")
    return refused.with_columns(limits).with_columns(*texts, detail).select(QUARANTINE)


def _valid_range() -> pl.Expr:
    """Write a valid range with its unit, such as `valid range [0, 50] °C`."""
    low, high = (pl.col(name).cast(pl.String).str.strip_suffix(".0") for name in ("valid_min", "valid_max"))
    limits = (
        pl.when(low.is_null())
        .then(pl.format("up to {}", high))
        .when(high.is_null())
        .then(pl.format("from {}", low))
        .otherwise(pl.format("[{}, {}]", low, high))
    )
    return pl.concat_str(pl.lit("valid range"), limits, "unit", separator=" ", ignore_nulls=True)


def _entries(judged: pl.DataFrame) -> pl.DataFrame:
    """Account for every series; rows without one are in the quarantine only."""
    reason, outside = judged["reason"], judged["_outside"]
    refused = reason.is_not_null() & ~outside
    told = {
        "left_out": outside,
        "quarantined": refused,
        "alerts": judged["is_alert"] & ~outside,
        "observed": judged["y"].is_not_null() & reason.is_null() & ~outside,
    }
    runs = Runs.of(judged)
    counts = {name: runs.count(rows) for name, rows in told.items()}
    table = pl.DataFrame({"unique_id": runs.ids, "rows": runs.lengths, **counts}).drop_nulls("unique_id")
    most = judged.filter(refused).group_by("unique_id").agg(most=pl.col("reason").mode().sort().first())
    series = table.group_by("unique_id", maintain_order=True).sum()
    series = series.join(most, on="unique_id", how="left", maintain_order="left")
    failed = pl.col("observed") == 0
    why = (
        pl.when(pl.col("left_out") == pl.col("rows"))
        .then(pl.lit("no row lies in the requested interval"))
        .when(pl.col("quarantined") > 0)
        .then(pl.format("no observed value: {} rows refused, most often {}", "quarantined", "most"))
        .otherwise(pl.lit("no observed value: every row is a marked gap"))
    )
    judgement = series.select(
        status=pl.when(failed).then(pl.lit("failed")).otherwise(pl.lit("ok")), reason=pl.when(failed).then(why)
    )
    shown = {name: series[name] for name in ("rows", "quarantined", "left_out", "alerts")}
    return ledger.entries(series["unique_id"], status=judgement["status"], reason=judgement["reason"], counts=shown)
