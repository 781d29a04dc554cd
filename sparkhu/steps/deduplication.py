"""Deduplication: one row an instant, by a stated policy, with a report of what stood there.

Further columns of the source belong to their row: what stands in them comes from the row that the policy keeps, and
where it averages, numbers are averaged likewise.
"""

from typing import Literal, get_args

import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME, accepts_pandas, check_frame, extra_columns
from sparkhu.steps.duplicate_kinds import kind_of
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import Runs

Policy = Literal["last", "first", "mean", "median", "error"]
AVERAGES = ("mean", "median")
DUPLICATES: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "ds": TIME,
    "rows": pl.Int64(),
    "distinct_values": pl.Int64(),
    "kind": pl.String(),
    "kept": pl.Float64(),
}
MADE = {"_instant": pl.UInt32(), "_row": pl.UInt32(), "available_at": TIME, "is_alert": pl.Boolean()}
REPORT = {**DUPLICATES, **MADE}


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
    available since the latest of them, a value that is there several times since the earliest; where the rows that hold
    it differ in further columns, since the row that these are taken from.

    Further columns come from the kept row: the first under `first`, else the last one with a value. Under `mean` and
    `median` numbers among them are averaged the same way, and all columns of numbers become float64.

    Args:
        frame: Observations.
        policy: What to do where distinct values meet; `error` leaves no series with such an instant.

    Returns:
        `unique_id, ds, y, available_at, is_alert` and the further columns, sorted. `is_alert` is true where a row with
        the kept value is at an alert level, or, where the kept value is none of them, any row is.

    Raises:
        InputError: An unknown policy, or a missing column.
    """
    return drop_duplicates(frame, policy=policy).frames["observations"]


def drop_duplicates(observations: pl.DataFrame, *, policy: Policy = "last") -> StepResult:
    """Keep one row an instant in a shard, and report the instants that had more.

    Args:
        observations: `unique_id, ds, y, available_at`, and `source_row` for the order in the source; `is_alert` and
            further columns of the source travel along.
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
    extras = observations.select(_extras(observations, policy))
    report = _report(rows, extras, policy)
    conflicting = report.filter(pl.col("distinct_values") > 1)
    refused = conflicting["unique_id"].unique() if policy == "error" else conflicting["unique_id"].clear()
    resolved = _resolved(rows, report, extras, policy)
    kept = resolved.filter(~pl.col("unique_id").is_in(refused.implode())) if len(refused) else resolved
    counts = {
        "dropped": rows.height - resolved.height,
        "conflicts": conflicting.height,
        "failed_rows": resolved.height - kept.height,
    }
    frames = {"observations": kept, "duplicates": report.select(DUPLICATES.keys())}
    return StepResult(frames, _entries(rows, report, refused), counts)


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort rows by series, instant and place in the source; number the instants (`_instant`), remember the row."""
    if "source_row" not in frame.columns:
        frame = frame.with_row_index("source_row")
    alert = pl.col("is_alert").fill_null(value=False) if "is_alert" in frame.columns else pl.lit(value=False)
    rows = frame.select(*SCHEMA, "source_row", is_alert=alert, _row=pl.int_range(pl.len(), dtype=pl.UInt32))
    if not _is_sorted(rows):
        rows = rows.sort("unique_id", "ds", "source_row", maintain_order=True)
    again = (pl.col("unique_id") == pl.col("unique_id").shift()) & (pl.col("ds") == pl.col("ds").shift())
    rows = rows.with_columns(_again=again.fill_null(value=False))
    return rows.with_columns(_instant=(~pl.col("_again")).cum_sum().cast(pl.UInt32))


def _is_sorted(rows: pl.DataFrame) -> bool:
    """Say whether rows stand in order already, as those of a shard do; comparing them takes a tenth of a sort."""
    follows = pl.lit(value=False)
    for name in ("source_row", "ds", "unique_id"):
        this, last = pl.col(name).slice(1), pl.col(name).slice(0, pl.len() - 1)
        follows = (this >= last) if name == "source_row" else (this > last) | ((this == last) & follows)
    return rows.height < 2 or bool(rows.select(follows.fill_null(value=False).all()).item())


def _extras(frame: pl.DataFrame, policy: Policy) -> list[pl.Expr]:
    """Select the further columns, numbers as float64 where they are averaged: the type depends on no shard's data."""
    averaged = policy in AVERAGES
    return [
        pl.col(name).cast(pl.Float64) if averaged and frame.schema[name].is_numeric() else pl.col(name)
        for name in extra_columns(frame)
    ]


def _resolved(rows: pl.DataFrame, report: pl.DataFrame, extras: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    if not report.height:
        one = rows.select(*SCHEMA, "is_alert")
        return one.hstack(extras.select(pl.all().gather(rows["_row"])).get_columns())
    heads = rows.filter(~pl.col("_again"))
    made = report.select(*MADE, y="kept", several=pl.lit(value=True))
    several = pl.col("several").is_not_null()
    one = heads.join(made, on="_instant", how="left", maintain_order="left", suffix="_made").select(
        "unique_id",
        "ds",
        *(pl.when(several).then(f"{name}_made").otherwise(name).alias(name) for name in ("y", "available_at")),
        *(pl.when(several).then(f"{name}_made").otherwise(name).alias(name) for name in ("is_alert", "_row")),
    )
    kept = extras.select(pl.all().gather(one["_row"]))
    if policy in AVERAGES:
        places = heads["_instant"].is_in(report["_instant"].implode()).arg_true()
        for column in _averages(rows, extras, policy):
            kept = kept.with_columns(kept[column.name].scatter(places, column))
    return one.drop("_row").hstack(kept.get_columns())


def _averages(rows: pl.DataFrame, extras: pl.DataFrame, policy: Policy) -> list[pl.Series]:
    """Average the further columns of numbers over the rows that have a value, one value an instant of several rows."""
    several = _several(rows)
    numbers = [name for name, dtype in extras.schema.items() if dtype.is_numeric()]
    wins = pl.col("y").is_not_null() | pl.col("y").is_null().all()
    columns = []
    for name in numbers:
        table = several.select("_instant", "y", x=extras[name][several["_row"]])
        value = pl.col("x").filter(wins)
        average = value.sort().mean() if policy == "mean" else value.median()
        columns.append(table.group_by("_instant", maintain_order=True).agg(average)["x"].alias(name))
    return columns


def _several(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("_again") | pl.col("_again").shift(-1, fill_value=False))


def _report(rows: pl.DataFrame, extras: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Describe the instants with several rows: what they hold, what is kept, and since when that was known."""
    several = _several(rows)
    if not several.height:
        return pl.DataFrame(schema=REPORT)
    several = several.with_columns(_extra=_codes(extras, several["_row"]))
    y, known, row = pl.col("y"), pl.col("available_at"), pl.col("_row")
    winning = y.is_not_null() | y.is_null().all()
    value, since = _chosen(y.filter(winning), known.filter(winning), policy)
    one = y.drop_nulls().n_unique() < 2
    kept = pl.when(one).then(y.filter(winning).first()).otherwise(value)
    same = pl.col("_extra").filter(winning).n_unique() < 2
    alert, holds = pl.col("is_alert"), y.eq_missing(kept)
    report = several.group_by("_instant", maintain_order=True).agg(
        pl.col("unique_id").first(),
        pl.col("ds").first(),
        rows=pl.len().cast(pl.Int64),
        distinct_values=y.drop_nulls().n_unique().cast(pl.Int64),
        kept=kept,
        available_at=pl.when(one & same).then(known.filter(winning).min()).otherwise(since),
        is_alert=pl.when(holds.any()).then((alert & holds).any()).otherwise(alert.any()),
        _row=row.filter(winning).first() if policy == "first" else row.filter(winning).last(),
    )
    return report.with_columns(kind=kind_of(rows, report)).select(REPORT.keys())


def _codes(extras: pl.DataFrame, rows: pl.Series) -> pl.Series:
    """Number what stands in the further columns of some rows: the same number where they hold the same."""
    if not extras.width:
        return pl.repeat(0, len(rows), dtype=pl.UInt32, eager=True)
    return extras.select(pl.struct(pl.all()).gather(rows).rank("dense")).to_series()


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
            return pl.lit(None, pl.Float64), known.last()


def _entries(rows: pl.DataFrame, report: pl.DataFrame, refused: pl.Series) -> pl.DataFrame:
    owner = Runs.of(rows)
    series = pl.DataFrame({"unique_id": owner.ids, "dropped": owner.count(rows["_again"])})
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
