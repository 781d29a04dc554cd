"""The period of each series as its profile states it: label, zone of its calendar, day of its months."""

import polars as pl

from sparkhu.periods import Period

PERIOD = ("period_label", "zone", "month_day")


def with_periods(profile: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Fill the columns `zone` and `month_day` in that a period needs beside `period_label`.

    Args:
        profile: One row a series with `period_label`, and `zone` and `month_day` where they were found.
        zone: Zone of the series whose profile names none.
    """
    zones = pl.col("zone").fill_null(zone) if "zone" in profile.columns else pl.lit(zone)
    days = pl.col("month_day") if "month_day" in profile.columns else pl.lit(None, pl.Int64)
    return profile.with_columns(zone=zones, month_day=days)


def by_period(table: pl.DataFrame) -> list[tuple[Period, pl.DataFrame]]:
    """List each period in use with its rows, in their order; rows without a period are left out.

    Args:
        table: As `with_periods` gives it.
    """
    parts = table.drop_nulls("period_label").partition_by(*PERIOD, as_dict=True, maintain_order=True)
    return [(Period.parse(str(label), str(zone), day), part) for (label, zone, day), part in parts.items()]
