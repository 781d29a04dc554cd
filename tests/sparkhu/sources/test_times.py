"""Times are found in text as pandas reads them, and never guessed."""

from datetime import datetime
from typing import NamedTuple

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.sources.columns import Role, Roles
from sparkhu.sources.drafts import Plan, draft, settle
from sparkhu.sources.tables import ROW
from sparkhu.sources.times import SAMPLE, LocalTimes, find_time_reading, read_times, share_of_times

ROLES = Roles(Role("when", ""), (Role("y", ""),), Role("id", ""), wide=False, available_at=False, notes=())


class Instants(NamedTuple):
    """Instants of a column in source order, why there is none, and how many rows of a repeated hour were told apart."""

    ds: pl.Series
    reason: pl.Series
    doubled: int


def instants(texts, zone="UTC", ids=None, time_format=""):
    column = pl.Series("when", texts)
    names = pl.Series("id", ids or ["a"] * len(texts), dtype=pl.String)
    rows = pl.int_range(len(column), eager=True, dtype=pl.Int64)
    frame = pl.DataFrame({"id": names, "when": column, "y": rows.cast(pl.Float64), ROW: rows})
    reading = find_time_reading(column, time_format=time_format)
    drafted, _ = draft(frame, 0, Plan(0, ROLES, reading, None, (("1.5",),), (), (len(column),), zone, frame.schema))
    settled = settle([drafted], [])
    found = settled.frame.sort(ROW)
    return Instants(found["ds"], found["ds_reason"], sum(settled.doubled.values()))


def parse_times(column: pl.Series) -> LocalTimes:
    return read_times(column, find_time_reading(column))


def read(texts, **options):
    return [None if each is None else each.strftime("%Y-%m-%dT%H:%M:%S.%f") for each in instants(texts, **options).ds]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2014-01-07 02:05:06", "2014-01-07T02:05:06.000000"),
        ("2014-01-07T02:05:06.25", "2014-01-07T02:05:06.250000"),
        ("2014-01-07 02:05:06,25", "2014-01-07T02:05:06.250000"),
        ("2014-01-07T02:05", "2014-01-07T02:05:00.000000"),
        ("2014-01-07", "2014-01-07T00:00:00.000000"),
        ("2014/1/7", "2014-01-07T00:00:00.000000"),
        ("2014/01/07 14:05", "2014-01-07T14:05:00.000000"),
        (" 2014-01-07 ", "2014-01-07T00:00:00.000000"),
        ("2014-01-07T02:05:06Z", "2014-01-07T02:05:06.000000"),
        ("2014-01-07T02:05:06.000001+01:00", "2014-01-07T01:05:06.000001"),
        ("2014-01-07 02:05:06 +0530", "2014-01-06T20:35:06.000000"),
        ("2014-01-07 02:05-03", "2014-01-07T05:05:00.000000"),
        ("2014-01-07 02:05 PM", "2014-01-07T14:05:00.000000"),
        ("31/01/2014 10:00", "2014-01-31T10:00:00.000000"),
        ("31.01.2014", "2014-01-31T00:00:00.000000"),
        ("01/31/2014 10:00:30", "2014-01-31T10:00:30.000000"),
        ("07-Jan-2014", "2014-01-07T00:00:00.000000"),
        ("7 January 2014", "2014-01-07T00:00:00.000000"),
        ("7. January 2014 14:05", "2014-01-07T14:05:00.000000"),
        ("January 7 2014", "2014-01-07T00:00:00.000000"),
        ("Jan 7, 2014", "2014-01-07T00:00:00.000000"),
        ("1900", "1900-01-01T00:00:00.000000"),
        ("1901.0", "1901-01-01T00:00:00.000000"),
        ("2014-03", "2014-03-01T00:00:00.000000"),
        ("2014Q2", "2014-04-01T00:00:00.000000"),
        ("1959-q4", "1959-10-01T00:00:00.000000"),
        ("20140107", "2014-01-07T00:00:00.000000"),
        ("201401070205", "2014-01-07T02:05:00.000000"),
        ("20140107020506", "2014-01-07T02:05:06.000000"),
        ("1389060306", "2014-01-07T02:05:06.000000"),
        ("1389060306.25", "2014-01-07T02:05:06.250000"),
        ("1389060306250", "2014-01-07T02:05:06.250000"),
        ("1389060306250.5", "2014-01-07T02:05:06.250500"),
        ("1389060306250001", "2014-01-07T02:05:06.250001"),
        ("1389060306250001999", "2014-01-07T02:05:06.250001"),
    ],
)
def test_a_notation_is_read_to_the_microsecond(text, expected):
    assert read([text]) == [expected]


@pytest.mark.parametrize(
    "text", ["2014-02-30", "2014-13-01", "2014-01-07 25:00", "soon", "2014-01-07 02:05+15:00", "2014-01-07 02:05+01:75"]
)
def test_a_time_that_does_not_exist_in_the_calendar_is_unparsable(text):
    found = instants(["2014-01-01", text, None])
    assert found.ds.is_null().to_list() == [False, True, True]
    assert found.reason.to_list() == [None, "time_unparsable", "time_missing"]


def test_a_cell_of_another_notation_is_unparsable_not_completed():
    assert read(["2014-01-07 02:00:00", "2014-01-08 02:00:00", "2014-01"])[2] is None


def test_dates_among_stamps_are_midnight():
    assert read(["2014-01-07 23:00:00", "2014-01-08"])[1] == "2014-01-08T00:00:00.000000"


def test_one_number_above_twelve_decides_the_whole_column():
    day, month = (
        parse_times(pl.Series(["01/02/2014", "13/02/2014"])),
        parse_times(pl.Series(["01/02/2014", "02/13/2014"])),
    )
    assert (day.local[0], day.notation) == (datetime(2014, 2, 1), "day/month/year")
    assert (month.local[0], month.notation) == (datetime(2014, 1, 2), "month/day/year")
    assert day.evidence == "times are day/month/year: '13/02/2014' allows no other reading"


def test_day_and_month_that_nothing_tells_apart_are_refused():
    with pytest.raises(InputError, match=r"'when': '01/12/2014' may be day/month or month/day.*--time-format"):
        instants(["01/12/2014", "02/01/2014"])


def test_contradicting_day_and_month_are_refused():
    with pytest.raises(
        InputError, match=r"day first and the month first: '13/01/2014' and '01/13/2014'.*--time-format"
    ):
        instants(["13/01/2014", "01/13/2014"])


def test_numbers_that_are_no_date_at_all_decide_nothing():
    with pytest.raises(InputError, match="may be day/month"):
        instants(["01/12/2014", "32/01/2014", "13/13/2014"])


def test_a_stated_format_decides():
    assert read(["01/02/2014"], time_format="%m/%d/%Y") == ["2014-01-02T00:00:00.000000"]
    assert read(["01/02/2014 03:00 +0100"], time_format="%d/%m/%Y %H:%M %z") == ["2014-02-01T02:00:00.000000"]


def test_typed_columns_keep_their_instant():
    zoned = (
        pl.Series([datetime(2014, 1, 7, 2)])
        .dt.replace_time_zone("Europe/Berlin")
        .cast(pl.Datetime("ms", "Europe/Berlin"))
    )
    assert read(zoned, zone="Asia/Tokyo") == ["2014-01-07T01:00:00.000000"]
    naive = pl.Series([datetime(2014, 1, 7, 2)]).cast(pl.Datetime("ns"))
    assert read(naive, zone="Europe/Berlin") == ["2014-01-07T01:00:00.000000"]
    assert read(pl.Series([datetime(2014, 1, 7).date()])) == ["2014-01-07T00:00:00.000000"]
    assert read(pl.Series([1389060306.0])) == ["2014-01-07T02:05:06.000000"]


def test_an_epoch_and_an_offset_do_not_move_with_the_zone():
    assert read(["1389060306"], zone="Asia/Tokyo") == ["2014-01-07T02:05:06.000000"]
    assert read(["2014-01-07 02:05:06Z"], zone="Asia/Tokyo") == ["2014-01-07T02:05:06.000000"]


def test_share_of_times_counts_bare_numbers_only_when_asked():
    years = pl.Series(["1959", "1960", "x", None])
    assert share_of_times(years, numbers=False) == 0
    assert share_of_times(years, numbers=True) == pytest.approx(2 / 3)
    assert share_of_times(pl.Series([1959.0]), numbers=False) == 0
    assert share_of_times(pl.Series([None, None], dtype=pl.String), numbers=True) == 0
    assert share_of_times(pl.Series([datetime(2014, 1, 1)]), numbers=False) == 1
    assert share_of_times(pl.Series([None], dtype=pl.Date), numbers=False) == 0


def test_the_sample_of_a_long_column_is_spread_over_all_of_it():
    texts = ["x"] * SAMPLE + ["2014-01-01"] * (3 * SAMPLE)
    assert share_of_times(pl.Series(texts), numbers=False) == pytest.approx(0.75, abs=1e-3)


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=20))
def test_iso_text_reads_as_pandas_reads_it(times):
    texts = [each.isoformat(sep=" ", timespec="microseconds") for each in times]
    expected = pd.to_datetime(pd.Series(texts), utc=True).dt.strftime("%Y-%m-%dT%H:%M:%S.%f").tolist()
    assert read(texts) == expected


def test_autumn_hours_are_told_apart_as_pandas_infers_them():
    clock = [f"2014-11-02 {hour:02d}:{minute}" for hour in (0, 1, 1, 2) for minute in ("00", "30")]
    expected = pd.to_datetime(clock).tz_localize("America/New_York", ambiguous="infer").tz_convert("UTC")
    found = instants(clock, zone="America/New_York")
    assert read(clock, zone="America/New_York") == expected.strftime("%Y-%m-%dT%H:%M:%S.%f").tolist()
    assert found.doubled == 4


def test_each_series_passes_the_autumn_hour_by_itself():
    clock = ["2014-11-02 01:00"] * 4
    assert read(clock, zone="America/New_York", ids=["a", "b", "a", "b"]) == [
        "2014-11-02T05:00:00.000000",
        "2014-11-02T05:00:00.000000",
        "2014-11-02T06:00:00.000000",
        "2014-11-02T06:00:00.000000",
    ]


@pytest.mark.parametrize("passes", [1, 3])
def test_an_autumn_time_seen_once_or_thrice_is_ambiguous(passes):
    found = instants(["2014-11-02 01:00"] * passes, zone="America/New_York")
    assert found.reason.to_list() == ["time_ambiguous"] * passes
    assert found.doubled == 0


def test_a_skipped_local_time_is_refused_as_nonexistent():
    found = instants(["2014-03-09 02:30", "2014-03-09 03:00"], zone="America/New_York")
    assert found.reason.to_list() == ["time_nonexistent", None]
    assert found.ds[1].isoformat() == "2014-03-09T07:00:00+00:00"


def test_an_unknown_zone_is_named():
    with pytest.raises(InputError, match="Mars/Base"):
        instants(["2014-01-01"], zone="Mars/Base")


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        (pl.Date(), "typed (dates)"),
        (pl.Datetime("ms"), "typed (milliseconds, no zone)"),
        (pl.Datetime("us"), "typed (microseconds, no zone)"),
        (pl.Datetime("ns", "Europe/Berlin"), "typed (nanoseconds, zone Europe/Berlin)"),
    ],
)
def test_typed_columns_are_described_in_words(dtype, words):
    assert parse_times(pl.Series([None], dtype=dtype)).notation == words


@pytest.mark.parametrize("number", [1e20, -1e20, float("inf"), float("-inf"), 2.0**63])
@pytest.mark.parametrize("times", [[1388534400.0, 1388534401.0], [2014.0, 2015.0]])
def test_a_number_too_large_for_any_time_is_an_unparsable_one(times, number):
    found = instants([*times, number, None])
    assert found.reason.to_list() == [None, None, "time_unparsable", "time_missing"]
    assert found.ds.dt.year().to_list()[0] == 2014


def test_nanoseconds_beyond_64_bits_are_unparsable():
    found = instants(["1388534400000000000", "9999999999999999999"])
    assert found.reason.to_list() == [None, "time_unparsable"]
