"""What kind of duplicates stand at an instant.

Kinds of duplicates, the first that fits:

- `burst`: three rows or more at one instant, where the neighbours leave a hole about as long as those rows would fill:
  a stretch of local time that a clock set forward has squeezed into one instant.
- `repeated_interval`: part of a stretch of at least two instants that the source goes through twice, jumping back in
  time before the second pass, with other values: a clock set back.
- `conflict`: two distinct values or more.
- `exact`: one value; marked gaps beside it give way.
"""

import numpy as np
import polars as pl

BURST_ROWS = 3
BURST_TOLERANCE = 0.25


def kind_of(rows: pl.DataFrame, report: pl.DataFrame) -> pl.Expr:
    """Name the kind of duplicates at each instant of a report.

    Args:
        rows: All rows, sorted by series, instant and place in the source: `unique_id, ds, source_row`, `_instant` (the
            number of the row's instant) and `_again` (not the first row of its instant).
        report: The instants with several rows: `unique_id, _instant, rows, distinct_values`.

    Returns:
        A column for `report`: `burst`, `repeated_interval`, `conflict` or `exact`.
    """
    burst, repeated = _bursts(rows, report), report["_instant"].is_in(_repeated(rows, report).implode())
    return (
        pl.when(burst)
        .then(pl.lit("burst"))
        .when(repeated)
        .then(pl.lit("repeated_interval"))
        .when(pl.col("distinct_values") > 1)
        .then(pl.lit("conflict"))
        .otherwise(pl.lit("exact"))
    )


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
