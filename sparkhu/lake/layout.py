"""How a lake cuts its tables into files: by days, months or years of its zone, and by buckets of series."""

import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, get_args

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.zones import check_zone, from_wall

Partition = Literal["day", "month", "year"]
Days = tuple[tuple[date, date], ...]
UNDATED = "undated"
MOST_BUCKETS = 4096
TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*")

TIMES = {"forecasts": "cutoff", "snapshots": "available_at", "parts": "available_at", "summaries": "day"}
"""The column that dates the rows of a table, where it is not `ds`."""

MAY_BE_UNDATED = frozenset({"quarantine"})
"""Tables that hold rows without a time."""

_WIDTHS = {"day": ("1d", "%Y-%m-%d"), "month": ("1mo", "%Y-%m"), "year": ("1y", "%Y")}


@dataclass(frozen=True)
class Layout:
    """The layout of a lake, chosen when it is created.

    Attributes:
        partition: What one folder of files covers.
        buckets: Groups of series; each has files of its own.
        zone: IANA zone in which days, months and years are cut.
    """

    partition: Partition = "day"
    buckets: int = 1
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.partition not in get_args(Partition):
            raise InputError(f"partition must be one of {', '.join(get_args(Partition))}, got '{self.partition}'")
        if not 1 <= self.buckets <= MOST_BUCKETS:
            raise InputError(f"buckets must lie between 1 and {MOST_BUCKETS}, got {self.buckets}")
        check_zone(self.zone)

    def bucket(self, unique_id: str) -> int:
        """Tell the bucket of a series: the CRC-32 of its id in UTF-8, modulo the number of buckets."""
        return zlib.crc32(unique_id.encode()) % self.buckets

    def cut(self, frame: pl.DataFrame, time: str) -> Iterator["Piece"]:
        """Cut rows into the pieces that become files, in order of partition and bucket."""
        if frame.is_empty():
            return
        instants = as_instants(frame[time], self.zone)
        local = instants.dt.convert_time_zone(self.zone).dt.date()
        width, shown = _WIDTHS[self.partition]
        marked = frame.with_columns(
            instants.alias("__instant"),
            local.alias("__day"),
            local.dt.truncate(width).alias("__partition"),
            _buckets(frame["unique_id"], self).alias("__bucket"),
        )
        groups = marked.partition_by("__partition", "__bucket", as_dict=True, include_key=False, maintain_order=True)
        for key in sorted(groups, key=lambda key: (key[0] or date.max, key[1])):
            rows, (start, bucket) = groups[key], key
            span = rows["__instant"]
            yield Piece(
                partition=start.strftime(shown) if start else UNDATED,
                bucket=bucket,
                rows=rows.drop("__instant", "__day"),
                first=span.min(),  # type: ignore[arg-type]
                last=span.max(),  # type: ignore[arg-type]
                days=_ranges(rows["__day"]),
            )

    def days(self, start: datetime, end: datetime) -> tuple[date, date]:
        """Tell the first and the last day of the zone that `[start, end)` touches."""
        span = pl.Series([start, end], dtype=TIME).to_physical() - pl.Series([0, 1])
        local = span.cast(TIME).dt.convert_time_zone(self.zone).dt.date()
        return local[0], local[1]


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows of one partition and bucket; `first` and `last` are null where the rows have no time."""

    partition: str
    bucket: int
    rows: pl.DataFrame
    first: datetime | None
    last: datetime | None
    days: Days

    @property
    def reach(self) -> datetime | None:
        """The latest `ds` of the rows; null where they have none."""
        return self.rows["ds"].max() if self.rows.schema.get("ds") == TIME else None  # type: ignore[return-value]


def time_column(table: str) -> str:
    """Name the column that dates the rows of a table.

    Raises:
        InputError: No table can have that name.
    """
    if not TABLE_NAME.fullmatch(table):
        raise InputError(f"a table's name is made of a-z, 0-9 and _ and begins with a letter, got '{table}'")
    return TIMES.get(table, "ds")


def between(time: str, start: datetime | None, end: datetime | None, dtype: pl.DataType, zone: str) -> list[pl.Expr]:
    """Give the conditions that rows of `[start, end)` fulfil; days count from their midnight in `zone`."""
    limits: list[pl.Expr] = []
    for limit, is_start in ((start, True), (end, False)):
        if limit is None:
            continue
        column, value = pl.col(time), pl.lit(limit).cast(TIME)
        if dtype == pl.Date:
            value = pl.lit(_first_day(limit, zone))
        limits.append(column >= value if is_start else column < value)
    return limits


def of_series(ids: Collection[str]) -> pl.Expr:
    """Give the condition that rows of the series `ids` fulfil."""
    return pl.col("unique_id").is_in(pl.Series(sorted(ids), dtype=pl.String).implode())


def _first_day(limit: datetime, zone: str) -> date:
    """Tell the first day whose midnight is not before `limit`."""
    wall = pl.Series([limit], dtype=TIME).dt.convert_time_zone(zone).dt.replace_time_zone(None)
    day = wall.dt.date()
    starts = wall.dt.truncate("1d") == wall
    return (day if starts[0] else day.dt.offset_by("1d"))[0]  # type: ignore[no-any-return]


def as_instants(times: pl.Series, zone: str) -> pl.Series:
    """Turn the times of a table into instants; a day is its midnight in `zone`."""
    if times.dtype != pl.Date:
        return times
    known = times.drop_nulls()
    wall = known.cast(pl.Datetime("us")).to_physical().to_numpy()
    found = pl.DataFrame({"day": known, "instant": pl.Series(from_wall(wall, zone)).cast(TIME)}).unique()
    return pl.DataFrame({"day": times}).join(found, on="day", how="left", maintain_order="left")["instant"]


def _buckets(ids: pl.Series, layout: Layout) -> pl.Series:
    if layout.buckets == 1:
        return pl.repeat(0, len(ids), dtype=pl.Int64, eager=True)
    known = ids.unique()
    numbers = pl.DataFrame({"id": known, "bucket": [layout.bucket(name) for name in known]})
    return pl.DataFrame({"id": ids}).join(numbers, on="id", how="left", maintain_order="left")["bucket"]


def _ranges(days: pl.Series) -> Days:
    """Fold days into ranges of days that follow one another."""
    known = days.drop_nulls().unique().sort()
    if known.is_empty():
        return ()
    breaks = (known.to_physical().diff() != 1).fill_null(value=True)
    run = pl.DataFrame({"day": known, "run": breaks.cum_sum()}).group_by("run", maintain_order=True)
    return tuple(run.agg(pl.col("day").min().alias("first"), pl.col("day").max().alias("last")).drop("run").iter_rows())
