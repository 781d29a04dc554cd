"""From wall-clock times to instants: zones, and the hours that a clock change doubles or skips."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from sparkhu.frame import TIME
from sparkhu.sources.times import LocalTimes
from sparkhu.zones import check_zone

UNPARSABLE = "time_unparsable"
MISSING = "time_missing"
AMBIGUOUS = "time_ambiguous"
NONEXISTENT = "time_nonexistent"


class Placed(NamedTuple):
    """Times as far as each can be placed by itself.

    Attributes:
        ds: UTC microseconds, null where there is no instant; in an hour that a clock change repeats, the earlier one.
        late: In such an hour the later instant, else null.
        reason: Why there is no instant, else null.
    """

    ds: pl.Series
    late: pl.Series
    reason: pl.Series


def place(times: LocalTimes, missing: pl.Series, zone: str) -> Placed:
    """Place each time by itself: what depends on its neighbours in the series is left open.

    Times with an offset of their own need no zone. Clocks set forward skip an hour; a time in it is refused as
    non-existent.

    Args:
        times: Parsed times.
        missing: Where the source has no time at all.
        zone: IANA name.

    Raises:
        InputError: `zone` is not a time zone.
    """
    check_zone(zone)
    offset = times.offset
    early, late = _in_zone(times.local, zone, "earliest"), _in_zone(times.local, zone, "latest")
    doubled = (early != late).fill_null(False) & offset.is_null()
    stated = (times.local - offset.cast(pl.Duration("us"))).dt.replace_time_zone("UTC")
    ds = stated.zip_with(offset.is_not_null(), early).alias("ds").cast(TIME)
    reasons = pl.select(
        pl.when(ds.is_not_null())
        .then(None)
        .when(missing)
        .then(pl.lit(MISSING))
        .when(times.local.is_null())
        .then(pl.lit(UNPARSABLE))
        .otherwise(pl.lit(NONEXISTENT))
        .alias("ds_reason")
    ).to_series()
    return Placed(ds, late.set(~doubled, None).cast(TIME), reasons)


def _in_zone(local: pl.Series, zone: str, ambiguous: str) -> pl.Series:
    clock = pl.lit(local).dt.replace_time_zone(zone, ambiguous=pl.lit(ambiguous), non_existent="null")
    return pl.select(clock.dt.convert_time_zone("UTC").alias("ds")).to_series()


def tell_apart(ds: pl.Series, late: pl.Series, series: Sequence[pl.Series]) -> pl.Series:
    """Choose between summer and winter time by how often, and in what order, a series repeats the time.

    Clocks set back repeat an hour. A wall-clock time in it that a series has exactly twice is taken first in summer
    time, then in winter time, in source order; one that it has once or more than twice is refused as ambiguous.

    Args:
        ds: Instants in source order, the earlier one where there are two.
        late: The later instant where there are two, else null.
        series: What names the series of each row.

    Returns:
        The instants; null where neither can be chosen.
    """
    rows = late.is_not_null().arg_true()
    if not len(rows):
        return ds
    keys = {f"key{number}": key.gather(rows) for number, key in enumerate(series)}
    group = [*keys, "early"]
    chosen = pl.DataFrame({**keys, "early": ds.gather(rows), "late": late.gather(rows)}).select(
        pl.when(pl.len().over(group) != 2)
        .then(None)
        .when(pl.int_range(pl.len()).over(group) == 0)
        .then("early")
        .otherwise("late")
        .alias("ds")
    )["ds"]
    return ds.scatter(rows, chosen)
