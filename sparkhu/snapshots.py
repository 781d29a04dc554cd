"""Snapshots: what was known of every series as of one moment, for look-ups that must not see the future.

A feature store joins on one time. With `available_at` as that time, rows of many instants that became known together
tie, and a late revision of an old instant hides the newer ones; with `ds`, a value is seen before it was known. One row
a series and moment has neither fault: everything in it was known at its `available_at`, and the newest row not behind a
moment is the state as of that moment. What a model may see and what it predicts are tables apart.
"""

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame
from sparkhu.steps.cleaning import NONE

LAST_VALUES = 24

SNAPSHOT_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "available_at": TIME,
    "last_ds": TIME,
    "last_value": pl.Float64(),
    "n": pl.Int64(),
    **dict.fromkeys(("missing_share", "mean", "std", "min", "q1", "median", "q3", "max"), pl.Float64()),
    "period_label": pl.String(),
    "season_length": pl.Int64(),
    "decision": pl.String(),
    "decision_version": pl.Int64(),
    "trend_strength": pl.Float64(),
    "seasonal_strength": pl.Float64(),
    "scaler": pl.String(),
    "center": pl.Float64(),
    "scale": pl.Float64(),
    "scaler_version": pl.String(),
    "last_values": pl.List(pl.Float64()),
}
PARTS_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "available_at": TIME,
    "ds": TIME,
    **dict.fromkeys(("y", "trend", "seasonal", "resid"), pl.Float64()),
    "is_outlier": pl.Boolean(),
    "is_anomaly": pl.Boolean(),
    "fill_strategy": pl.String(),
}
TARGETS_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "cutoff": TIME,
    "ds": TIME,
    "available_at": TIME,
    "truth": pl.List(pl.Float64()),
}
STATISTICS = {name: name for name in ("n", "mean", "std", "min", "q1", "median", "q3", "max")}
STATISTICS["share_missing"] = "missing_share"
SEEN = ("last_ds", "last_value", "last_values", *STATISTICS.values())
"""What a history tells."""
PROFILE = {"period_label": "period_label", "season_length": "season_length", "decision": "decision"}
PROFILE["version"] = "decision_version"
STRENGTHS = {name: name for name in ("trend_strength", "seasonal_strength")}
SCALER = {"scaler": "scaler", "center": "center", "scale": "scale", "version": "scaler_version"}


def known_since(clean: pl.DataFrame, scalers: pl.DataFrame) -> datetime:
    """Find the earliest moment at which all of a run's results could have been known.

    Args:
        clean: The clean rows of the run.
        scalers: Its scalers.

    Returns:
        The latest `available_at` of both.

    Raises:
        InputError: There are no rows, or a column is missing or has another type.
    """
    check_frame(clean, "available_at")
    check_frame(scalers, "available_at")
    latest = pl.concat([clean["available_at"], scalers["available_at"]]).max()
    if not isinstance(latest, datetime):
        raise InputError("clean has no row that was ever known: there is nothing to take a snapshot of")
    return latest


def last_observed(rows: pl.DataFrame) -> pl.DataFrame:
    """Give the newest observed values of each series.

    Args:
        rows: `unique_id, ds, y`, in any order, one row an instant; nulls are no values.

    Returns:
        One row a series that has a value, sorted: `unique_id`, `last_ds`, `last_value`, `last_values` (24 at most, the
        oldest first).
    """
    check_frame(rows, "unique_id", "ds", "y")
    observed = rows.drop_nulls("y").sort("unique_id", "ds")
    return observed.group_by("unique_id", maintain_order=True).agg(
        last_ds=pl.col("ds").last(), last_value=pl.col("y").last(), last_values=pl.col("y").tail(LAST_VALUES)
    )


def take_snapshots(
    clean: pl.DataFrame,
    *,
    stats: pl.DataFrame,
    profile: pl.DataFrame,
    seasons: pl.DataFrame,
    scalers: pl.DataFrame,
    cleaning: pl.DataFrame | None = None,
    history: pl.DataFrame | None = None,
    moment: datetime | None = None,
) -> pl.DataFrame:
    """Take a snapshot of every series: what was known at a moment, and nothing that came later.

    A run may have read rows that became known behind the moment, as of an interval that is computed anew. What it found
    in them is left out: a field that cannot be told from what was known by then is null.

    Args:
        clean: Clean rows of a run, as in `clean.parquet`.
        stats: `n, share_missing, mean, std, min, q1, median, q3, max` of each series, as in `stats.parquet`.
        profile: `period_label, season_length, decision, version` of each series, as in `profile.parquet`.
        seasons: `trend_strength, seasonal_strength` of each series, as in `seasons.parquet`.
        scalers: Scalers as `fit_scalers` gives them.
        cleaning: `candidates` of each series, as in `cleaning.parquet`: where cleaning changes its values, what its
            scaler is fitted on was chosen with models of all series. Null: nothing was chosen.
        history: What was known of each series at the moment, where a lake was read, and until when what the run read
            became known (`sparkhu.stages.lake_history`); null: the run read a source.
        moment: The moment; null: the earliest at which all of this was known.

    Returns:
        One row a series of `clean` that had an observed value (`SNAPSHOT_SCHEMA`), sorted: the last observed instant
        and value, and the last 24 observed values (oldest first). With a history they and the statistics are of the
        lake's observations, in the version known at the moment, before any cleaning: `n, mean, std, min, max` of all
        days, `missing_share, q1, median, q3` of the rows that the run looked back on. Without one they are of the
        run's rows, and null where not all of the series were known. So are period, decision, strengths and scaler
        either way, as the rows behind the training part say where that ends. The scaler of a series that cleaning may
        change is null where not all rows of all series were known.

    Raises:
        InputError: A column is missing or has another type, or nothing was ever known and no moment is given.

    Example:
        >>> take_snapshots(clean, stats=stats, profile=profile, seasons=seasons, scalers=scalers)
    """
    check_frame(clean, "unique_id", "ds", "y_raw", "available_at")
    at = _moment(clean, scalers, moment)
    whole = _known_whole(clean, at, history)
    if history is None:
        known = clean.filter(_known(at)).select("unique_id", "ds", y="y_raw")
        table = _beside(last_observed(known), stats, STATISTICS, whole)
    else:
        check_frame(history, "unique_id", *SEEN)
        told = history.drop_nulls("last_ds").sort("unique_id").select("unique_id", *SEEN)
        table = told.join(clean.select("unique_id"), on="unique_id", how="semi", maintain_order="left")
    table = _beside(table, profile, PROFILE, whole)
    table = _beside(table, seasons, STRENGTHS, whole)
    table = _beside(table, scalers.filter(_known(at)), SCALER, _scaled_alone(whole, clean, cleaning))
    return _typed(table.with_columns(available_at=pl.lit(at).cast(TIME)), SNAPSHOT_SCHEMA)


def take_parts(
    clean: pl.DataFrame,
    *,
    scalers: pl.DataFrame,
    history: pl.DataFrame | None = None,
    moment: datetime | None = None,
) -> pl.DataFrame:
    """Take the newest clean point of every series, with its parts, as of a moment.

    A trend that was found from all rows of a run was known when the last of them was, not when its own point was: so
    parts are looked up as of the snapshot, and the clean rows are not looked up by their own `available_at`.

    Args:
        clean: Clean rows of a run, as in `clean.parquet`.
        scalers: Scalers as `fit_scalers` gives them; they date the moment where none is given.
        history: As in `take_snapshots`.
        moment: The moment; null: the earliest at which all of this was known.

    Returns:
        One row a series (`PARTS_SCHEMA`), sorted: of its last instant with a value. A series of which not all rows were
        known has none: its point may be cleaned, and its parts are made, by what came later.

    Raises:
        InputError: As in `take_snapshots`.
    """
    check_frame(clean, "unique_id", "ds", "y", "available_at")
    at = _moment(clean, scalers, moment)
    known = pl.col("unique_id").is_in(_known_whole(clean, at, history).implode())
    last = clean.filter(known, pl.col("y").is_not_null()).sort("unique_id", "ds", maintain_order=True)
    table = last.unique("unique_id", keep="last", maintain_order=True)
    return _typed(table.with_columns(available_at=pl.lit(at).cast(TIME)), PARTS_SCHEMA)


def take_targets(clean: pl.DataFrame, cutoffs: pl.DataFrame) -> pl.DataFrame:
    """Take what was observed behind cutoffs, where all of it is known.

    Args:
        clean: Clean rows, evenly spaced; a gap is a row whose `y_raw` is null.
        cutoffs: `unique_id, cutoff, horizon`: the last instant that a forecast looked at, and its number of steps.

    Returns:
        One row a cutoff whose `horizon` rows are all there and not all gaps (`TARGETS_SCHEMA`), in the order of
        `cutoffs`: `truth`, the observed values, oldest first, null in gaps; `ds`, the last instant of them;
        `available_at`, when the last of them became known.

    Raises:
        InputError: A column is missing or has another type, or a horizon is not positive.

    Example:
        Observed 1, 2, 3 at 01:00, 02:00, 03:00, cutoff 01:00, horizon 2: truth [2, 3], known at 03:00.
    """
    check_frame(clean, "unique_id", "ds", "y_raw", "available_at")
    check_frame(cutoffs, "unique_id", "cutoff", "horizon")
    short = cutoffs.filter(pl.col("horizon") < 1)["horizon"].to_list()
    if short:
        raise InputError(f"horizon must be at least 1 step, got {short[0]}")
    rows = clean.sort("unique_id", "ds", maintain_order=True).with_row_index("row")
    ends = rows.group_by("unique_id").agg(end=pl.col("row").last() + 1)
    asked = cutoffs.select("unique_id", "cutoff", "horizon").with_row_index("asked")
    first = asked.sort("cutoff").join_asof(
        rows.select("unique_id", "ds", "row").sort("ds"),
        left_on="cutoff",
        right_on="ds",
        by="unique_id",
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    whole = first.join(ends, on="unique_id").filter(pl.col("row") + pl.col("horizon") <= pl.col("end")).sort("asked")
    places = whole.with_columns(row=pl.int_ranges("row", pl.col("row") + pl.col("horizon"))).explode("row")
    points = places.drop("ds").join(
        rows.select(pl.col("row").cast(pl.Int64), "ds", "y_raw", "available_at"), on="row", maintain_order="left"
    )
    truths = points.group_by("asked", maintain_order=True).agg(
        pl.col("unique_id", "cutoff").first(),
        pl.col("ds").last(),
        pl.max_horizontal("ds", "available_at").max().alias("available_at"),
        truth=pl.col("y_raw"),
    )
    known = truths.filter(pl.col("truth").list.drop_nulls().list.len() > 0)
    return _typed(known, TARGETS_SCHEMA)


def _moment(clean: pl.DataFrame, scalers: pl.DataFrame, moment: datetime | None) -> datetime:
    """Check the moment, or choose the earliest at which everything was known."""
    if moment is None:
        return known_since(clean, scalers)
    if moment.tzinfo is None:
        raise InputError(f"moment must have a zone, got '{moment.isoformat()}'")
    return moment


def _known(at: datetime) -> pl.Expr:
    """Say of rows whether they were known at a moment."""
    return pl.col("available_at") <= pl.lit(at).cast(TIME)


def _known_whole(clean: pl.DataFrame, at: datetime, history: pl.DataFrame | None) -> pl.Series:
    """List the series of which all that the run read was known at a moment.

    Clean rows do not tell of a value that was withdrawn, nor of a row that was refused: the history does.
    """
    dates = [clean.select("unique_id", "available_at")]
    if history is not None:
        check_frame(history, "unique_id", "known_until")
        dates.append(history.select("unique_id", available_at="known_until"))
    latest = pl.concat(dates).group_by("unique_id").agg(pl.col("available_at").max())
    return latest.filter(_known(at))["unique_id"]


def _scaled_alone(whole: pl.Series, clean: pl.DataFrame, cleaning: pl.DataFrame | None) -> pl.Series:
    """Take out of the series that were known whole those whose scaler hangs on others that were not."""
    if cleaning is None or clean["unique_id"].is_in(whole.implode()).all():
        return whole
    check_frame(cleaning, "unique_id", "candidates")
    chosen = cleaning.filter(pl.col("candidates") != NONE)["unique_id"]
    return whole.filter(~whole.is_in(chosen.implode()))


def _beside(table: pl.DataFrame, found: pl.DataFrame, names: Mapping[str, str], known: pl.Series) -> pl.DataFrame:
    """Set columns of a table of series beside those of another, under their new names; null where not `known`."""
    check_frame(found, "unique_id", *names)
    usable = found.filter(pl.col("unique_id").is_in(known.implode())).select("unique_id", *names).rename(dict(names))
    return table.join(usable, on="unique_id", how="left", maintain_order="left", validate="1:1")


def _typed(table: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return table.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
