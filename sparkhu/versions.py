"""Versions: what a point was before it was revised, so that who learns from it sees what was known in its time.

Steps clean the newest version of each point. The older ones stand as they came, uncleaned, each from its own arrival
on; they count only where the newest stands as it came, too: a value that was filled, clipped, averaged or taken out is
made from several points, and has one version, known when the last of these was.
"""

import polars as pl

from sparkhu.arrivals import KEY, TIMES
from sparkhu.frame import SCHEMA, check_frame

POINT = (
    ((pl.col("unique_id") != pl.col("unique_id").shift()) | (pl.col("ds") != pl.col("ds").shift()))
    .fill_null(value=True)
    .cum_sum()
)
"""Numbers the points of rows sorted by series and time: versions of one have one number."""


def versions_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep the points that have several versions, with all of these.

    Args:
        rows: Rows of a table, sorted by `unique_id` and `ds`; of equal `available_at` the one added later counts, and
            stands behind.

    Returns:
        `unique_id, ds, y, available_at`, sorted. A null `y` is a value that was withdrawn, or not there yet.

    Raises:
        InputError: A column is missing or has another type.

    Example:
        A point that was 5 at first and 7 from 15:00 on has two rows; one that was never revised has none.
    """
    check_frame(rows, *SCHEMA)
    several = pl.col("point").is_duplicated()
    chains = rows.select(*SCHEMA, point=POINT).filter(several).sort("point", "available_at", maintain_order=True)
    kept = chains.unique(("point", "available_at"), keep="last", maintain_order=True)
    return kept.filter(several).select(SCHEMA.keys())


def older_versions(
    rows: pl.DataFrame, versions: pl.DataFrame, *, value: str = "y", known: str = "available_at"
) -> pl.DataFrame:
    """Find what the values of rows were before they were revised.

    Args:
        rows: Rows with `unique_id`, `ds`, the value and when it was known.
        versions: As `versions_of` gives them.
        value: The column of the value.
        known: The column that says when it was known.

    Returns:
        The older versions (`unique_id, ds, y, available_at`) of the rows whose value and time are those of the newest
        version: they stand as they came. Of a point that was withdrawn for a time only those since then.

    Raises:
        InputError: A column is missing or has another type.
    """
    check_frame(rows, *KEY, value, known)
    check_frame(versions, *SCHEMA)
    at, withdrawn = pl.col("available_at"), pl.col("available_at").filter(pl.col("y").is_null())
    chains = versions.sort(TIMES, maintain_order=True).with_columns(point=POINT)
    chains = chains.with_columns(newest=at.max().over("point"), since=withdrawn.max().over("point"))
    there = rows.select(*KEY, y=value, available_at=known)
    standing = chains.filter(at == pl.col("newest")).join(there, on=list(SCHEMA), how="semi").select("point")
    older = chains.filter(at < pl.col("newest"), pl.col("since").is_null() | (at > pl.col("since")))
    return older.join(standing, on="point", how="semi", maintain_order="left").select(SCHEMA.keys())


def first_seen(rows: pl.DataFrame, versions: pl.DataFrame, *, value: str, known: str) -> pl.Series:
    """Say of rows from when on anything was observed there: whoever looked then has seen it, withdrawn or not.

    Args:
        rows: Rows with `unique_id`, `ds`, the value and when it was known.
        versions: As in `older_versions`.
        value: The column of what was observed, as it came; null where nothing is.
        known: The column that says when it was known.

    Returns:
        A time a row: that of the oldest version with a value, where the row holds the newest one; else that of the row.
        Null where nothing was ever observed.

    Raises:
        InputError: As for `older_versions`.

    Example:
        5 from 03:00 on, withdrawn at 10:00, 6 from 20:00 on: seen at 03:00, while `first_known` says 20:00.
    """
    check_frame(rows, *KEY, value, known)
    check_frame(versions, *SCHEMA)
    there = pl.col("available_at").filter(pl.col("y").is_not_null())
    chains = versions.sort(TIMES, maintain_order=True).group_by(KEY).agg(pl.col("y").last(), first_seen=there.min())
    asked = rows.select(*KEY, y=value, own=pl.when(pl.col(value).is_not_null()).then(known))
    found = asked.join(chains, on=[*KEY, "y"], how="left", nulls_equal=True, maintain_order="left")
    return found.select(first_seen=pl.min_horizontal("own", "first_seen")).to_series()


def first_known(
    rows: pl.DataFrame, versions: pl.DataFrame, *, value: str = "y", known: str = "available_at"
) -> pl.Series:
    """Say of rows from when on some version of their value was known.

    Args:
        rows: As in `older_versions`.
        versions: As in `older_versions`.
        value: As in `older_versions`.
        known: As in `older_versions`.

    Returns:
        A time a row: that of the oldest version, else that of the row.

    Raises:
        InputError: As for `older_versions`.
    """
    older = older_versions(rows, versions, value=value, known=known)
    if older.is_empty():
        return rows[known].alias("first_known")
    first = older.group_by(KEY).agg(first_known=pl.col("available_at").min())
    joined = rows.select(*KEY, known).join(first, on=KEY, how="left", maintain_order="left")
    return joined.select(pl.coalesce("first_known", known).alias("first_known")).to_series()
