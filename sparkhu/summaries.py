"""Daily summaries: counts and moments of a series' days, which add up to those of any span of days.

A lake keeps one row a series and day beside its observations, so that a run can tell of all days what it would else
have to read all rows for. Moments are merged by the pairwise formula of T. F. Chan, G. H. Golub and R. J. LeVeque,
"Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", COMPSTAT 1982: what is kept is the sum of
squares about the mean of each day, so nothing is lost where the level is far above the spread.
"""

import polars as pl

from sparkhu.frame import TIME, check_frame
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
HISTORY_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "history_n": pl.Int64(),
    "history_mean": pl.Float64(),
    "history_std": pl.Float64(),
    "history_min": pl.Float64(),
    "history_max": pl.Float64(),
    "history_start": TIME,
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
        One row a series that has a value (`HISTORY_SCHEMA`), sorted; the standard deviation of a single one is null.

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
        history_n=n.sum(),
        history_mean=whole,
        m2=pl.col("m2").sum() + (n * (pl.col("mean") - whole) ** 2).sum(),
        history_min=pl.col("min").min(),
        history_max=pl.col("max").max(),
        history_start=pl.col("first").min(),
    )
    several = pl.col("history_n") > 1
    table = table.with_columns(history_std=pl.when(several).then((pl.col("m2") / (pl.col("history_n") - 1)).sqrt()))
    return table.select(pl.col(name).cast(dtype) for name, dtype in HISTORY_SCHEMA.items())
