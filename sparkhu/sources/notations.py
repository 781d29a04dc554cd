"""The notations of times in text and in bare numbers, and how each is parsed."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

LOCAL = pl.Datetime("us")
CLOCKS = ("", " %H:%M:%S%.f", "T%H:%M:%S%.f", " %H:%M", "T%H:%M", " %I:%M:%S %p", " %I:%M %p")
DAY_OR_MONTH_FIRST = r"^(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}(?:[T ]|$)"


class Notation(NamedTuple):
    """One kind of notation: its name, the pattern of its cells, and how they are parsed."""

    name: str
    pattern: str
    parse: Callable[[pl.Series], pl.Series]


def _by_formats(formats: Sequence[str]) -> Callable[[pl.Series], pl.Series]:
    """Parse with the first of `formats` that fits each cell; the ones that fit nothing cost only the rows left."""

    def parse(text: pl.Series) -> pl.Series:
        times = pl.Series(text.name, [None], dtype=LOCAL).new_from_index(0, len(text))
        for form in formats:
            left = (times.is_null() & text.is_not_null()).arg_true()
            if not len(left):
                break
            times = times.scatter(left, text.gather(left).str.to_datetime(form, time_unit="us", strict=False))
        return times

    return parse


def _dated(*dates: str) -> Callable[[pl.Series], pl.Series]:
    return _by_formats([date + clock for date in dates for clock in CLOCKS])


def _year(text: pl.Series) -> pl.Series:
    return (text.str.slice(0, 4) + "-01-01").str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)


def _month(text: pl.Series) -> pl.Series:
    return (text.str.replace("/", "-") + "-01").str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)


def _quarter(text: pl.Series) -> pl.Series:
    month = (text.str.slice(-1).cast(pl.Int32) * 3 - 2).cast(pl.String).str.zfill(2)
    return (text.str.slice(0, 4) + "-" + month + "-01").str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)


def _epoch(digits_after_seconds: int) -> Callable[[pl.Series], pl.Series]:
    """Parse counts since 1970 in integer arithmetic, so that no microsecond is lost to rounding."""

    def parse(text: pl.Series) -> pl.Series:
        digits = pl.lit(text)
        whole = digits.str.extract(r"^(\d+)").cast(pl.Int64, strict=False)
        if digits_after_seconds > 6:
            return pl.select((whole // 10 ** (digits_after_seconds - 6)).cast(LOCAL)).to_series()
        room = 6 - digits_after_seconds
        fraction = digits.str.extract(r"\.(\d+)").fill_null("0").str.pad_end(room, "0").str.slice(0, room)
        below = fraction.cast(pl.Int64) if room else pl.lit(0)
        return pl.select((whole * 10**room + below).cast(LOCAL)).to_series()

    return parse


NAMED_MONTH = _dated(
    *("%d-%b-%Y", "%d %b %Y", "%d. %b %Y", "%b %d, %Y", "%b %d %Y"),
    *("%d-%B-%Y", "%d %B %Y", "%d. %B %Y", "%B %d, %Y", "%B %d %Y"),
)
WORDS = r"^(?:\d{1,2}\.?[- ][A-Za-z]{3,9}[- ]\d{4}|[A-Za-z]{3,9} \d{1,2},? \d{4})(?:[T ]|$)"
YEAR_FIRST = Notation("year-month-day", r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]|$)", _dated("%Y-%m-%d", "%Y/%m/%d"))
DAY_FIRST = Notation("day/month/year", DAY_OR_MONTH_FIRST, _dated("%d/%m/%Y"))
MONTH_FIRST = Notation("month/day/year", DAY_OR_MONTH_FIRST, _dated("%m/%d/%Y"))
TEXT_NOTATIONS = (
    YEAR_FIRST,
    DAY_FIRST,
    Notation("day and month by name", WORDS, NAMED_MONTH),
    Notation("year-month", r"^\d{4}[-/]\d{1,2}$", _month),
    Notation("year and quarter", r"^\d{4}[- ]?[Qq][1-4]$", _quarter),
)
NUMBER_NOTATIONS = (
    Notation("year, taken as 1 January", r"^\d{4}(?:\.0*)?$", _year),
    Notation("yyyymmdd", r"^(?:1\d|20)\d{6}$", _by_formats(["%Y%m%d"])),
    Notation("yyyymmddHHMM", r"^(?:1\d|20)\d{10}$", _by_formats(["%Y%m%d%H%M"])),
    Notation("yyyymmddHHMMSS", r"^(?:1\d|20)\d{12}$", _by_formats(["%Y%m%d%H%M%S"])),
    Notation("seconds since 1970 (UTC)", r"^\d{10}(?:\.\d*)?$", _epoch(0)),
    Notation("milliseconds since 1970 (UTC)", r"^\d{13}(?:\.\d*)?$", _epoch(3)),
    Notation("microseconds since 1970 (UTC)", r"^\d{16}$", _epoch(6)),
    Notation("nanoseconds since 1970 (UTC)", r"^\d{19}$", _epoch(9)),
)
NOTATIONS = {each.name: each for each in (*TEXT_NOTATIONS, MONTH_FIRST, *NUMBER_NOTATIONS)}
