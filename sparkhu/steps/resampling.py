"""Resampling of regular series to another period: down into buckets of the calendar, or up by inserted rows.

| how | the value of a bucket |
| --- | --- |
| `mean`, `sum`, `min`, `max`, `last` | that of its points |
| `ohlcv` | the last; `open`, `high`, `low`, `close` beside it, from the source's columns, else from values not filled |
| `vwap` | the mean weighted by the source's column `volume`; the last, where no volume was moved |

A bucket is named by its start, and known from its end on at the earliest (`available_at`). It tells how many points it
has (`count`), how many of these without an observed value (`missing`), how many instants of the period have no row
(`unmarked`), and how many `values` its `y` is made of. These make chains exact: 1s → 5s → 1min → 5min → 1h → 1d gives
what 1s → 1d gives, because a mean of means is weighted by `values`. For the same reason `mean` and `vwap` tell of every
other column of numbers how many there were (`values_of_<column>`), and `vwap` the volume behind its values
(`volume_of_y`, `volume_of_y_raw`). A source cannot have columns of these names. Chains of periods each of which is a
whole number of the one before are meant; weeks are not whole in months. So the step takes one period, the last.

`y` is made of all values, filled ones too, `y_raw` by the same rule of the observed ones alone. A `sum` of some points
of a bucket is no observation of the whole: where one was not observed (`missing`) or has no row (`unmarked`), `y_raw`
is null, so that no error is measured against a part of a sum. A bucket is a gap where none of its points was observed:
resampling stands behind the filling of gaps and fills none. `fill_strategy` names a bucket all of whose values are
fills.

The source's columns `open`, `high`, `low`, `close` and `volume` keep their meaning whatever `how` is: first, highest,
lowest, last, and a sum of what was observed that is 0 where nothing happened. Other numbers are aggregated as `y` is
(`ohlcv`: the last, `vwap`: the plain mean), and of words and marks the last one stands.
"""

import re
from typing import Literal, NamedTuple, get_args

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import accepts_pandas, check_frame
from sparkhu.ledger import entries
from sparkhu.periods import Period
from sparkhu.steps.bucket_values import VOLUME, How, complete, travelling
from sparkhu.steps.downsampling import down
from sparkhu.steps.irregular_grid import MAX_GRID_POINTS
from sparkhu.steps.irregular_grid import check_resampling as check_grid
from sparkhu.steps.regularity import find_periods
from sparkhu.steps.resampled_profile import BORDERS, with_period
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import Segments, check_table
from sparkhu.steps.upsampling import Up, divides, up_to
from sparkhu.zones import check_zone

Edges = Literal["drop", "keep"]
NOT_SPLIT = ("sum", "ohlcv", "vwap")
BUSINESS_DAY_SHARE = 7 / 5
CHAINED = re.compile(r"[,>→]")
PROFILE = ("decision", "period_kind", "period_us", "period_label", "n", "median_gap_us", "season_length", *BORDERS)


def check_resampling(
    *,
    to: str,
    how: str,
    up: str = "last",
    edges: str = "drop",
    zone: str = "UTC",
    max_grid_points: int = MAX_GRID_POINTS,
) -> None:
    """Check the parameters of the step, and of its fellow for irregular series (`sparkhu.steps.irregular_grid`).

    Raises:
        InputError: `to` is no period, the zone is unknown, a word is none of those there are, or `max_grid_points` is
            below 1.
    """
    check_grid(max_grid_points=max_grid_points)
    check_zone(zone)
    if to:
        _period(to, zone)
    for name, value, known in (
        ("how", how, get_args(How)),
        ("up", up, get_args(Up)),
        ("edges", edges, get_args(Edges)),
    ):
        if value not in known:
            raise InputError(f"{name} must be one of {', '.join(known)}, got '{value}'.")


def _period(to: str, zone: str) -> Period:
    try:
        return Period.parse(to, zone)
    except InputError as error:
        *between, last = [link.strip() for link in CHAINED.split(to)]
        if between:
            raise InputError(
                f"to must be one period, got '{to}'. Give the last of the chain, '{last}': a chain gives the same."
            ) from error
        raise InputError(f"to names no period to resample to: {error}") from error


@accepts_pandas
def resample(
    frame: pl.DataFrame,
    to: str,
    *,
    how: How = "mean",
    zone: str = "UTC",
    period: str = "",
    up: Up = "last",
    edges: Edges = "keep",
) -> pl.DataFrame:
    """Bring series to another period.

    Args:
        frame: Observation frame, sorted, each instant of a series once; extra columns of the source travel along.
        to: The period to bring them to, such as `5min`, `1h`, `1d`, `1w`, `1mo`, `1q`.
        how: What stands for the points of a longer period, see the module.
        zone: Where days, weeks and months begin.
        period: Period of all series; empty: each one's own is found. A series without one can be brought down alone,
            `unmarked` is null then, and its edges are kept.
        up: What stands in the rows inserted for a shorter period: `last`, `linear` in time, or `none`.
        edges: `keep` a first or last bucket that the series covers in part, or `drop` it.

    Returns:
        `unique_id`, `ds` (the bucket's start), `y`, `y_raw`, `available_at`, `is_gap`, the flags, `fill_strategy`,
        `observed_available_at`, `count`, `missing`, `unmarked`, `values`, then the columns of the source.

    Raises:
        InputError: A parameter or a column cannot be used, or a series cannot be brought to the period.

    Example:
        >>> resample(ticks, "1min", how="ohlcv", zone="America/New_York").select("ds", "open", "close", "volume")
    """
    check_resampling(to=to, how=how, up=up, edges=edges, zone=zone)
    if not to:
        raise InputError("to must be a period such as 1h or 1mo, got none.")
    check_frame(frame, "unique_id", "ds", "y", "available_at")
    stated = pl.lit(Period.parse(period, zone).label) if period else None
    ids = frame.select("unique_id").unique(maintain_order=True)
    plan = ids.with_columns(period_label=stated) if stated is not None else find_periods(frame, zone=zone)
    plan = plan.select("unique_id", "period_label", zone=pl.lit(zone), month_day=pl.lit(None, pl.Int64))
    parts = _resampled(frame, plan, to, how=how, up=up, edges=edges)
    failed = parts.state.filter(pl.col("reason").is_not_null())
    if failed.height:
        raise InputError(f"series '{failed['unique_id'][0]}' cannot be resampled: {failed['reason'][0]}.")
    return parts.rows


class _Resampled(NamedTuple):
    """Resampled series, and per series `way` (kept, down, or that of going up), `reason` of a failure, `cut` rows."""

    rows: pl.DataFrame
    state: pl.DataFrame


STATE: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "way": pl.String(),
    "zone": pl.String(),
    "reason": pl.String(),
    "cut": pl.Int64(),
}


def _resampled(frame: pl.DataFrame, plan: pl.DataFrame, to: str, *, how: How, up: Up, edges: Edges) -> _Resampled:
    """Resample the series of a plan: `unique_id`, `period_label` (null: unknown), `zone`, `month_day`."""
    if how == "vwap" and not (VOLUME in travelling(frame) and frame.schema[VOLUME].is_numeric()):
        raise InputError(
            f"how = vwap weighs by a column '{VOLUME}' of numbers, which there is none of. Read it with the source."
        )
    parts, states = [complete(frame.clear(), how)], [pl.DataFrame(schema=STATE)]
    table = Segments.of(frame).align(plan, "period_label", "zone", "month_day")
    for (label, zone, month_day), group in table.group_by("period_label", "zone", "month_day", maintain_order=True):
        own = frame.filter(pl.col("unique_id").is_in(group["unique_id"].implode()))
        source = Period.parse(str(label), str(zone), month_day) if label is not None else None
        target, cut = Period.parse(to, str(zone)), pl.lit(0)
        way = _way(source, target, up)
        if way == "kept":
            rows, reason = complete(own, how), pl.lit(None, pl.String)
        elif way == "down":
            rows, reasons, rows_cut = down(own, source, target, how=how, whole=edges == "drop")
            reason, cut = pl.lit(reasons), pl.lit(pl.Series(rows_cut))
        else:
            rows, reason = _upwards(own, source, target, how, up)
        parts.append(rows)
        told = group.select("unique_id", way=pl.lit(way), zone=pl.lit(str(zone)), reason=reason, cut=cut)
        states.append(told.cast(pl.Schema(STATE)))
    return _Resampled(pl.concat(parts).sort("unique_id", "ds"), pl.concat(states))


def _way(source: Period | None, target: Period, up: Up) -> str:
    """Say which way leads from one period to another; business days last longer than days, having weekends."""
    if source is None:
        return "down"
    if source.label == target.label:
        return "kept"
    lengths = [
        period.nominal_us * (BUSINESS_DAY_SHARE if period.kind == "business_day" else 1) for period in (source, target)
    ]
    return "down" if lengths[0] <= lengths[1] else up


def _upwards(
    frame: pl.DataFrame, source: Period | None, target: Period, how: How, up: Up
) -> tuple[pl.DataFrame, pl.Expr]:
    if source is None or how in NOT_SPLIT:
        return complete(frame.clear(), how), pl.lit(f"{how} cannot be split into shorter periods; choose mean or last")
    if not divides(source, target):
        return complete(frame.clear(), how), pl.lit(f"{source.label} is no whole number of {target.label}")
    rows, reason = up_to(complete(frame, how), target, up=up)
    return rows, pl.lit(reason)


def resample_regular(
    observations: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    to: str = "",
    how: How = "mean",
    up: Up = "last",
    edges: Edges = "drop",
    zone: str = "UTC",
) -> StepResult:
    """Bring the regular series of a shard to another period.

    Args:
        observations: Rows of regular series, gaps marked and filled; a series that is not regular stays as it is.
        profile: One row a series, of these and others, as `sparkhu.steps.regularity.detect_regularity` gives it.
        to: Period to bring them to; empty: rows and profile pass through as they are.
        how: What stands for the points of a longer period, see the module.
        up: What stands in the rows inserted for a shorter period, see `resample`.
        edges: `drop` a first or last bucket that a series covers in part, because a part of a sum is no sum; or `keep`.
        zone: Where days, weeks and months begin, for series whose profile names none.

    Returns:
        `observations`: see `resample`; `profile`: all series, see `sparkhu.steps.resampled_profile`. In the ledger a
        series that cannot be brought to the period has failed, with the reason; it counts `rows`, `points` and the rows
        `cut` at the edges.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    check_resampling(to=to, how=how, up=up, edges=edges, zone=zone)
    check_frame(observations, "unique_id", "ds", "y", "available_at")
    check_table(profile, *PROFILE)
    owner = Segments.of(observations)
    if not to:
        points = pl.Series(owner.lengths)
        ledger = entries(owner.ids, counts={"rows": points, "points": points, "cut": 0})
        return StepResult({"observations": observations, "profile": profile}, ledger)
    regular = profile.filter((pl.col("decision") == "regular") & pl.col("period_label").is_not_null())
    way = pl.col("unique_id").is_in(regular["unique_id"].implode())
    plan = regular.select(
        "unique_id",
        "period_label",
        zone=pl.col("zone").fill_null(zone) if "zone" in profile.columns else pl.lit(zone),
        month_day="month_day" if "month_day" in profile.columns else pl.lit(None, pl.Int64),
    )
    done = _resampled(observations.filter(way), plan, to, how=how, up=up, edges=edges)
    rows = pl.concat([done.rows, complete(observations.filter(~way), how)])
    moved = done.state.filter(pl.col("reason").is_null() & (pl.col("way") != "kept")).with_columns(to=pl.lit(to))
    described = with_period(profile, observations, rows, moved)
    return _result(owner, rows.sort("unique_id", "ds"), described, done.state)


def _result(owner: Segments, rows: pl.DataFrame, profile: pl.DataFrame, state: pl.DataFrame) -> StepResult:
    points = owner.align(rows.group_by("unique_id").agg(points=pl.len()), "points")["points"].fill_null(0)
    table = owner.align(state, "way", "reason", "cut")
    told = table.select(
        status=pl.when(pl.col("reason").is_not_null())
        .then(pl.lit("failed"))
        .when(pl.col("way").is_null())
        .then(pl.lit("skipped"))
        .otherwise(pl.lit("ok")),
        reason=pl.when(pl.col("way").is_null())
        .then(pl.lit("only regular series are brought to another period"))
        .otherwise("reason"),
        cut=pl.col("cut").fill_null(0),
    )
    failed = told["status"] == "failed"
    left_out = int(owner.lengths[failed.to_numpy()].sum())
    cut = told["cut"].set(failed, 0)
    counts = {"rows": pl.Series(owner.lengths), "points": points, "cut": cut}
    ledger = entries(owner.ids, status=told["status"], reason=told["reason"], counts=counts)
    frames = {"observations": rows, "profile": profile}
    return StepResult(frames, ledger, {"left_out": left_out, "cut": int(cut.sum())})
