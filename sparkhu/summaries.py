"""Daily summaries: counts and moments of a series' days, which add up to those of any span of days.

A lake keeps one row a series and day beside its observations, so that a run can tell of all days what it would else
have to read all rows for. Moments are merged by the pairwise formula of T. F. Chan, G. H. Golub and R. J. LeVeque,
"Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", COMPSTAT 1982: what is kept is the sum of
squares about the mean of each day, so nothing is lost where the level is far above the spread.
"""

import polars as pl

from sparkhu.frame import TIME, check_frame
from sparkhu.snapshots import last_observed
from sparkhu.zones import check_zone

SUMMARY_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "day": pl.Date(),
    "n": pl.Int64(),
    "mean": pl.Float64(),
    "m2": pl.Float64(),
    "min": pl.Float64(),
    "max": pl.Float64(),
    "first": TIME,
    "available_at": TIME,
}
MOMENTS_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "n": pl.Int64(),
    "mean": pl.Float64(),
    "std": pl.Float64(),
    "min": pl.Float64(),
    "max": pl.Float64(),
    "start": TIME,
}
HISTORY_SCHEMA: dict[str, pl.DataType] = {
    **MOMENTS_SCHEMA,
    **dict.fromkeys(("missing_share", "q1", "median", "q3"), pl.Float64()),
    "last_ds": TIME,
    "last_value": pl.Float64(),
    "last_values": pl.List(pl.Float64()),
}


def summarise_days(rows: pl.DataFrame, *, zone: str = "UTC") -> pl.DataFrame:
    """Summarise the observed values of each series and day.

    Args:
        rows: Observations, one row an instant.
        zone: Where days begin.

    Returns:
        One row a series and day (`SUMMARY_SCHEMA`), sorted: `n` values, their `mean`, `min` and `max` (null without a
        value), `m2` (the sum of squares about the mean), the `first` instant, and when the last of its rows was known:
        a value that is withdrawn makes a newer summary, too.

    Raises:
        InputError: A column is missing or has another type, or the zone is unknown.

    Example:
        Values 1 and 3 on a day: n 2, mean 2, m2 (1 − 2)² + (3 − 2)² = 2.
    """
    check_zone(zone)
    check_frame(rows, "unique_id", "ds", "y", "available_at")
    y, mean = pl.col("y"), pl.col("y").mean()
    days = rows.with_columns(day=pl.col("ds").dt.convert_time_zone(zone).dt.date())
    table = days.group_by("unique_id", "day").agg(
        n=y.count(),
        mean=mean,
        m2=((y - mean) ** 2).sum(),
        min=y.min(),
        max=y.max(),
        first=pl.col("ds").min(),
        available_at=pl.col("available_at").max(),
    )
    return table.sort("unique_id", "day").select(pl.col(name).cast(dtype) for name, dtype in SUMMARY_SCHEMA.items())


def merge_days(summaries: pl.DataFrame) -> pl.DataFrame:
    """Add days up: what the values of all of them have in common, series by series.

    Args:
        summaries: Rows as `summarise_days` gives them; of several of one series and day the last stands.

    Returns:
        One row a series that has a value (`MOMENTS_SCHEMA`), sorted; the standard deviation of a single one is null.

    Raises:
        InputError: A column is missing.

    Example:
        A day of 1 and 3 and a day of 5: n 3, mean 3, and m2 = 2 + 0 + 2·(2 − 3)² + 1·(5 − 3)² = 8, as of 1, 3, 5.
    """
    check_frame(summaries, *SUMMARY_SCHEMA)
    last = summaries.unique(("unique_id", "day"), keep="last", maintain_order=True)
    days = last.filter(pl.col("n") > 0).sort("unique_id", "day")
    n = pl.col("n")
    whole = (n * pl.col("mean")).sum() / n.sum()
    table = days.group_by("unique_id", maintain_order=True).agg(
        n=n.sum(),
        mean=whole,
        m2=pl.col("m2").sum() + (n * (pl.col("mean") - whole) ** 2).sum(),
        min=pl.col("min").min(),
        max=pl.col("max").max(),
        start=pl.col("first").min(),
    )
    table = table.with_columns(std=pl.when(n > 1).then((pl.col("m2") / (n - 1)).sqrt()))
    return table.select(pl.col(name).cast(dtype) for name, dtype in MOMENTS_SCHEMA.items())


def tell_history(days: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Tell what was known of each series: the moments of all days, and the state of the rows at hand.

    Args:
        days: Summaries of all days, as `merge_days` takes them.
        rows: Observations, one row an instant: those that a run looks at.

    Returns:
        One row a series of `rows` (`HISTORY_SCHEMA`), sorted: of all days `n`, `mean`, `std`, `min`, `max` and `start`;
        of the rows at hand `missing_share` (nulls among them), the quartiles (linear, as pandas'), and the newest
        observed values, null where all of them are missing.

    Raises:
        InputError: A column is missing or has another type.
    """
    check_frame(rows, "unique_id", "ds", "y")
    y = pl.col("y")
    quartiles = {"q1": y.quantile(0.25, "linear"), "median": y.median(), "q3": y.quantile(0.75, "linear")}
    table = rows.group_by("unique_id").agg(missing_share=y.null_count() / pl.len(), **quartiles).sort("unique_id")
    for one in (merge_days(days), last_observed(rows)):
        table = table.join(one, on="unique_id", how="left", maintain_order="left", validate="1:1")
    return table.select(pl.col(name).cast(dtype) for name, dtype in HISTORY_SCHEMA.items())
