"""Rows of a source, read a stretch at a time, and settled once the whole of each series is together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.frame import TIME
from sparkhu.sources.columns import AVAILABLE_AT, Roles
from sparkhu.sources.extras import Extra, ExtraReading, read_extra
from sparkhu.sources.ids import series_names
from sparkhu.sources.tables import BROKEN, FILE, OVERFLOW, ROW
from sparkhu.sources.times import TimeReading, read_times
from sparkhu.sources.values import Notation, Numbers, file_spans, present, read_numbers
from sparkhu.sources.zones import AMBIGUOUS, place, tell_apart

RAW_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "ds": TIME,
    "y": pl.Float64(),
    "available_at": TIME,
    "source_row": pl.Int64(),
    "ds_text": pl.String(),
    "y_text": pl.String(),
    "ds_reason": pl.String(),
}
SURPLUS, UNREADABLE = "row_too_long", "line_unreadable"
GROUP, LATE, KNOWN_LATE, NAMED, REFUSED = "__group__", "__late__", "__known_late__", "__named__", "__refused__"
OPEN: dict[str, pl.DataType] = {
    GROUP: pl.UInt32(),
    LATE: TIME,
    KNOWN_LATE: TIME,
    NAMED: pl.String(),
    REFUSED: pl.String(),
}
"""Columns of a draft that settle it; each is there where it is needed.

The table that the row is from; the later instant of its time, and of `available_at`, where a clock change repeats the
hour; what names the series among which it is told apart; why the row cannot be used whatever its time is.
"""
EXAMPLES = 3
FIRST = -(2**63)
"""What sorts before every instant and every series."""


@dataclass(frozen=True)
class Plan:
    """How the rows of a table are read, found from all of them.

    Attributes:
        group: Number of the table.
        roles: What its columns are.
        times: How the times are written.
        known: How the times in `available_at` are written; null where there is no such column.
        values: How the values are written: of each value column, one notation for all, or one a file.
        extras: The columns that travel along.
        lengths: Rows of each file.
        zone: IANA zone of times without an offset.
        columns: What of the table is needed, with types.
    """

    group: int
    roles: Roles
    times: TimeReading
    known: TimeReading | None
    values: tuple[tuple[Notation, ...], ...]
    extras: tuple[ExtraReading, ...]
    lengths: tuple[int, ...]
    zone: str
    columns: Mapping[str, pl.DataType]


class Tally(NamedTuple):
    """What stretches of a table showed while they were read; those that follow are merged by `merged`.

    Attributes:
        long: Rows with more fields than the header.
        local: There are times without an offset.
        times: There are instants.
        numbers: There are values.
        time_texts: The first texts that are no times.
        value_texts: The first texts that are no numbers, a tuple a value column.
        extras: What became of the extra columns.
    """

    long: int = 0
    local: bool = False
    times: bool = False
    numbers: bool = False
    time_texts: tuple[str, ...] = ()
    value_texts: tuple[tuple[str, ...], ...] = ()
    extras: tuple[Extra, ...] = ()

    def merged(self, other: "Tally") -> "Tally":
        """Add what stands behind."""
        return Tally(
            self.long + other.long,
            self.local or other.local,
            self.times or other.times,
            self.numbers or other.numbers,
            first_of(self.time_texts, other.time_texts),
            tuple(first_of(*each) for each in zip_longest(self.value_texts, other.value_texts, fillvalue=())),
            tuple(mine.merged(its) for mine, its in zip(self.extras, other.extras, strict=True))
            if self.extras
            else other.extras,
        )


def first_of(*texts: Sequence[str]) -> tuple[str, ...]:
    """Give the first few different texts."""
    return tuple(dict.fromkeys(text for each in texts for text in each))[:EXAMPLES]


def ids_of(frame: pl.DataFrame, roles: Roles) -> pl.Series:
    """Give the series of each row as its id column, or its file, names it; of a wide source the latter."""
    if roles.id is None:
        return frame[FILE].alias("unique_id")
    return series_names(frame[roles.id.column])


def draft(frame: pl.DataFrame, start: int, plan: Plan) -> tuple[pl.DataFrame, Tally]:
    """Read some rows of a table.

    Args:
        frame: The rows, with the columns of the plan.
        start: How many rows of the table lie before.
        plan: How they are read.

    Returns:
        Rows with the columns of `RAW_SCHEMA` that hold anything, those of `OPEN` that are needed to settle them, and
        the extra columns; and what they showed.
    """
    roles, column = plan.roles, frame[plan.roles.time.column]
    times = read_times(column, plan.times)
    placed = place(times, present(column).is_null(), plan.zone)
    ids = ids_of(frame, roles)
    base = pl.DataFrame(
        {
            "unique_id": ids,
            "ds": placed.ds,
            "ds_text": column.cast(pl.String).set(placed.ds.is_not_null() & placed.late.is_null(), None),
            "ds_reason": placed.reason,
            ROW: frame[ROW],
        }
    )
    base = base.with_columns([*_known(frame, plan), *_columns_of_doubled(placed.late, LATE)])
    if LATE in base.columns or KNOWN_LATE in base.columns:
        named = [ids.alias(NAMED)] if roles.wide else []
        base = base.with_columns(pl.lit(plan.group, pl.UInt32).alias(GROUP), *named)
    base, long = _refused(base, frame, column)
    extras = tuple(read_extra(frame, reading) for reading in plan.extras)
    rows, texts = _with_values(base.with_columns(each.column for each in extras), frame, start, plan)
    tally = Tally(
        long,
        bool((times.local.is_not_null() & times.offset.is_null()).any()),
        base.filter(pl.col(REFUSED).is_null() if REFUSED in base.columns else True)["ds"].count() > 0,
        rows["y"].count() > 0,
        _first(base["ds_text"]),
        texts,
        tuple(each._replace(column=each.column.clear()) for each in extras),
    )
    # By the name a part is cut into shards, also one in which no row has any.
    return rows.drop(name for name in RAW_SCHEMA if name != "unique_id" and not rows[name].count()), tally


def _known(frame: pl.DataFrame, plan: Plan) -> list[pl.Series]:
    """Read from when the values were known; null where nothing says so."""
    if plan.known is None:
        return [pl.repeat(None, frame.height, dtype=TIME, eager=True).alias(AVAILABLE_AT)]
    column = frame[AVAILABLE_AT]
    placed = place(read_times(column, plan.known), present(column).is_null(), plan.zone)
    return [placed.ds.alias(AVAILABLE_AT), *_columns_of_doubled(placed.late, KNOWN_LATE)]


def _columns_of_doubled(late: pl.Series, name: str) -> list[pl.Series]:
    return [late.alias(name)] if late.count() else []


def _refused(base: pl.DataFrame, frame: pl.DataFrame, times: pl.Series) -> tuple[pl.DataFrame, int]:
    """Mark rows that cannot be used, with their text; give how many have more fields than the header."""
    refused = pl.repeat(None, frame.height, dtype=pl.String(), eager=True)
    text, long = base["ds_text"], 0
    if OVERFLOW in frame.columns:
        rows = frame[OVERFLOW].is_not_null()
        # Which of their fields is which cannot be known.
        refused, text, long = refused.set(rows, SURPLUS), text.zip_with(~rows, times.cast(pl.String)), int(rows.sum())
    if BROKEN in frame.columns:
        rows = frame[BROKEN].is_not_null()
        refused, text = refused.set(rows, UNREADABLE), text.zip_with(~rows, frame[BROKEN])
    if not refused.count():
        return base, long
    return base.with_columns(text.alias("ds_text"), refused.alias(REFUSED)), long


def _with_values(
    base: pl.DataFrame, frame: pl.DataFrame, start: int, plan: Plan
) -> tuple[pl.DataFrame, tuple[tuple[str, ...], ...]]:
    """Set the values beside their times: the one column of a long source, or a wide one's columns below one another."""
    columns, texts = [], []
    for role, notations in zip(plan.roles.values, plan.values, strict=True):
        y, refused = _numbers(frame[role.column], start, plan.lengths, notations)
        series = pl.lit(role.column).alias("unique_id") if plan.roles.wide else pl.col("unique_id")
        columns.append(base.with_columns(series, y.alias("y"), refused.alias("y_text")))
        texts.append(_first(refused))
    return pl.concat(columns).cast(pl.Schema(RAW_SCHEMA)), tuple(texts)


def _numbers(
    column: pl.Series, start: int, lengths: Sequence[int], notations: Sequence[Notation]
) -> tuple[pl.Series, pl.Series]:
    if len(notations) == 1:
        numbers: list[Numbers] = [read_numbers(column, notations[0])]
    else:
        spans = file_spans(lengths, start, len(column))
        numbers = [read_numbers(column.slice(first, rows), notations[number]) for number, first, rows in spans]
    return pl.concat([each.y for each in numbers]), pl.concat([each.refused for each in numbers])


def _first(texts: pl.Series) -> tuple[str, ...]:
    return tuple(texts.drop_nulls().unique(maintain_order=True).head(EXAMPLES))


class Settled(NamedTuple):
    """Whole series.

    Attributes:
        frame: The raw frame, sorted.
        doubled: How many rows of a repeated hour were told apart, by table and series.
    """

    frame: pl.DataFrame
    doubled: dict[tuple[int, str | None], int]


def settle(drafts: Sequence[pl.DataFrame], extras: Sequence[str]) -> Settled:
    """Put whole series together, and decide what depends on all of a series.

    Args:
        drafts: All rows of some series, in the order of tables and of the rows in them.
        extras: Names of the columns that travel along.
    """
    rows = pl.concat(drafts, how="diagonal", rechunk=True)
    lacking = {name: dtype for name, dtype in {**RAW_SCHEMA, **OPEN}.items() if name not in rows.columns}
    rows = rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in lacking.items())
    named = [rows[GROUP], rows["unique_id"], rows[NAMED]]
    ds = tell_apart(rows["ds"], rows[LATE], named)
    known = tell_apart(rows[AVAILABLE_AT], rows[KNOWN_LATE], named)
    doubled = rows.select(GROUP, "unique_id").filter(rows[LATE].is_not_null() & ds.is_not_null())
    counts = {(group, name): count for group, name, count in doubled.group_by(pl.all()).len().rows()}
    bad, ambiguous = rows[REFUSED].is_not_null(), rows[LATE].is_not_null() & ds.is_null()
    usable = ds.set(bad, None)
    settled = rows.with_columns(
        usable,
        known.zip_with(known.is_not_null(), ds).set(bad, None).alias(AVAILABLE_AT),
        rows["ds_text"].set(usable.is_not_null(), None),
        rows["ds_reason"].set(ambiguous, AMBIGUOUS).zip_with(~bad, rows[REFUSED]),
    )
    columns = [*RAW_SCHEMA, *extras]
    return Settled(settled.select(columns)[_order(settled)], counts)


def _order(rows: pl.DataFrame) -> npt.NDArray[np.intp]:
    """Find the order of (`unique_id`, `ds`, `source_row`), nulls first.

    Series are compared as the numbers of their names: rows come in stretches that are in order, which a sort of whole
    numbers by merging makes much of.
    """
    ids = rows["unique_id"]
    series = ids.cast(pl.Enum(ids.drop_nulls().unique().sort())).to_physical().cast(pl.Int64)
    keys = (rows[ROW], rows["ds"].to_physical(), series)
    return np.lexsort([key.fill_null(FIRST).to_numpy() for key in keys])
