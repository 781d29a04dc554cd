"""Every row is an observation, in quarantine with its reason, or left out and counted."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import TIME
from sparkhu.sources import RAW_SCHEMA
from sparkhu.steps.validation import LIMITS, OBSERVATIONS, judge_rows, requested_interval, validate

START = datetime(2014, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def raw(*rows):
    """Rows of (unique_id, day number or None, y, ds_text, y_text, ds_reason)."""
    frame = pl.DataFrame(
        [
            (id_, ds := None if day is None else START + day * DAY, y, ds, number, *(list(texts) + [None] * 3)[:3])
            for number, (id_, day, y, *texts) in enumerate(rows, start=1)
        ],
        schema=RAW_SCHEMA,
        orient="row",
    )
    return frame.with_columns(source_row=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))


BROKEN = raw(
    (None, 0, 1.0),
    (None, None, None, "soon", "abc"),
    ("a", None, 1.0, "soon"),
    ("a", None, 1.0),
    ("a", None, 1.0, "2014-03-09 02:30", None, "time_nonexistent"),
    ("a", None, None, None, "abc"),
    ("a", 1, None, None, "abc"),
    ("a", 2, None, None, "-inf"),
    ("a", 3, None, None, "1e999"),
    ("a", 4, float("inf")),
    ("a", 5, None),
    ("a", 6, float("nan")),
    ("a", 7, 2.5),
)
REASONS = [
    "id_missing",
    "id_missing",
    "time_unparsable",
    "time_missing",
    "time_nonexistent",
    "time_missing",
    "value_unparsable",
    "value_not_finite",
    "value_not_finite",
    "value_not_finite",
    None,
    None,
    None,
]


def test_each_refused_row_has_the_first_reason_that_holds():
    assert judge_rows(BROKEN)["reason"].to_list() == REASONS


def test_rows_worked_by_hand():
    # Limits of a: 0 to 10, alert from 8 on. 9 stays (0 ≤ 9 ≤ 10) and is an alert (9 ≥ 8); 10 and 0 lie on the limits
    # and stay; 10.5 > 10 and −0.5 < 0 are refused. Of five rows 5 − 2 = 3 are kept, with 2 alerts, 9 and 10.
    limits = pl.DataFrame([("a", "K", 0, 10, None, 8)], schema=LIMITS, orient="row")
    result = validate(raw(*[("a", day, y) for day, y in enumerate([9.0, 10.5, -0.5, 10.0, 0.0])]), limits)
    assert result.frames["observations"].select("y", "is_alert").rows() == [(9.0, True), (10.0, True), (0.0, False)]
    assert result.frames["quarantine"]["source_row"].to_list() == [2, 3]
    assert result.counts == {"quarantined": 2, "left_out": 0, "alerts": 2}


def test_an_interval_worked_by_hand():
    # Noon in Tokyo (UTC + 9 h) on 3 January is 12 − 9 = 3 o'clock in UTC: of midnights in UTC from 1 January on, days 0
    # to 2 lie before, and 3 to 5 behind. Until 05:00 − 9 h = 20:00 on the 5th in UTC, that is days 3 and 4.
    frame = raw(*[("a", day, float(day)) for day in range(6)])
    result = validate(frame, start="2014-01-03T12:00", end="2014-01-06T05:00", zone="Asia/Tokyo")
    assert result.frames["observations"]["y"].to_list() == [3.0, 4.0]
    assert result.counts == {"quarantined": 0, "left_out": 4, "alerts": 0}


def test_a_line_that_cannot_be_read_is_called_that_and_not_without_a_series():
    frame = raw((None, None, None)).with_columns(ds_reason=pl.lit("line_unreadable"))
    assert judge_rows(frame)["reason"].to_list() == ["line_unreadable"]


def test_a_marked_gap_is_null_and_never_nan():
    assert judge_rows(BROKEN)["y"].to_list()[-3:] == [None, None, 2.5]


def test_rows_are_accounted_for_in_frames_counts_and_ledger():
    result = validate(BROKEN)
    assert result.counts == {"quarantined": 10, "left_out": 0, "alerts": 0}
    assert result.frames["observations"].columns == ["unique_id", "ds", "y", "available_at", "source_row", "is_alert"]
    assert result.frames["observations"]["source_row"].to_list() == [11, 12, 13]
    assert result.frames["quarantine"]["reason"].to_list() == REASONS[:10]
    assert result.ledger.rows() == [("a", "ok", None, '{"rows":11,"quarantined":8,"left_out":0,"alerts":0}')]


def test_quarantine_shows_the_source_text_else_what_was_read():
    frame = raw(("a", 0, None, None, "abc"), ("a", 1, float("inf")), ("a", None, 2.5, "soon"))
    assert validate(frame).frames["quarantine"].rows() == [
        ("a", 1, "2014-01-01 00:00:00", "abc", "value_unparsable", None),
        ("a", 2, "2014-01-02 00:00:00", "inf", "value_not_finite", None),
        ("a", 3, "soon", "2.5", "time_unparsable", None),
    ]


def test_the_interval_includes_its_start_and_not_its_end():
    frame = raw(*[("a", day, 1.0) for day in range(5)])
    result = validate(frame, start="2014-01-02", end="2014-01-04")
    assert result.frames["observations"]["source_row"].to_list() == [2, 3]
    assert result.counts == {"quarantined": 0, "left_out": 3, "alerts": 0}
    assert validate(frame, start="2014-01-02").counts["left_out"] == 1
    assert validate(frame, end="2014-01-04").counts["left_out"] == 2


def test_limits_without_an_offset_are_taken_in_the_zone():
    # New York is five hours behind UTC in January: its 2 January begins at 05:00 UTC.
    assert requested_interval("2014-01-02", "", "America/New_York").start.astimezone(UTC) == datetime(
        2014, 1, 2, 5, tzinfo=UTC
    )
    assert requested_interval("", "2014-01-02T00:00+01:00", "America/New_York").end.astimezone(UTC) == datetime(
        2014, 1, 1, 23, tzinfo=UTC
    )
    assert requested_interval() == (None, None)
    frame = raw(("a", 1, 1.0), ("a", 2, 1.0))
    kept = validate(frame, start="2014-01-02", zone="America/New_York").frames["observations"]
    assert kept["source_row"].to_list() == [2]


def test_a_refused_row_outside_the_interval_is_left_out_and_one_without_a_time_is_refused():
    result = validate(raw(("a", 0, None, None, "abc"), ("a", None, 1.0, "soon"), ("a", 1, 1.0)), start="2014-01-02")
    assert result.counts == {"quarantined": 1, "left_out": 1, "alerts": 0}
    assert result.frames["quarantine"]["reason"].to_list() == ["time_unparsable"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"start": "soon"}, "^start must be an ISO time such as 2014-03-09 or 2014-03-09T03:00, got 'soon'$"),
        ({"end": "2014-02-30"}, "^end must be an ISO time such as 2014-03-09 or 2014-03-09T03:00, got '2014-02-30'$"),
        ({"start": "2014-01-02", "end": "2014-01-02"}, "^end must lie after start, got start '2014-01-02' and end"),
        ({"zone": "Mars"}, "got 'Mars'"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(params, message):
    with pytest.raises(InputError, match=message):
        requested_interval(**params)
    with pytest.raises(InputError, match=message):
        validate(BROKEN, **params)


def limits(*rows):
    """Rows of (unique_id, unit, valid_min, valid_max, alert_low, alert_high)."""
    return pl.DataFrame(rows, schema=LIMITS, orient="row")


def test_a_value_outside_the_valid_range_of_its_series_is_refused_with_the_range():
    # a: 0 and 3 lie outside [1, 2.5]; b has no lower limit, so only 3 lies outside; c has no upper one, so only 0
    # does; d has no limit and e no metadata, so nothing is refused.
    frame = raw(*[(id_, day, float(day)) for id_ in "abcde" for day in range(4)])
    metadata = limits(
        ("c", "m³/h", 1, None, None, None),
        ("a", "°C", 1, 2.5, None, None),
        ("b", None, None, 2, None, None),
        ("d", "K", None, None, None, None),
    )
    result = validate(frame, metadata)
    assert result.frames["quarantine"].select("unique_id", "y_text", "reason", "detail").rows() == [
        ("a", "0.0", "value_out_of_range", "valid range [1, 2.5] °C"),
        ("a", "3.0", "value_out_of_range", "valid range [1, 2.5] °C"),
        ("b", "3.0", "value_out_of_range", "valid range up to 2"),
        ("c", "0.0", "value_out_of_range", "valid range from 1 m³/h"),
    ]
    assert result.counts == {"quarantined": 4, "left_out": 0, "alerts": 0}
    assert result.frames["observations"]["y"].to_list() == [1, 2, 0, 1, 2, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]
    assert judge_rows(frame, metadata).columns == [*frame.columns, "reason", "is_alert"]


def test_a_value_at_or_beyond_an_alert_level_stays_and_is_marked():
    # a: 1 ≤ 1 and 4 ≥ 4 alert, 0 and 5 lie beyond the levels and inside the range, -1 and 6 are refused and alert of
    # nothing. b alerts from 3 on; c has metadata without levels, d none.
    frame = raw(
        *[("a", day, float(day - 1)) for day in range(8)],
        ("a", 8, None),
        *[(id_, day, float(day)) for id_ in "bcd" for day in (2, 3, 4)],
    )
    metadata = limits(("a", None, 0, 5, 1, 4), ("b", None, None, None, None, 3), ("c", None, None, None, None, None))
    result = validate(frame, metadata)
    kept = result.frames["observations"]
    assert kept.filter(unique_id="a").select("y", "is_alert").rows() == [
        (0, True), (1, True), (2, False), (3, False), (4, True), (5, True), (None, False),
    ]  # fmt: skip
    assert kept.filter(unique_id="b")["is_alert"].to_list() == [False, True, True]
    assert kept.filter(pl.col("unique_id").is_in(["c", "d"]))["is_alert"].to_list() == [False] * 6
    assert result.counts == {"quarantined": 2, "left_out": 0, "alerts": 6}
    assert [json.loads(counts)["alerts"] for counts in result.ledger["counts"]] == [4, 2, 0, 0]
    assert judge_rows(frame, metadata)["is_alert"].to_list()[:2] == [False, True]


def test_an_alert_outside_the_interval_is_not_counted():
    frame = raw(("a", 0, 9.0), ("a", 1, 9.0), ("a", 2, 9.0))
    result = validate(frame, limits(("a", None, None, None, None, 9)), start="2014-01-02", end="2014-01-03")
    assert result.counts == {"quarantined": 0, "left_out": 2, "alerts": 1}
    assert result.ledger["counts"].to_list() == ['{"rows":3,"quarantined":0,"left_out":2,"alerts":1}']


def test_further_columns_travel_along_behind_ours_whatever_their_names():
    further = {"reason": ["x", "y", "z"], "unit": [1, 2, 3], "valid_min": [True, None, False], "_price": [None] * 3}
    frame = raw(("a", 0, 1.0), ("a", 1, 7.0), ("a", 2, 3.0)).with_columns(
        *[pl.Series(name, values) for name, values in further.items()]
    )
    shuffled = frame.select(*further, *[name for name in frame.columns if name not in further])
    result = validate(shuffled, limits(("a", "bar", 1, 5, None, 3)))
    kept = result.frames["observations"]
    assert kept.columns == [*OBSERVATIONS, "reason", "unit", "valid_min", "_price"]
    assert kept.select(further.keys()).rows() == [("x", 1, True, None), ("z", 3, False, None)]
    assert kept["is_alert"].to_list() == [False, True]
    assert result.frames["quarantine"].row(0)[-2:] == ("value_out_of_range", "valid range [1, 5] bar")


def test_metadata_that_contradict_or_lack_a_column_are_refused():
    twice = limits(("a", None, 0, 2, None, None), ("a", None, 1, 2, None, None))
    with pytest.raises(InputError, match=r"^metadata has series 'a' more than once. Give each series one row\.$"):
        validate(BROKEN, twice)
    with pytest.raises(InputError, match="column 'alert_high' is missing"):
        validate(BROKEN, twice.drop("alert_high"))
    with pytest.raises(InputError, match="column 'source_row' is missing"):
        validate(BROKEN.drop("source_row"))
    for column in ("unique_id", "ds", "y"):
        with pytest.raises(InputError, match=f"column '{column}' is missing"):
            judge_rows(BROKEN.drop(column))


def test_a_series_with_one_refused_row_and_nothing_else_says_why():
    ledger = validate(raw(("a", 0, None, None, "x"), ("a", 1, None))).ledger
    assert ledger["reason"].to_list() == ["no observed value: 1 rows refused, most often value_unparsable"]


def test_a_series_without_one_observed_value_has_failed_and_says_why():
    frame = raw(
        ("gaps", 5, None),
        ("late", 0, 1.0),
        ("refused", 5, None, None, "x"),
        ("refused", 6, None, None, "inf"),
        ("refused", 7, None, None, "y"),
        ("refused", 8, None),
        ("whole", 5, 1.0),
    )
    result = validate(frame, start="2014-01-03")
    assert result.ledger.select("unique_id", "status", "reason").rows() == [
        ("gaps", "failed", "no observed value: every row is a marked gap"),
        ("late", "failed", "no row lies in the requested interval"),
        ("refused", "failed", "no observed value: 3 rows refused, most often value_unparsable"),
        ("whole", "ok", None),
    ]


def test_of_reasons_equally_frequent_the_first_by_name_is_told():
    ledger = validate(raw(("a", 0, None, None, "x"), ("a", 1, None, None, "inf"))).ledger
    assert ledger["reason"].to_list() == ["no observed value: 2 rows refused, most often value_not_finite"]


def test_an_empty_shard_gives_empty_typed_frames():
    result = validate(raw().clear(), start="2014-01-02")
    assert dict(result.frames["observations"].schema) == {
        "unique_id": pl.String,
        "ds": TIME,
        "y": pl.Float64,
        "available_at": TIME,
        "source_row": pl.Int64,
        "is_alert": pl.Boolean,
    }
    assert dict(result.frames["quarantine"].schema) == {
        "unique_id": pl.String,
        "source_row": pl.Int64,
        "ds_text": pl.String,
        "y_text": pl.String,
        "reason": pl.String,
        "detail": pl.String,
    }
    assert (result.ledger.height, result.counts) == (0, {"quarantined": 0, "left_out": 0, "alerts": 0})


def test_a_pandas_frame_is_judged_as_well():
    table = pd.DataFrame(
        {"unique_id": ["a"] * 3, "ds": pd.date_range("2014-01-01", periods=3), "y": [1, None, float("inf")]}
    )
    judged = judge_rows(table)
    assert isinstance(judged, pd.DataFrame)
    assert judged["reason"].tolist() == [None, None, "value_not_finite"]


ROW = st.tuples(
    st.sampled_from(["a", "b", None]),
    st.one_of(st.none(), st.integers(0, 9)),
    st.one_of(st.none(), st.floats(-5, 5)),
    st.sampled_from([None, "text"]),
    st.sampled_from([None, "inf", "x"]),
)


def finite_pair():
    return st.tuples(st.one_of(st.none(), st.integers(-5, 0)), st.one_of(st.none(), st.integers(0, 5)))


@given(st.lists(ROW, max_size=30), finite_pair(), finite_pair())
def test_limits_are_kept_row_by_row(rows, valid, alert):
    frame = raw(*rows).sort("unique_id", "ds", "source_row")
    (low, high), (alert_low, alert_high) = valid, alert
    result = validate(frame, limits(("a", None, *valid, *alert)))
    plain = validate(frame)
    of_a = [y for y in plain.frames["observations"].filter(unique_id="a")["y"] if y is not None]
    inside = [y for y in of_a if (low is None or y >= low) and (high is None or y <= high)]
    alerts = [
        (alert_low is not None and y <= alert_low) or (alert_high is not None and y >= alert_high) for y in inside
    ]
    kept = result.frames["observations"].filter(pl.col("y").is_not_null(), unique_id="a")
    assert kept["y"].to_list() == inside
    assert kept["is_alert"].to_list() == alerts
    others = result.frames["observations"].filter(pl.col("unique_id") != "a")
    assert others.equals(plain.frames["observations"].filter(pl.col("unique_id") != "a"))


@given(st.lists(ROW, max_size=30), st.integers(0, 9), st.integers(1, 9))
def test_rows_in_are_rows_out_and_quarantined_and_left_out(rows, first, length):
    frame = raw(*rows).sort("unique_id", "ds", "source_row")
    limits = {"start": f"{START + first * DAY:%Y-%m-%d}", "end": f"{START + (first + length) * DAY:%Y-%m-%d}"}
    result = validate(frame, **limits)
    kept = result.frames["observations"]
    assert frame.height == kept.height + result.counts["quarantined"] + result.counts["left_out"]
    table = frame.to_pandas()
    inside = table["ds"].isna() | table["ds"].between(
        pd.Timestamp(limits["start"], tz=UTC), pd.Timestamp(limits["end"], tz=UTC), inclusive="left"
    )
    assert result.counts["left_out"] == (~inside).sum()
    accounts = [json.loads(each) for each in result.ledger["counts"]]
    assert sum(each["rows"] for each in accounts) == frame["unique_id"].count()
    again = validate(kept, **limits)
    assert again.frames["observations"].equals(kept)
