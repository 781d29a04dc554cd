"""The profile of series that were brought to another period: period, season, points, and the borders of the split."""

import numpy as np
import polars as pl

from sparkhu.periods import Period
from sparkhu.steps.buckets import Buckets
from sparkhu.steps.segmented import NEVER, Ints, Segments, instants, times

BORDERS = ("train_end", "valid_end", "test_end")
SEASON_TOLERANCE = 0.05


def with_period(
    profile: pl.DataFrame, rows: pl.DataFrame, resampled: pl.DataFrame, state: pl.DataFrame
) -> pl.DataFrame:
    """Describe the new period in the profile of the series that have it; others keep their own.

    No point crosses a border: one inside a bucket moves back to the bucket's start, so that nothing of a later part is
    in an earlier one; one behind the last observed point moves to the end of that point's bucket. Where straight lines
    were drawn, a border moves back to the last point before it, because the line behind that leads to a later part.

    Args:
        profile: One row a series, any series.
        rows: The rows that were resampled.
        resampled: What became of them.
        state: `unique_id`, `way` (down, last, linear or none), `to` and `zone`, one row a series that has the period.
    """
    tables = []
    for (way, to, zone), group in state.group_by("way", "to", "zone", maintain_order=True):
        ids = pl.col("unique_id").is_in(group["unique_id"].implode())
        table = profile.filter(ids)
        target = Period.parse(str(to), str(zone))
        described: dict[str, pl.Expr | pl.Series] = {
            "period_kind": pl.lit(target.kind),
            "period_us": pl.lit(target.microseconds, pl.Int64),
            "period_label": pl.lit(target.label),
            "median_gap_us": pl.lit(target.nominal_us),
            "month_day": pl.lit(None, pl.Int64),
            "period_error": pl.lit(0.0),
            "share_explained": pl.lit(1.0),
            "season_length": _seasons(table, target),
            **_borders(table, rows.filter(ids), str(way), target),
        }
        tables.append(table.with_columns(**{name: value for name, value in described.items() if name in table.columns}))
    done = pl.concat([profile.clear(), *(table.cast(profile.schema) for table in tables)])
    observed = resampled.group_by("unique_id").agg(points=pl.col("y_raw").count().cast(profile.schema["n"]))
    done = done.join(observed, on="unique_id", how="left").with_columns(n=pl.col("points").fill_null(0)).drop("points")
    rest = profile.filter(~pl.col("unique_id").is_in(done["unique_id"].implode()))
    order = profile.select("unique_id")
    return order.join(pl.concat([rest, done]), on="unique_id", how="left", maintain_order="left")


def _seasons(table: pl.DataFrame, target: Period) -> pl.Series:
    """Give the calendar's season, or where a series has one of its own, as many new points as last as long."""
    seasons = []
    for own, label, zone in zip(table["season_length"], table["period_label"], _zones(table), strict=True):
        source = Period.parse(label, zone)
        points = own * source.nominal_us / target.nominal_us
        whole = round(points)
        fits = whole > 1 and abs(points - whole) <= SEASON_TOLERANCE * whole
        seasons.append(whole if own != source.season_length() and fits else target.season_length())
    return pl.Series(seasons, dtype=pl.Int64)


def _zones(table: pl.DataFrame) -> list[str]:
    return table["zone"].fill_null("UTC").to_list() if "zone" in table.columns else ["UTC"] * table.height


def _borders(table: pl.DataFrame, rows: pl.DataFrame, way: str, target: Period) -> dict[str, pl.Series]:
    owner = Segments.of(rows)
    own = owner.align(table, *BORDERS)
    ds = instants(rows["ds"])
    observed = rows["y_raw" if "y_raw" in rows.columns else "y"].is_not_null().to_numpy()
    last = owner.latest(np.where(observed, ds, NEVER))
    moved = {}
    for name in BORDERS:
        border = instants(own[name])
        known = np.where(border == NEVER, ds[owner.starts], border)
        if way == "down":
            new = _to_bucket(known, last, Buckets(target))
        elif way == "linear":
            before = owner.sum_ints(ds < known[owner.number()])
            new = np.where(before > 0, ds[owner.starts + np.maximum(before - 1, 0)] + 1, known)
        else:
            new = known
        moved[name] = times(np.where(border == NEVER, NEVER, new))
    found = owner.ids.to_frame("unique_id").with_columns(**moved)
    aligned = table.select("unique_id").join(found, on="unique_id", how="left", maintain_order="left")
    return {name: aligned[name] for name in BORDERS}


def _to_bucket(border: Ints, last: Ints, buckets: Buckets) -> Ints:
    behind = border > last
    number = buckets.numbers(border - behind)
    return buckets.starts(number + behind)
