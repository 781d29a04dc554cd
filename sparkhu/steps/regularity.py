"""Regularity: does a series have a period, and which; the split of the data in a regular and an irregular part.

Calendar periods are tried first (`calendar_periods`), then fixed ones (`fixed_periods`), to the microsecond; the
decision is the majority of the last five estimates (`estimate_history`). A row whose value is null is a marked gap,
a known slot of the series' grid, so that its time counts; but a series needs five observed values for a decision.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas, check_frame
from sparkhu.ledger import entries
from sparkhu.periods import Period
from sparkhu.splits import parse_split, split_times
from sparkhu.steps.estimate_history import decide, remembered
from sparkhu.steps.period_estimates import LEAST_POINTS, estimate
from sparkhu.steps.result import StepResult, reads
from sparkhu.steps.segmented import Runs
from sparkhu.steps.series_gaps import SeriesGaps
from sparkhu.zones import check_zone

PROFILE_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "decision": pl.String(),
    "period_kind": pl.String(),
    "period_us": pl.Int64(),
    "period_label": pl.String(),
    "period_error": pl.Float64(),
    "share_explained": pl.Float64(),
    "n": pl.Int64(),
    "median_gap_us": pl.Int64(),
    "season_length": pl.Int64(),
    "zone": pl.String(),
    "month_day": pl.Int64(),
    "train_end": TIME,
    "valid_end": TIME,
    "test_end": TIME,
    "estimated_at": TIME,
    "version": pl.Int64(),
    "estimate": pl.String(),
    "estimate_label": pl.String(),
    "changed": pl.Boolean(),
}


def check_regularity(*, zone: str, split: str, period: str, season_length: int) -> None:
    """Check the parameters of the step.

    Raises:
        InputError: One of them cannot be used; the message names it.
    """
    check_zone(zone)
    parse_split(split)
    if period:
        Period.parse(period, zone)
    if season_length < 0:
        raise InputError(f"season_length must be a number of points, or 0 for the calendar's, got {season_length}")


@accepts_pandas
def find_periods(frame: pl.DataFrame, *, zone: str = "UTC") -> pl.DataFrame:
    """Find the period of each series, or that it has none.

    Args:
        frame: Observation frame, sorted.
        zone: Where days begin and months end.

    Returns:
        One row a series: `unique_id`; `decision` (`regular`, `irregular`, `no_decision` with fewer than five observed
        points); `period_label` (1h, 250ms, 1mo, 1q, 1y, 1bd; null unless regular); `period_error`, the mean distance
        of the gaps from the nearest multiple, in periods; `share_explained`, the share of gaps within 0.1 periods of
        a multiple; `n` observed points; `median_gap_us` in microseconds.

    Raises:
        InputError: A column is missing or the zone is unknown.

    Example:
        >>> find_periods(frame, zone="Europe/Berlin").filter(pl.col("decision") == "regular")
    """
    check_frame(frame, "unique_id", "ds", "y")
    check_zone(zone)
    return estimate(frame, SeriesGaps.of(frame), zone).select(
        "unique_id",
        pl.col("estimate").alias("decision"),
        pl.col("estimate_label").alias("period_label"),
        *("period_error", "share_explained", "n", "median_gap_us"),
    )


@reads(observations=("unique_id", "ds", "y"))
def detect_regularity(
    observations: pl.DataFrame,
    past: pl.DataFrame | None = None,
    *,
    zone: str = "UTC",
    split: str = "0.7/0.1/0.2",
    period: str = "",
    season_length: int = 0,
) -> StepResult:
    """Profile every series of a shard: its way, period, season, and the borders of its split.

    Args:
        observations: Rows of the shard.
        past: Estimates (or profiles) of earlier runs over these series, any number a series; None on a first run.
        zone: Where days begin and months end.
        split: Training, validation and test part: shares of each series, or numbers of its rows.
        period: Period of every series, which makes all of them regular; empty: found from the data.
        season_length: Points in a season; 0: from the calendar, for irregular series by their median gap.

    Returns:
        `profile`, one row a series (`PROFILE_SCHEMA`). `period_error` and `share_explained` measure the period decided
        on; `month_day` is the day of the month that calendar steps aim at. `estimates`: the five latest estimates of
        each series, the new one last, for the next run's `past`. In the ledger series without a decision are `skipped`
        (they go the irregular way) and `changed` is 1 where decision or period differ from before.

    Raises:
        InputError: A parameter or a column cannot be used.
    """
    check_regularity(zone=zone, split=split, period=period, season_length=season_length)
    check_frame(observations, "unique_id", "ds", "y")
    observations = observations.select("unique_id", "ds", "y")
    gaps = SeriesGaps.of(observations)
    stated = Period.parse(period, zone).label if period else None
    decided = decide(estimate(observations, gaps, zone), past, stated)
    profile = _remeasured(_with_period(decided, zone, season_length), gaps)
    borders = split_times(observations, split)
    profile = profile.join(borders, on="unique_id", how="left", maintain_order="left")
    profile = profile.select(PROFILE_SCHEMA.keys()).cast(pl.Schema(PROFILE_SCHEMA))
    frames = {"profile": profile, "estimates": remembered(profile, past)}
    return StepResult(frames, _ledger(profile), _counts(profile))


def split_by_regularity(observations: pl.DataFrame, profile: pl.DataFrame) -> StepResult:
    """Send each series its way: `regular`, or `irregular` for those without a period or without a decision.

    Args:
        observations: Rows of the shard.
        profile: `unique_id`, `decision`, one row a series; a series that is not in it goes the irregular way.
    """
    check_frame(observations, "unique_id")
    check_frame(profile, "unique_id", "decision")
    regular_ids = profile.filter(pl.col("decision") == "regular")["unique_id"]
    runs = Runs.of(observations)
    of_run = runs.ids.is_in(regular_ids.implode())
    is_regular = pl.Series(runs.spread(of_run.to_numpy()), dtype=pl.Boolean)
    ids = runs.ids.unique(maintain_order=True)
    flag = ids.is_in(regular_ids.implode()).cast(pl.Int64)
    parts = {"regular": is_regular, "irregular": ~is_regular}
    return StepResult(
        {name: observations if rows.all() else observations.filter(rows) for name, rows in parts.items()},
        entries(ids, counts={"regular": flag}),
        {"regular": int(flag.sum()), "irregular": len(ids) - int(flag.sum())},
    )


def _with_period(decided: pl.DataFrame, zone: str, season_length: int) -> pl.DataFrame:
    """Add kind, length and season of the period decided on."""
    periods = {label: Period.parse(label, zone) for label in decided["period_label"].drop_nulls().unique()}
    grids = {gap: Period("fixed", gap) for gap in decided["median_gap_us"].drop_nulls().unique()}
    by_month = pl.col("period_kind").is_in(["month", "quarter", "year"])
    season = pl.coalesce(
        _mapped("period_label", {label: period.season_length() for label, period in periods.items()}),
        _mapped("median_gap_us", {gap: period.season_length() for gap, period in grids.items()}),
        pl.lit(1),
    )
    return decided.with_columns(
        zone=pl.lit(zone),
        period_kind=_mapped("period_label", {label: period.kind for label, period in periods.items()}, pl.String),
        period_us=_mapped("period_label", {label: period.microseconds for label, period in periods.items()}),
        season_length=pl.lit(season_length) if season_length else season,
    ).with_columns(month_day=pl.when(by_month).then("month_day"))


def _mapped(column: str, values: Mapping[Any, Any], dtype: type[pl.DataType] = pl.Int64) -> pl.Expr:
    return pl.col(column).replace_strict(values, default=None, return_dtype=dtype)


def _remeasured(profile: pl.DataFrame, gaps: SeriesGaps) -> pl.DataFrame:
    """Measure the period decided on where it is not the one that the newest estimate found."""
    error, share = profile["period_error"].to_numpy().copy(), profile["share_explained"].to_numpy().copy()
    numbered = profile.with_row_index("series").filter(
        pl.col("period_label").is_not_null()
        & (pl.col("share_explained").is_null() | pl.col("period_label").ne_missing(pl.col("estimate_label")))
    )
    for keys, part in numbered.partition_by("period_label", "zone", "month_day", as_dict=True).items():
        label, zone, month_day = keys
        series = part["series"].to_numpy().astype(np.int64)
        fit = gaps.only(series).measure(Period.parse(str(label), str(zone), month_day))
        has_gaps = gaps.totals[series] > 0
        error[series] = np.where(has_gaps, fit.error, np.nan)
        share[series] = np.where(has_gaps, fit.explained, np.nan)
    return profile.with_columns(
        period_error=pl.Series(error, dtype=pl.Float64).fill_nan(None),
        share_explained=pl.Series(share, dtype=pl.Float64).fill_nan(None),
    )


def _ledger(profile: pl.DataFrame) -> pl.DataFrame:
    undecided = profile["decision"] == "no_decision"
    reasons = profile.select(
        pl.when(pl.col("decision") == "no_decision").then(
            pl.format(
                "no decision from {} observed points, it takes {}; goes the irregular way", "n", pl.lit(LEAST_POINTS)
            )
        )
    ).to_series()
    status = pl.select(pl.when(pl.lit(undecided)).then(pl.lit("skipped")).otherwise(pl.lit("ok"))).to_series()
    return entries(profile["unique_id"], status=status, reason=reasons, counts={"changed": profile["changed"]})


def _counts(profile: pl.DataFrame) -> dict[str, int]:
    names = ("regular", "irregular", "no_decision")
    return {name: int((profile["decision"] == name).sum()) for name in names} | {
        "changed": int(profile["changed"].sum())
    }
