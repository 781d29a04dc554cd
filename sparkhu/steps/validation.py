"""Validation: rows that cannot be used go to quarantine, each with its reason; rows outside the interval are left out.

Rows in = rows out + quarantined + left out, for every series and over all.
"""

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas, check_frame
from sparkhu.steps.result import StepResult
from sparkhu.zones import check_zone

OBSERVATIONS = ("unique_id", "ds", "y", "available_at", "source_row")
QUARANTINE = ("unique_id", "source_row", "ds_text", "y_text", "reason")
RANGES: dict[str, pl.DataType] = {"unique_id": pl.String(), "valid_min": pl.Float64(), "valid_max": pl.Float64()}
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
def judge_rows(frame: pl.DataFrame, ranges: pl.DataFrame | None = None) -> pl.DataFrame:
    """Say of each row why it cannot be used.

    Args:
        frame: The raw frame of a source, or any observation frame. `ds_text`, `y_text` (the source's text where it
            could not be parsed) and `ds_reason` (why not) are used where they are there.
        ranges: Valid range per series (`unique_id`, `valid_min`, `valid_max`, both included); null is without limit.

    Returns:
        `frame` with the text column `reason`: `id_missing`, `time_missing`, `time_unparsable` (or what `ds_reason`
        says), `value_unparsable`, `value_not_finite`, `value_out_of_range`; null where the row can be used. A null
        value is a marked gap and can be used. Of several reasons the first of this list stands.

    Raises:
        InputError: A column is missing, or `ranges` has a series twice.
    """
    check_frame(frame, "unique_id", "ds", "y")
    texts = {name: pl.col(name) if name in frame.columns else pl.lit(None, pl.String) for name in _TEXTS}
    low, high, limits = _limits(frame, ranges)
    y, text = pl.col("y").fill_nan(None), texts["y_text"]
    infinite = y.is_infinite() | (y.is_null() & text.cast(pl.Float64, strict=False).is_infinite())
    no_time = pl.when(texts["ds_text"].is_null()).then(pl.lit("time_missing")).otherwise(pl.lit("time_unparsable"))
    reason = (
        pl.when(pl.col("unique_id").is_null())
        .then(pl.lit("id_missing"))
        .when(pl.col("ds").is_null())
        .then(pl.coalesce(texts["ds_reason"], no_time))
        .when(infinite)
        .then(pl.lit("value_not_finite"))
        .when(y.is_null() & text.is_not_null())
        .then(pl.lit("value_unparsable"))
        .when((y < low) | (y > high))
        .then(pl.lit("value_out_of_range"))
    )
    return frame.with_columns(limits).with_columns(y=y, reason=reason).drop("valid_min", "valid_max", strict=False)


_TEXTS = ("ds_text", "y_text", "ds_reason")


def _limits(frame: pl.DataFrame, ranges: pl.DataFrame | None) -> tuple[pl.Expr, pl.Expr, list[pl.Series]]:
    """Align the valid ranges with the rows."""
    if ranges is None:
        nothing = pl.lit(None, pl.Float64)
        return nothing, nothing, []
    check_frame(ranges, *RANGES)
    doubled = ranges.filter(pl.col("unique_id").is_duplicated())["unique_id"]
    if len(doubled):
        raise InputError(f"ranges has series '{doubled[0]}' more than once. Give one valid range a series.")
    wanted = ranges.select(RANGES.keys()).cast(pl.Schema(RANGES))
    found = frame.select("unique_id").join(wanted, on="unique_id", how="left", maintain_order="left")
    return pl.col("valid_min"), pl.col("valid_max"), [found["valid_min"], found["valid_max"]]


def validate(
    observations: pl.DataFrame,
    ranges: pl.DataFrame | None = None,
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
        ranges: Valid range per series, see `judge_rows`.
        start: ISO time, see `requested_interval`.
        end: ISO time, not included.
        zone: Time zone of `start` and `end`.

    Returns:
        Frames `observations` (`unique_id, ds, y, available_at, source_row`) and `quarantine` (`unique_id, source_row,
        ds_text, y_text, reason`); counts `quarantined` and `left_out`.

    Raises:
        InputError: A parameter or a column cannot be used.
    """
    interval = requested_interval(start, end, zone)
    check_frame(observations, *OBSERVATIONS)
    judged = judge_rows(observations, ranges).with_columns(_outside=_outside(interval))
    refused = pl.col("reason").is_not_null() & ~pl.col("_outside")
    kept = judged.filter(pl.col("reason").is_null() & ~pl.col("_outside")).select(OBSERVATIONS)
    quarantine = _quarantine(judged.filter(refused))
    counts = {"quarantined": quarantine.height, "left_out": int(judged["_outside"].sum())}
    return StepResult({"observations": kept, "quarantine": quarantine}, _entries(judged), counts)


def _outside(interval: Interval) -> pl.Expr:
    outside = pl.lit(value=False)
    if interval.start:
        outside = outside | (pl.col("ds") < pl.lit(interval.start).cast(TIME))
    if interval.end:
        outside = outside | (pl.col("ds") >= pl.lit(interval.end).cast(TIME))
    return outside.fill_null(value=False)


def _quarantine(refused: pl.DataFrame) -> pl.DataFrame:
    """Show each refused row as text: the source's own where it could not be parsed, else what was read."""
    shown = {"ds_text": pl.col("ds").dt.strftime(STAMP), "y_text": pl.col("y").cast(pl.String)}
    texts = [
        pl.coalesce(name, read).alias(name) if name in refused.columns else read.alias(name)
        for name, read in shown.items()
    ]
    return refused.with_columns(texts).select(QUARANTINE)


def _entries(judged: pl.DataFrame) -> pl.DataFrame:
    """Account for every series; rows without one are in the quarantine only."""
    outside = pl.col("_outside")
    series = (
        judged.filter(pl.col("unique_id").is_not_null())
        .group_by("unique_id", maintain_order=True)
        .agg(
            rows=pl.len(),
            left_out=outside.sum(),
            quarantined=(pl.col("reason").is_not_null() & ~outside).sum(),
            observed=(pl.col("y").is_not_null() & pl.col("reason").is_null() & ~outside).sum(),
            most=pl.col("reason").filter(~outside).drop_nulls().mode().sort().first(),
        )
    )
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
    counts = {name: series[name] for name in ("rows", "quarantined", "left_out")}
    return ledger.entries(series["unique_id"], status=judgement["status"], reason=judgement["reason"], counts=counts)
