"""From wall-clock times to instants: zones, and the hours that a clock change doubles or skips."""

from typing import NamedTuple

import polars as pl

from sparkhu.frame import TIME
from sparkhu.sources.times import LocalTimes
from sparkhu.zones import check_zone

UNPARSABLE = "time_unparsable"
MISSING = "time_missing"
AMBIGUOUS = "time_ambiguous"
NONEXISTENT = "time_nonexistent"


class Instants(NamedTuple):
    """A column of instants.

    Attributes:
        ds: UTC microseconds, null where there is no instant.
        reason: Why there is none, else null.
        doubled: Rows in an hour that a clock change repeats and that were told apart by their order.
    """

    ds: pl.Series
    reason: pl.Series
    doubled: int = 0


def to_instants(times: LocalTimes, ids: pl.Series, missing: pl.Series, zone: str) -> Instants:
    """Place wall-clock times in a zone; times with an offset of their own need none.

    Clocks set back repeat an hour. A wall-clock time in it that a series has exactly twice is taken first in summer
    time, then in winter time, in source order; one that it has once or more than twice is refused as ambiguous.
    Clocks set forward skip an hour; a time in it is refused as non-existent.

    Args:
        times: Parsed times in source order.
        ids: The series of each row.
        missing: Where the source has no time at all.
        zone: IANA name.

    Raises:
        InputError: `zone` is not a time zone.
    """
    check_zone(zone)
    offset = times.offset
    early = _placed(times.local, zone, "earliest")
    late = _placed(times.local, zone, "latest")
    doubled = (early != late).fill_null(False) & offset.is_null()
    chosen, told_apart = _told_apart(times.local, ids, early, late, doubled)
    stated = (times.local - offset.cast(pl.Duration("us"))).dt.replace_time_zone("UTC")
    ds = stated.zip_with(offset.is_not_null(), chosen).alias("ds").cast(TIME)
    reasons = pl.select(
        pl.when(ds.is_not_null())
        .then(None)
        .when(missing)
        .then(pl.lit(MISSING))
        .when(times.local.is_null())
        .then(pl.lit(UNPARSABLE))
        .when(doubled)
        .then(pl.lit(AMBIGUOUS))
        .otherwise(pl.lit(NONEXISTENT))
        .alias("ds_reason")
    ).to_series()
    return Instants(ds, reasons, told_apart)


def _placed(local: pl.Series, zone: str, ambiguous: str) -> pl.Series:
    clock = pl.lit(local).dt.replace_time_zone(zone, ambiguous=pl.lit(ambiguous), non_existent="null")
    return pl.select(clock.dt.convert_time_zone("UTC").alias("ds")).to_series()


def _told_apart(
    local: pl.Series, ids: pl.Series, early: pl.Series, late: pl.Series, doubled: pl.Series
) -> tuple[pl.Series, int]:
    """Choose between summer and winter time by how often, and in what order, a series repeats the time."""
    rows = doubled.arg_true()
    if not len(rows):
        return early, 0
    group = ["id", "local"]
    chosen = pl.DataFrame(
        {
            "id": ids.gather(rows),
            "local": local.gather(rows),
            "early": early.gather(rows),
            "late": late.gather(rows),
        }
    ).select(
        pl.when(pl.len().over(group) != 2)
        .then(None)
        .when(pl.int_range(pl.len()).over(group) == 0)
        .then("early")
        .otherwise("late")
        .alias("ds")
    )["ds"]
    return early.scatter(rows, chosen), chosen.count()
