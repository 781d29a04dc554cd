"""Deduplication: one row an instant, by a stated policy, with a report of what stood there.

Kinds of duplicates, the first that fits:

- `burst`: three rows or more at one instant, where the neighbours leave a hole about as long as those rows would fill:
  a stretch of local time that a clock set forward has squeezed into one instant.
- `repeated_interval`: part of a stretch of at least two instants that the source goes through twice, jumping back in
  time before the second pass, with other values: a clock set back.
- `conflict`: two distinct values or more.
- `exact`: one value; marked gaps beside it give way.
"""

from typing import Literal, get_args

import numpy as np
import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME, accepts_pandas, check_frame
from sparkhu.steps.result import StepResult

Policy = Literal["last", "first", "mean", "median", "error"]
BURST_ROWS = 3
BURST_TOLERANCE = 0.25
DUPLICATES: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "ds": TIME,
    "rows": pl.Int64(),
    "distinct_values": pl.Int64(),
    "kind": pl.String(),
    "kept": pl.Float64(),
}
REPORT = {**DUPLICATES, "available_at": TIME, "_instant": pl.UInt32()}


def check_policy(policy: str) -> None:
    """Check the name of a policy.

    Raises:
        InputError: There is no such policy.
    """
    if policy not in get_args(Policy):
        raise InputError(f"policy must be one of {', '.join(get_args(Policy))}, got '{policy}'")


@accepts_pandas
def resolve_duplicates(frame: pl.DataFrame, *, policy: Policy = "last") -> pl.DataFrame:
    """Keep one row an instant.

    An observed value wins over a marked gap. Among distinct values the policy decides: the `last` or `first` in source
    order (`source_row`, else the order of rows), or their `mean` or `median`. A row made of several has been
    available since the latest of them, a value that is there several times since the earliest.

    Args:
        frame: Observations.
        policy: What to do where distinct values meet; `error` leaves no series with such an instant.

    Returns:
        `unique_id, ds, y, available_at`, sorted.

    Raises:
        InputError: An unknown policy, or a missing column.
    """
    return drop_duplicates(frame, policy=policy).frames["observations"]


def drop_duplicates(observations: pl.DataFrame, *, policy: Policy = "last") -> StepResult:
    """Keep one row an instant in a shard, and report the instants that had more.

    Args:
        observations: `unique_id, ds, y, available_at`, and `source_row` for the order in the source.
        policy: See `resolve_duplicates`. With `error` a series in which distinct values meet has failed.

    Returns:
        Frames `observations` (without `source_row`) and `duplicates` (one row an instant that had several rows:
        `unique_id, ds, rows, distinct_values, kind, kept`); counts `dropped` (rows), `conflicts` (instants) and
        `failed_rows` (rows of failed series).

    Raises:
        InputError: An unknown policy, or a missing column.
    """
    check_policy(policy)
    check_frame(observations, *SCHEMA)
    rows = _numbered(observations)
    report = _report(rows, policy)
    conflicting = report.filter(pl.col("distinct_values") > 1)
    refused = conflicting["unique_id"].unique() if policy == "error" else conflicting["unique_id"].clear()
    resolved = _resolved(rows, report)
    kept = resolved.filter(~pl.col("unique_id").is_in(refused.implode()))
    counts = {
        "dropped": rows.height - resolved.height,
        "conflicts": conflicting.height,
        "failed_rows": resolved.height - kept.height,
    }
    frames = {"observations": kept, "duplicates": report.select(DUPLICATES.keys())}
    return StepResult(frames, _entries(rows, report, refused), counts)


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort rows by series, instant and place in the source, and number the instants (`_instant`)."""
    if "source_row" not in frame.columns:
        frame = frame.with_row_index("source_row")
    rows = frame.select(*SCHEMA, "source_row").sort("unique_id", "ds", "source_row", maintain_order=True)
    again = (pl.col("unique_id") == pl.col("unique_id").shift()) & (pl.col("ds") == pl.col("ds").shift())
    rows = rows.with_columns(_again=again.fill_null(value=False))
    return rows.with_columns(_instant=(~pl.col("_again")).cum_sum().cast(pl.UInt32))


def _resolved(rows: pl.DataFrame, report: pl.DataFrame) -> pl.DataFrame:
    heads = rows.filter(~pl.col("_again"))
    if not report.height:
        return heads.select(SCHEMA.keys())
    made = report.select("_instant", "kept", known="available_at", several=pl.lit(value=True))
    several = pl.col("several").is_not_null()
    return heads.join(made, on="_instant", how="left", maintain_order="left").select(
        "unique_id",
        "ds",
        pl.when(several).then("kept").otherwise("y").alias("y"),
        pl.when(several).then("known").otherwise("available_at").alias("available_at"),
    )


def _report(rows: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Describe the instants with several rows: what they hold, what is kept, and since when that was known."""
    several = rows.filter(pl.col("_again") | pl.col("_again").shift(-1, fill_value=False))
    if not several.height:
        return pl.DataFrame(schema=REPORT)
    y, known = pl.col("y"), pl.col("available_at")
    winning = y.is_not_null() | y.is_null().all()
    value, since = _chosen(y.filter(winning), known.filter(winning), policy)
    one = y.drop_nulls().n_unique() < 2
    report = several.group_by("_instant", maintain_order=True).agg(
        pl.col("unique_id").first(),
        pl.col("ds").first(),
        rows=pl.len().cast(pl.Int64),
        distinct_values=y.drop_nulls().n_unique().cast(pl.Int64),
        kept=pl.when(one).then(y.filter(winning).first()).otherwise(value),
        available_at=pl.when(one).then(known.filter(winning).min()).otherwise(since),
    )
    burst, repeated = _bursts(rows, report), report["_instant"].is_in(_repeated(rows, report).implode())
    kind = (
        pl.when(burst)
        .then(pl.lit("burst"))
        .when(repeated)
        .then(pl.lit("repeated_interval"))
        .when(pl.col("distinct_values") > 1)
        .then(pl.lit("conflict"))
        .otherwise(pl.lit("exact"))
    )
    return report.with_columns(kind=kind).select(REPORT.keys())


def _chosen(y: pl.Expr, known: pl.Expr, policy: Policy) -> tuple[pl.Expr, pl.Expr]:
    """Give the kept value and since when it was known; sums run over sorted values: order has no part in them."""
    match policy:
        case "first":
            return y.first(), known.first()
        case "last":
            return y.last(), known.last()
        case "mean":
            return y.sort().mean(), known.max()
        case "median":
            return y.median(), known.max()
        case "error":
            return pl.lit(None, pl.Float64), known.max()


def _bursts(rows: pl.DataFrame, report: pl.DataFrame) -> pl.Series:
    """Find instants whose rows would about fill the hole around them.

    k rows squeezed into one instant leave (k + 1) usual gaps between its neighbours, where a usual gap is the median of
    the series. Where the series begins or ends at the instant, one usual gap stands for the side that is missing.
    """
    ds = pl.col("ds").to_physical()
    gaps = rows.filter(~pl.col("_again")).select(
        "unique_id",
        "_instant",
        before=ds.diff().over("unique_id"),
        after=ds.diff().shift(-1).over("unique_id"),
    )
    usual = gaps.group_by("unique_id").agg(usual=pl.col("before").median())
    around = report.select("unique_id", "_instant", "rows").join(
        gaps.drop("unique_id"), on="_instant", how="left", maintain_order="left"
    )
    around = around.join(usual, on="unique_id", how="left", maintain_order="left")
    gap, k = pl.col("usual"), pl.col("rows")
    hole = pl.coalesce("before", gap) + pl.coalesce("after", gap) - (k + 1) * gap
    slack = gap * pl.max_horizontal(1.0, BURST_TOLERANCE * (k - 1))
    fits = (k >= BURST_ROWS) & (hole.abs() <= slack)
    return around.select(fits.fill_null(value=False)).to_series()


def _repeated(rows: pl.DataFrame, report: pl.DataFrame) -> pl.Series:
    """Find the instants of stretches that the source goes through a second time, with at least one other value."""
    order = rows.select(pl.arg_sort_by("unique_id", "source_row", maintain_order=True)).to_series()
    first_pass = np.empty(rows.height, np.int64)
    first_pass[order.to_numpy()] = np.arange(rows.height)
    passed = pl.Series("_passed", first_pass).shift(1)
    source = rows.select("unique_id", "ds", "_again", "_instant", passed).select(pl.all().gather(order))
    same = pl.col("unique_id") == pl.col("unique_id").shift()
    source = source.with_columns(
        _goes_on=same
        & pl.col("_again")
        & pl.col("_again").shift()
        & (pl.col("ds") > pl.col("ds").shift())
        & (pl.col("_passed") > pl.col("_passed").shift()),
        _back=same & (pl.col("ds") < pl.col("ds").shift()),
    )
    stretch = (~pl.col("_goes_on").fill_null(value=False)).cum_sum()
    conflicts = report.filter(pl.col("distinct_values") > 1)["_instant"]
    found = (
        source.with_columns(_stretch=stretch, _differs=pl.col("_instant").is_in(conflicts.implode()))
        .filter("_again")
        .filter(
            (pl.len().over("_stretch") > 1)
            & pl.col("_back").first().over("_stretch").fill_null(value=False)
            & pl.col("_differs").any().over("_stretch")
        )
    )
    return found["_instant"]


def _entries(rows: pl.DataFrame, report: pl.DataFrame, refused: pl.Series) -> pl.DataFrame:
    series = rows.group_by("unique_id", maintain_order=True).agg(dropped=pl.col("_again").sum())
    conflicts = report.group_by("unique_id").agg(conflicts=(pl.col("distinct_values") > 1).sum())
    series = series.join(conflicts, on="unique_id", how="left", maintain_order="left").with_columns(
        pl.col("conflicts").fill_null(0)
    )
    failed = pl.col("unique_id").is_in(refused.implode())
    why = pl.format("distinct values meet at {} instants and the policy is error; choose another", "conflicts")
    judged = series.select(
        status=pl.when(failed).then(pl.lit("failed")).otherwise(pl.lit("ok")), reason=pl.when(failed).then(why)
    )
    return ledger.entries(
        series["unique_id"],
        status=judged["status"],
        reason=judged["reason"],
        counts={"dropped": series["dropped"], "conflicts": series["conflicts"]},
    )
