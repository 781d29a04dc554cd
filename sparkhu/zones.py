"""Instants and wall clocks: UTC microseconds to the local time of a zone and back, a whole array at once."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import InputError

DAY_US = 86_400_000_000

Microseconds = npt.NDArray[np.int64]


@lru_cache(maxsize=256)
def check_zone(zone: str) -> None:
    """Check that the time zone database names `zone`.

    Raises:
        InputError: It does not; the message shows what a name looks like.
    """
    try:
        pl.Series([0]).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"zone must be an IANA time zone such as UTC or Europe/Berlin, got '{zone}'") from error


def to_wall(instants: Microseconds, zone: str) -> Microseconds:
    """Turn UTC instants into wall-clock microseconds of `zone`: its local time, read as if it were UTC."""
    if zone == "UTC":
        return instants
    stamps = pl.Series(instants).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    return stamps.dt.replace_time_zone(None).to_physical().to_numpy()


def from_wall(wall: Microseconds, zone: str) -> Microseconds:
    """Turn wall-clock microseconds of `zone` into UTC instants.

    An hour that the clock shows twice (the end of summer time) means its first pass. A time that the clock
    skips (the start of summer time) is read with the offset that held before the jump, so 02:30 becomes 03:30.
    """
    if zone == "UTC":
        return wall
    stamps = pl.Series(wall).cast(pl.Datetime("us"))
    known = _localise(stamps, zone)
    if known.null_count():
        skipped = known.is_null()
        earlier = _localise(pl.Series(wall - DAY_US).cast(pl.Datetime("us")), zone)
        known = known.zip_with(~skipped, (earlier.to_physical() + DAY_US).cast(known.dtype))
    return known.to_physical().to_numpy()


def _localise(stamps: pl.Series, zone: str) -> pl.Series:
    return stamps.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
