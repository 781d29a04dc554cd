"""What a fold's models may learn from: rows cut at its cutoff, and everything that is made from them.

Rows are cut first. Only then are gaps closed, borders drawn, scalers fitted and windows indexed, so none of these can
have seen what lies behind. No value is cleaned. A gap is closed by the last value before it, which was known in time;
what closes it is looked at by models, and never scored or fitted by a scaler.
"""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import polars as pl

from sparkhu import ledger
from sparkhu.backtesting.folds import Fold, validation_points
from sparkhu.frame import TIME
from sparkhu.periods import Period
from sparkhu.steps.deduplication import drop_duplicates
from sparkhu.steps.filling import fill_last
from sparkhu.steps.gaps import MAX_NEW_ROWS, mark_gaps
from sparkhu.steps.normalisation import fit_scalers
from sparkhu.steps.regularity import detect_regularity
from sparkhu.steps.windows import index_windows
from sparkhu.training.groups import plan_groups
from sparkhu.training.parts import CHOOSE, TRAIN
from sparkhu.training.windows import ShardWindows, assemble

HOLES = f"its gaps hold more than {MAX_NEW_ROWS:,} rows: check its period"
BASE = ("unique_id", "ds", "y", "available_at")


class Prepared(NamedTuple):
    """A fold's data.

    Attributes:
        rows: Before the cutoff, on the grid of each series, gaps closed.
        profile: One row a series: period, borders of its parts, group, L and H.
        scalers: One a series, of its training part.
        shard: The windows.
        notes: How L was chosen, and whether it holds a season.
        left_out: Ledger entries of the series that cannot be forecast, with the reason.
    """

    rows: pl.DataFrame
    profile: pl.DataFrame
    scalers: pl.DataFrame
    shard: ShardWindows
    notes: list[str]
    left_out: pl.DataFrame


def cut(rows: pl.DataFrame, cutoff: datetime) -> pl.DataFrame:
    """Keep what lies before an instant and was known at it.

    Args:
        rows: Observation frame.
        cutoff: The instant.
    """
    at = pl.lit(cutoff).cast(TIME)
    return rows.filter((pl.col("ds") < at) & (pl.col("available_at") <= at))


def prepare(known: pl.DataFrame, fold: Fold) -> Prepared:
    """Make a fold's data from what was known at its cutoff.

    Args:
        known: As `cut` gives it.
        fold: The fold; of its members those are taken that are long enough and go on to the cutoff.
    """
    of_fold = known.select(BASE).filter(pl.col("unique_id").is_in(fold.members.implode()))
    own = drop_duplicates(of_fold).frames["observations"]
    rows, profile, left_out = _on_grid(own, fold)
    bordered = _with_borders(rows, profile, fold)
    planned = plan_groups(bordered, horizon=fold.horizon, input_size=fold.input_size, whole_seasons=True)
    scaled = fit_scalers(rows, planned.profile, scaler=fold.scaler)
    scalers = scaled.frames["scalers"]
    windows = index_windows(rows, planned.profile, zone=fold.zone).frames["windows"]
    shard = assemble(rows, windows, scalers, planned.profile)
    if fold.until is not None:
        shard = replace(shard, table=_all_choose(shard))
    failed = scaled.ledger.filter(pl.col("status") == "failed")
    return Prepared(rows, planned.profile, scalers, shard, planned.notes, pl.concat([left_out, failed]))


def on_grid(rows: pl.DataFrame, profile: pl.DataFrame, end: datetime) -> pl.DataFrame:
    """Put rows onto the grid of their series up to an instant, and close the gaps by the last value before them.

    Args:
        rows: Observation frame, sorted, one row an instant.
        profile: `decision` and the period of each series.
        end: The grid ends before it.

    Returns:
        From the first observed value of each series on, with `y_raw` as observed. A series whose gaps hold more rows
        than `sparkhu.steps.gaps.MAX_NEW_ROWS` is not in it.
    """
    marked = mark_gaps(rows, profile, end=end.isoformat()).frames["observations"]
    begun = pl.col("y").is_not_null().cum_max().over("unique_id")
    return fill_last(marked.filter(begun))


def _all_choose(shard: ShardWindows) -> pl.DataFrame:
    """Let every window behind the training part choose, as published protocols do; none is left to calibrate."""
    borders = shard.series.select("train_end", code=pl.int_range(pl.len(), dtype=pl.Int64))
    table = shard.table.join(borders, on="code", maintain_order="left")
    behind = (pl.col("targets_from") >= pl.col("train_end")) & (pl.col("part") != TRAIN)
    return table.with_columns(part=pl.when(behind).then(pl.lit(CHOOSE)).otherwise("part")).drop("train_end")


def _on_grid(own: pl.DataFrame, fold: Fold) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Give the rows of the series that can be forecast, their profile, and why others are left out."""
    names = fold.members.alias("unique_id").to_frame()
    told = _told(names, own, fold)
    usable = own.join(told.filter(pl.col("reason").is_null()), on="unique_id", how="semi", maintain_order="left")
    season = {"period": fold.period, "season_length": fold.season_length}
    profile = detect_regularity(usable, zone=fold.zone, **season).frames["profile"]  # type: ignore[arg-type]
    rows = on_grid(usable, profile, fold.cutoff)
    if short := _too_short(rows, fold):
        told = told.with_columns(reason=pl.coalesce("reason", pl.lit(short)))
        rows, profile = rows.clear(), profile.clear()
    whole = profile.join(rows, on="unique_id", how="semi", maintain_order="left")
    broken = profile.join(rows, on="unique_id", how="anti", maintain_order="left")
    holes = ledger.entries(broken["unique_id"], status="skipped", reason=HOLES)
    lost = told.drop_nulls("reason")
    left_out = ledger.entries(lost["unique_id"], status="skipped", reason=lost["reason"])
    return rows, whole, pl.concat([left_out, holes])


def _too_short(rows: pl.DataFrame, fold: Fold) -> str | None:
    """Say why the given input size fits in no series of a fold; None where it does."""
    longest = rows.group_by("unique_id").len()["len"].max()
    needed = fold.input_size + fold.horizon
    if not fold.input_size or not isinstance(longest, int) or longest >= needed:
        return None
    return (
        f"the longest series of {fold.group} has {longest} points before the cutoff {fold.cutoff}, an input size of "
        f"{fold.input_size} and a horizon of {fold.horizon} need {needed}"
    )


def _told(names: pl.DataFrame, own: pl.DataFrame, fold: Fold) -> pl.DataFrame:
    """Say of each series why it cannot be forecast; null where it can."""
    observed = own.drop_nulls("y").group_by("unique_id").agg(last=pl.col("ds").max(), points=pl.len())
    found = names.join(observed, on="unique_id", how="left", maintain_order="left")
    ends = pl.repeat(fold.cutoff, found.height, dtype=TIME, eager=True)
    steps = Period.parse(fold.period, fold.zone).counts(found["last"], ends)
    at, least = pl.lit(f"before the cutoff {fold.cutoff}"), fold.horizon + 2
    few = pl.format("{} values {}, a horizon of {} needs {}", "points", at, pl.lit(fold.horizon), pl.lit(least))
    reason = (
        pl.when(pl.col("points").is_null())
        .then(pl.format("no value {}", at))
        .when(pl.col("points") < least)
        .then(few)
        .when(pl.col("steps") > fold.horizon)
        .then(pl.format("its last value lies {} points {}, more than a horizon", "steps", at))
    )
    return found.with_columns(steps=steps).with_columns(reason=reason)


def _with_borders(rows: pl.DataFrame, profile: pl.DataFrame, fold: Fold) -> pl.DataFrame:
    """Draw the border between what trains and what chooses; both end at the cutoff."""
    counted = rows.group_by("unique_id", maintain_order=True).agg(n=pl.len().cast(pl.Int64), ds="ds")
    chosen = pl.Series([validation_points(n, fold.horizon) for n in counted["n"]], dtype=pl.Int64)
    counted = counted.with_columns(train=counted["n"] - chosen)
    borders = counted.select("unique_id", "n", train_end=pl.col("ds").list.get(pl.col("train")))
    if fold.train_end is not None:
        borders = borders.with_columns(train_end=pl.lit(fold.train_end).cast(TIME))
    end = pl.lit(fold.cutoff).cast(TIME)
    joined = profile.drop("n", "train_end", "valid_end", "test_end").join(
        borders, on="unique_id", maintain_order="left"
    )
    return joined.with_columns(valid_end=end, test_end=end)
