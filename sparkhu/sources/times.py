"""Times in text, found safely: one kind of notation a column, never guessed between two readings.

A notation is chosen for the column as a whole, by the kind that most of its cells have; a cell of another kind is
unparsable, so that a truncated `2014-01` in a column of full stamps does not silently become the first of January.
"""

from typing import NamedTuple

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.notations import (
    DAY_FIRST,
    DAY_OR_MONTH_FIRST,
    LOCAL,
    MONTH_FIRST,
    NOTATIONS,
    NUMBER_NOTATIONS,
    TEXT_NOTATIONS,
    Notation,
)
from sparkhu.sources.parts import Column
from sparkhu.sources.values import present

SAMPLE = 10_000
OFFSET = r"(:\d{2}(?:[.,]\d+)?)\s*(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"


class LocalTimes(NamedTuple):
    """A column of times as written, before any zone is applied.

    Attributes:
        local: Wall-clock times to the microsecond, null where unparsable.
        offset: Offset from UTC in microseconds where the text states one, else null.
        notation: What the notation is, in words.
        evidence: How an ambiguity was decided, in words; empty where there was none.
    """

    local: pl.Series
    offset: pl.Series
    notation: str
    evidence: str = ""


class TimeReading(NamedTuple):
    """How a column of times is read.

    Attributes:
        notation: What the notation is, in words; of text, the name of one of `NOTATIONS`.
        evidence: How an ambiguity was decided, in words; empty where there was none.
        time_format: The stated `strptime` format; empty: none.
        whole: Cells are whole numbers in a type that may hold others.
    """

    notation: str
    evidence: str = ""
    time_format: str = ""
    whole: bool = False


def find_time_reading(column: pl.Series | Column, *, time_format: str = "") -> TimeReading:
    """Find from all cells of a column how its times are written.

    Args:
        column: Text, numbers (years, `yyyymmdd`, or an epoch of unmistakable length), dates or datetimes.
        time_format: A `strptime` format to use instead of finding one.

    Raises:
        InputError: Day and month cannot be told apart, or contradict one another. The message names `--time-format`.
    """
    column = Column.of(column)
    if column.dtype in (pl.Date, pl.Datetime):
        return TimeReading(_kind(column.dtype))
    whole = _is_whole(column)
    if time_format:
        return TimeReading(f"stated format {time_format}", time_format=time_format, whole=whole)
    sample = _sample(column)
    notation = max((*TEXT_NOTATIONS, *NUMBER_NOTATIONS), key=lambda each: _matches(sample, each))
    if notation is not DAY_FIRST:
        return TimeReading(notation.name, whole=whole)
    chosen, evidence = _day_or_month_first(column)
    return TimeReading(chosen.name, evidence, whole=whole)


def read_times(column: pl.Series, reading: TimeReading) -> LocalTimes:
    """Read a column, or a stretch of one, in the way that was found from all of it, to the microsecond.

    Finer digits are cut off.
    """
    if column.dtype in (pl.Date, pl.Datetime):
        return _typed(column)
    text = _text(column, whole=reading.whole)
    if reading.time_format:
        return _stated(text, reading)
    notation = NOTATIONS[reading.notation]
    text = text.set(~text.str.contains(notation.pattern), None)
    if "since 1970" in notation.name:
        return LocalTimes(notation.parse(text), _no_offset(text).fill_null(0), notation.name)
    body, offset = _split_offset(text)
    if notation in (DAY_FIRST, MONTH_FIRST):
        body = body.str.replace(r"^(\d+)[-.](\d+)[-.]", "$1/$2/")
    local = notation.parse(body.str.replace(r"(:\d{2}),(\d+)$", "$1.$2"))
    return LocalTimes(local, offset, notation.name, reading.evidence)


def share_of_times(column: pl.Series | Column, *, numbers: bool) -> float:
    """Tell which share of the cells that are not missing has the column's most frequent notation.

    Args:
        column: Any column; only a sample of it is looked at.
        numbers: Count bare numbers (years, epochs) as times as well.
    """
    column = Column.of(column)
    if column.dtype in (pl.Date, pl.Datetime):
        return 1.0 if any(part.count() for part in column.scan()) else 0.0
    if column.dtype.is_numeric() and not numbers:
        return 0.0
    sample = _sample(column)
    notations = (*TEXT_NOTATIONS, *NUMBER_NOTATIONS) if numbers else TEXT_NOTATIONS
    return max(_matches(sample, each) for each in notations) / len(sample) if len(sample) else 0.0


def _sample(column: Column) -> pl.Series:
    """Take every n-th of the cells that are not missing, some ten thousand in all."""
    return column.once("sample", lambda: _sampled(column, whole=_is_whole(column)))


def _sampled(column: Column, *, whole: bool) -> pl.Series:
    counts, few = [], [pl.Series(column.name, [], dtype=pl.String)]
    for part in column.scan():
        filled = _text(part, whole=whole).drop_nulls()
        counts.append(len(filled))
        few.append(filled if sum(counts) < 2 * SAMPLE else filled.clear())
    step = max(1, sum(counts) // SAMPLE)
    if step == 1:
        return pl.concat(few)
    chosen, before = [], 0
    for part, count in zip(column.scan(), counts, strict=True):
        places = pl.int_range(-before % step, count, step, eager=True)
        filled = part if count == len(part) else part.filter(_text(part, whole=whole).is_not_null())
        chosen.append(_text(filled.gather(places), whole=whole))
        before += count
    return pl.concat(chosen)


def _matches(text: pl.Series, notation: Notation) -> int:
    return int(text.str.contains(notation.pattern).sum())


def _text(column: pl.Series, *, whole: bool) -> pl.Series:
    """Write whole floats as integers: 1388534400.0 as text could come out as 1.3885344e9."""
    if not whole:
        return present(column)
    numbers = column.cast(pl.Int64, strict=False)
    # What is too large for one, or infinite, is no time in any notation.
    return present(numbers.cast(pl.String).zip_with(numbers.is_not_null(), column.cast(pl.String)))


def _is_whole(column: Column) -> bool:
    return column.dtype.is_float() and column.once("whole", lambda: all(map(_holds_whole, column.scan())))


def _holds_whole(part: pl.Series) -> bool:
    return bool(part.is_nan().not_().all() and (part == part.round(0)).all())


def _typed(column: pl.Series) -> LocalTimes:
    zone = getattr(column.dtype, "time_zone", None)
    if zone is None:
        return LocalTimes(column.cast(LOCAL), _no_offset(column), _kind(column.dtype))
    utc = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(LOCAL)
    return LocalTimes(utc, _no_offset(column).fill_null(0), _kind(column.dtype))


def _kind(dtype: pl.DataType) -> str:
    """Say in words how a column of a time type holds its times."""
    if not isinstance(dtype, pl.Datetime):
        return "typed (dates)"
    unit = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}[dtype.time_unit]
    return f"typed ({unit}, {f'zone {dtype.time_zone}' if dtype.time_zone else 'no zone'})"


def _stated(text: pl.Series, reading: TimeReading) -> LocalTimes:
    form = reading.time_format
    try:
        times = text.str.to_datetime(form, time_unit="us", strict=False)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"--time-format '{form}' is not a strptime format such as %d/%m/%Y: {error}") from error
    typed = _typed(times)
    return LocalTimes(typed.local, typed.offset, reading.notation)


def _no_offset(column: pl.Series) -> pl.Series:
    return pl.Series("offset", [None], dtype=pl.Int64).new_from_index(0, len(column))


def _split_offset(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Cut a trailing `Z` or `+01:00` off and give it in microseconds."""
    written = text.str.extract(OFFSET, 2)
    if not written.count():
        return text, _no_offset(text)
    known = written.drop_nulls().unique()
    microseconds = [_offset_microseconds(each) for each in known]
    offset = written.replace_strict(known, pl.Series(microseconds, dtype=pl.Int64), default=None)
    return text.str.replace(OFFSET, "$1").set(written.is_not_null() & offset.is_null(), None), offset


def _offset_microseconds(written: str) -> int | None:
    """Read one offset; null beyond the 14 hours that zones differ from UTC at most."""
    if written[0] not in "+-":
        return 0
    hours, minutes = int(written[1:3]), int(written[3:].lstrip(":") or 0)
    total = (hours * 60 + minutes) * 60_000_000
    if minutes > 59 or total > 14 * 3_600_000_000:
        return None
    return -total if written[0] == "-" else total


def _day_or_month_first(column: Column) -> tuple[Notation, str]:
    """Decide between day first and month first by evidence: a number above 12 can only be a day."""
    proofs: dict[str, str] = {}
    for part in column.scan():
        for order, example in _proofs(present(part)).items():
            proofs.setdefault(order, example)
    day, month = proofs.get("day"), proofs.get("month")
    way_out = "Say which with --time-format, such as %d/%m/%Y or %m/%d/%Y."
    if day and month:
        examples = f"'{day}' and '{month}'"
        raise InputError(f"time column '{column.name}' has the day first and the month first: {examples}. {way_out}")
    if not day and not month:
        raise InputError(f"time column '{column.name}': '{proofs['any']}' may be day/month or month/day. {way_out}")
    chosen = DAY_FIRST if day else MONTH_FIRST
    return chosen, f"times are {chosen.name}: '{day or month}' allows no other reading"


def _proofs(text: pl.Series) -> dict[str, str]:
    """Give the first time that can only have the day first, the first with the month first, and the first at all."""
    parts = [text.str.extract(DAY_OR_MONTH_FIRST, group).cast(pl.Int64) for group in (1, 2)]
    is_day, can_be_month = [part.is_between(13, 31) for part in parts], [part.is_between(1, 12) for part in parts]
    kinds = {"day": is_day[0] & can_be_month[1], "month": is_day[1] & can_be_month[0], "any": parts[0].is_not_null()}
    found = {kind: text.filter(rows).first() for kind, rows in kinds.items()}
    return {kind: str(example) for kind, example in found.items() if example is not None}
