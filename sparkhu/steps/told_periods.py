"""Which period new data have where a model's own were resampled: that of its source, or already the model's."""

import polars as pl

from sparkhu.frame import check_frame
from sparkhu.steps.buckets import Buckets
from sparkhu.steps.own_periods import by_period, with_periods
from sparkhu.steps.segmented import instants, times

TOLD_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "brought": pl.Boolean(),
    "reason": pl.String(),
}
TOO_DENSE = "its points stand closer than every {}, {}; bring it to that first"
OFF_STARTS = (
    "its points stand as far apart as every {}, but not all where such a period begins; give every {}, or those"
)
MODELS, SOURCES = "the model's period", "the period that the model's data came with"


def tell_periods(
    observations: pl.DataFrame, source_profile: pl.DataFrame, profile: pl.DataFrame, *, zone: str
) -> pl.DataFrame:
    """Tell the period of new data of regular series by the median gap between their points.

    A series that was not resampled in training has one period. One that was may come with either: its points are those
    of the model's period (`brought`) where their median gap is nearer, in ratio, to that period than to the source's.
    A shorter source period is told apart from a longer one of the model with one more condition: every point stands
    where a period of the model begins. Where that fails nothing safe can be said, for half of the source's points may
    be missing, or hours may begin elsewhere: the series is refused. So is one whose points stand closer than half of
    its period. A single point has no gap, and counts as one of the source's period.

    Args:
        observations: Sorted rows, one an instant.
        source_profile: One row a series with `decision` and the period that the model's data came with.
        profile: One row a series with `decision` and the period that the model was trained on.
        zone: Zone of the calendar where the profiles name none.

    Returns:
        The columns of `TOLD_SCHEMA`, one row a regular series of the profile that has rows: `reason` says why it cannot
        be used, null where it can.

    Raises:
        InputError: A column is missing.

    Example:
        A model of hours made of 15 minutes: points at 12:00, 13:00, 14:00 are brought to hours already; points at
        12:00, 12:15, 12:45 are not; points at 12:10, 13:10, 14:10 are refused.
    """
    check_frame(observations, "unique_id", "ds")
    gaps = observations.group_by("unique_id").agg(gap=pl.col("ds").diff().median().dt.total_microseconds())
    models = _lengths(observations, profile, zone, starts=True)
    sources = _lengths(observations, source_profile, zone, starts=False)
    table = models.join(sources, on="unique_id", suffix="_source", maintain_order="left")
    table = table.join(gaps, on="unique_id", maintain_order="left")
    gap, length, source = pl.col("gap"), pl.col("length"), pl.col("length_source")
    resampled = pl.col("label") != pl.col("label_source")
    longer = source < length
    middle = source.sqrt() * length.sqrt()
    near = resampled & pl.when(longer).then(gap > middle).otherwise(gap < middle).fill_null(value=False)
    own = pl.when(near).then(length).otherwise(source)
    label = pl.when(near).then("label").otherwise("label_source")
    whose = pl.when(near | ~resampled).then(pl.lit(MODELS)).otherwise(pl.lit(SOURCES))
    reason = (
        pl.when(2 * gap < own)
        .then(pl.format(TOO_DENSE, label, whose))
        .when(near & longer & ~pl.col("starts"))
        .then(pl.format(OFF_STARTS, "label", "label_source"))
    )
    told = table.select("unique_id", brought=near & reason.is_null(), reason=reason)
    return told.select(pl.col(name).cast(dtype) for name, dtype in TOLD_SCHEMA.items())


def _lengths(observations: pl.DataFrame, profile: pl.DataFrame, zone: str, *, starts: bool) -> pl.DataFrame:
    """Give `label` and `length` (microseconds) of each regular series' period, and whether all its points begin one."""
    schema = {"unique_id": pl.String, "label": pl.String, "length": pl.Float64, "starts": pl.Boolean}
    parts = [pl.DataFrame(schema=schema)]
    for period, part in by_period(with_periods(profile.filter(pl.col("decision") == "regular"), zone)):
        rows = observations.select("unique_id", "ds").join(part.select("unique_id"), on="unique_id", how="semi")
        if starts:
            buckets, ds = Buckets(period), instants(rows["ds"])
            rows = rows.with_columns(begins=times(buckets.starts(buckets.numbers(ds))) == rows["ds"])
        else:
            rows = rows.with_columns(begins=pl.lit(value=True))
        found = rows.group_by("unique_id", maintain_order=True).agg(starts=pl.col("begins").all())
        length = pl.lit(float(period.nominal_us))
        parts.append(found.select("unique_id", pl.lit(period.label).alias("label"), length.alias("length"), "starts"))
    return pl.concat(parts)
