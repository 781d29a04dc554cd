"""Gap detection."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA
from sparkhu.periods import Period
from sparkhu.steps.gaps import add_gap_rows, check_gaps, mark_gaps

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(*hours: float, name: str = "a") -> pl.DataFrame:
    ds = [START + h * HOUR for h in hours]
    y = [float(i) for i in range(len(ds))]
    return pl.DataFrame({"unique_id": [name] * len(ds), "ds": ds, "y": y, "available_at": ds}, schema=SCHEMA)


def on(*stamps: datetime) -> pl.DataFrame:
    y = [float(i) for i in range(len(stamps))]
    columns = {"unique_id": ["a"] * len(stamps), "ds": stamps, "y": y, "available_at": stamps}
    return pl.DataFrame(columns, schema=SCHEMA)


def profile(*rows: tuple[str, str | None, str | None]) -> pl.DataFrame:
    schema = {"unique_id": pl.String, "decision": pl.String, "period_label": pl.String}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def hours(frame: pl.DataFrame) -> list[float]:
    return [(moment - START) / HOUR for moment in frame["ds"]]


def new(frame: pl.DataFrame) -> list[Any]:
    return frame.filter("is_gap")["ds"].to_list()


def test_hand_worked_gap_of_three_hours() -> None:
    # n = ⌊(10·3 + 7) / 10⌋ = 3, so two rows at thirds of the gap.
    marked = add_gap_rows(at(0, 3), "1h")
    assert hours(marked) == [0, 1, 2, 3]
    assert marked["is_gap"].to_list() == [False, True, True, False]
    assert marked["y"].to_list() == [0.0, None, None, 1.0]
    assert marked["unique_id"].to_list() == ["a"] * 4
    assert marked["available_at"].to_list() == marked["ds"].to_list()


def test_hand_worked_gap_of_two_point_three_periods() -> None:
    # n = ⌊(23 + 7) / 10⌋ = 3: rows at 2.3/3 h and 4.6/3 h, that is after 2760 and 5520 seconds.
    gap = add_gap_rows(at(0, 2.3), "1h")
    assert new(gap) == [START + timedelta(seconds=2760), START + timedelta(seconds=5520)]


@pytest.mark.parametrize(
    ("gap_us", "rows"),
    [(10, 0), (16, 0), (17, 1), (22, 1), (23, 2), (32, 2), (33, 3), (1000, 99)],
)
def test_rows_added_change_at_exact_tenths_of_the_period(gap_us: int, rows: int) -> None:
    frame = on(START, START + timedelta(microseconds=gap_us))
    assert len(new(add_gap_rows(frame, "10us"))) == rows


@given(st.integers(1, 10**6), st.integers(1, 3 * 10**7))
def test_rows_agree_with_whole_number_arithmetic(period: int, gap: int) -> None:
    gap = min(gap, 300 * period)
    frame = on(START, START + timedelta(microseconds=gap))
    parts = (10 * gap + 7 * period) // (10 * period) if 10 * gap >= 17 * period else 1
    wanted = [START + timedelta(microseconds=k * gap // parts) for k in range(1, parts)]
    assert new(add_gap_rows(frame, Period("fixed", period))) == wanted


def test_a_gap_that_does_not_divide_is_cut_at_whole_microseconds() -> None:
    # 10 µs in ⌊(100 + 21) / 30⌋ = 4 parts: ⌊2.5⌋, 5, ⌊7.5⌋.
    frame = on(START, START + timedelta(microseconds=10))
    assert [(t - START).microseconds for t in new(add_gap_rows(frame, "3us"))] == [2, 5, 7]


def test_centuries_of_microseconds_do_not_overflow() -> None:
    late = datetime(2500, 1, 1, tzinfo=UTC)
    marked = add_gap_rows(on(START, late), "1d")
    assert marked.height == (late - START).days + 1
    assert marked["ds"].diff().drop_nulls().unique().to_list() == [timedelta(days=1)]


def test_rows_in_front_step_back_from_the_first_point() -> None:
    marked = add_gap_rows(at(2.5, 3.5), "1h", start=START)
    assert hours(marked) == [0.5, 1.5, 2.5, 3.5]
    assert marked["is_gap"].to_list() == [True, True, False, False]


def test_a_row_exactly_at_the_start_belongs_to_the_interval() -> None:
    assert hours(add_gap_rows(at(2), "1h", start=START)) == [0, 1, 2]


def test_rows_behind_stop_before_the_end() -> None:
    assert hours(add_gap_rows(at(0), "1h", end=START + 3 * HOUR)) == [0, 1, 2]
    assert hours(add_gap_rows(at(0), "1h", end=START + 3.01 * HOUR)) == [0, 1, 2, 3]


def test_a_point_before_the_start_makes_the_front_a_gap_between() -> None:
    assert hours(add_gap_rows(at(-2, 1), "1h", start=START)) == [-2, -1, 0, 1]


def test_points_past_the_end_get_nothing_behind_and_points_before_the_start_nothing_in_front() -> None:
    marked = add_gap_rows(at(0, 5), "5h", start=START + 1 * HOUR, end=START + 4 * HOUR)
    assert hours(marked) == [0, 5]


def test_whole_empty_days_are_marked() -> None:
    days = [START, START + timedelta(days=1), START + timedelta(days=5)]
    assert new(add_gap_rows(on(*days), "1d")) == [START + timedelta(days=d) for d in (2, 3, 4)]


def test_preserve_last_keeps_the_last_period_before_the_end_free() -> None:
    end = START + 4 * HOUR
    assert hours(add_gap_rows(at(0), "1h", end=end, preserve_last=True)) == [0, 1, 2]
    assert hours(add_gap_rows(at(0.5), "1h", end=end, preserve_last=True)) == [0.5, 1.5, 2.5]


def test_preserve_last_holds_between_points_too_but_not_past_the_end() -> None:
    marked = add_gap_rows(at(1.1, 2.9, 5), "1h", end=START + 3 * HOUR, preserve_last=True)
    # The middle of 1.1 and 2.9 is 2.0, the first instant kept free; the middle of 2.9 and 5 is past the end.
    assert hours(marked) == [1.1, 2.9, 3.95, 5]


def test_a_source_row_without_a_value_is_marked() -> None:
    frame = at(0, 1, 2).with_columns(y=pl.Series([1.0, None, 2.0]))
    assert add_gap_rows(frame, "1h")["is_gap"].to_list() == [False, True, False]


def test_a_nulled_outlier_is_no_gap_because_it_was_observed() -> None:
    frame = at(0, 1).with_columns(y=pl.Series([1.0, None]), y_raw=pl.Series([1.0, 99.0]))
    assert add_gap_rows(frame, "1h")["is_gap"].to_list() == [False, False]


def test_new_rows_have_plain_flags_and_nulls_elsewhere() -> None:
    extra = {"is_outlier": [True, False], "needs_fill": [True, False], "is_alert": [True, False], "y_raw": [9.0, 1.0]}
    extra |= {"volume": [5, 6], "weather": ["sun", "rain"], "observed_available_at": [START, START + 2 * HOUR]}
    marked = add_gap_rows(at(0, 2).with_columns(**{k: pl.Series(v) for k, v in extra.items()}), "1h")
    assert marked["is_outlier"].to_list() == [True, False, False]
    assert marked["needs_fill"].to_list() == [True, False, False]
    assert marked["is_alert"].to_list() == [True, False, False]
    assert marked["y_raw"].to_list() == [9.0, None, 1.0]
    assert marked["weather"].to_list() == ["sun", None, "rain"]
    assert marked["observed_available_at"].to_list() == [START, None, START + 2 * HOUR]
    assert marked["volume"].to_list() == [5, None, 6]


def test_months_step_by_the_calendar() -> None:
    frame = on(datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 5, 31, tzinfo=UTC))
    assert new(add_gap_rows(frame, "1mo")) == [datetime(2024, m, d, tzinfo=UTC) for m, d in ((2, 29), (3, 31), (4, 30))]


def test_a_calendar_gap_below_seventeen_tenths_of_a_period_is_none() -> None:
    # 1 January plus two months is 1 March; 0.3 mean months (9.13 days) before is 20 February 21 h.
    near, far = datetime(2024, 2, 21, tzinfo=UTC), datetime(2024, 2, 20, tzinfo=UTC)
    assert new(add_gap_rows(on(START, near), "1mo")) == [datetime(2024, 2, 1, tzinfo=UTC)]
    assert new(add_gap_rows(on(START, far), "1mo")) == []


def test_months_in_front_and_behind_stay_inside_the_interval() -> None:
    frame = on(datetime(2024, 3, 1, tzinfo=UTC))
    marked = add_gap_rows(frame, "1mo", start=START, end=datetime(2024, 6, 1, tzinfo=UTC))
    assert marked["ds"].to_list() == [datetime(2024, m, 1, tzinfo=UTC) for m in (1, 2, 3, 4, 5)]
    later = add_gap_rows(frame, "1mo", start=START + HOUR, end=datetime(2024, 6, 1, 1, tzinfo=UTC), preserve_last=True)
    assert later["ds"].to_list() == [datetime(2024, m, 1, tzinfo=UTC) for m in (2, 3, 4, 5)]


def test_weekends_are_no_gaps_of_business_days() -> None:
    friday, monday, wednesday = (datetime(2024, 3, d, tzinfo=UTC) for d in (1, 4, 6))
    assert new(add_gap_rows(on(friday, monday, wednesday), "1bd")) == [datetime(2024, 3, 5, tzinfo=UTC)]


def test_days_keep_local_midnight_across_the_change_of_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    days = [datetime(2024, 3, d, tzinfo=berlin).astimezone(UTC) for d in (29, 30, 31)]
    later = datetime(2024, 4, 3, tzinfo=berlin).astimezone(UTC)
    marked = add_gap_rows(on(days[0], later), Period.parse("1d", "Europe/Berlin"))
    local = [moment.astimezone(berlin) for moment in marked["ds"]]
    assert [(t.day, t.hour) for t in local] == [(29, 0), (30, 0), (31, 0), (1, 0), (2, 0), (3, 0)]
    ends = datetime(2024, 4, 2, tzinfo=berlin).astimezone(UTC)
    behind = add_gap_rows(on(*days), Period.parse("1d", "Europe/Berlin"), start=days[1], end=ends)
    assert behind["ds"].to_list()[3:] == [datetime(2024, 3, 31, 22, tzinfo=UTC)]


def test_hours_pass_the_change_of_summer_time_without_a_gap() -> None:
    stamps = [datetime(2024, 3, 31, h, tzinfo=UTC) for h in range(4)]
    assert new(add_gap_rows(on(*stamps), Period.parse("1h", "Europe/Berlin"))) == []


@given(st.lists(st.integers(0, 60), min_size=1, max_size=15, unique=True), st.integers(0, 10), st.integers(1, 20))
def test_rows_in_plus_marked_is_rows_out_and_a_second_pass_changes_nothing(
    points: list[int], before: int, after: int
) -> None:
    frame = at(*sorted(points))
    start, end = START - before * HOUR, START + (60 + after) * HOUR
    marked = add_gap_rows(frame, "1h", start=start, end=end)
    assert marked.filter(~pl.col("is_gap")).drop("is_gap").equals(frame)
    assert marked["ds"].to_list() == [start + k * HOUR for k in range(60 + before + after)]
    assert add_gap_rows(marked, "1h", start=start, end=end).equals(marked)


@given(st.lists(st.floats(0, 40), min_size=2, max_size=12, unique=True))
def test_after_marking_no_gap_is_left(points: list[float]) -> None:
    ds = sorted({START + timedelta(seconds=round(3600 * p)) for p in points})
    marked = add_gap_rows(on(*ds), "1h")
    gaps = marked["ds"].diff().drop_nulls().dt.total_seconds()
    assert (gaps < 1.7 * 3600).all()
    assert marked["ds"].is_sorted()
    assert add_gap_rows(marked, "1h").equals(marked)


def test_a_pandas_frame_gives_a_pandas_frame() -> None:
    marked = add_gap_rows(at(0, 2).to_pandas(), "1h")
    assert isinstance(marked, pd.DataFrame)
    assert marked["is_gap"].tolist() == [False, True, False]


def test_a_series_that_would_explode_is_refused_by_name() -> None:
    assert add_gap_rows(at(0, 11), "1h", max_new_rows=10).height == 12
    with pytest.raises(InputError, match="series 'a': its gaps need more than max_new_rows = 9 rows; check its"):
        add_gap_rows(at(0, 11), "1h", max_new_rows=9)


def test_the_limit_counts_all_gaps_of_a_series() -> None:
    with pytest.raises(InputError, match="max_new_rows = 3"):
        add_gap_rows(at(0, 3, 6), "1h", max_new_rows=3)


def test_each_period_has_its_own_series() -> None:
    frame = pl.concat([at(0, 2), at(0, 2, name="b"), at(0, 2, name="c"), at(1, 2, name="d")])
    table = profile(("d", "regular", "1h"), ("c", "regular", "30min"), ("b", "irregular", "1h"), ("a", "regular", "1h"))
    result = mark_gaps(frame, table)
    marked = result.frames["observations"]
    assert [(name, hours(part)) for (name,), part in marked.group_by("unique_id", maintain_order=True)] == [
        ("a", [0, 1, 2]),
        ("b", [0, 2]),
        ("c", [0, 0.5, 1, 1.5, 2]),
        ("d", [1, 2]),
    ]
    assert result.ledger.rows() == [
        ("a", "ok", None, '{"rows":2,"marked":1,"nulls":0}'),
        (
            "b",
            "skipped",
            "gaps are marked in regular series, this one is irregular",
            '{"rows":2,"marked":0,"nulls":0}',
        ),
        ("c", "ok", None, '{"rows":2,"marked":3,"nulls":0}'),
        ("d", "ok", None, '{"rows":2,"marked":0,"nulls":0}'),
    ]
    assert result.counts == {"marked": 4, "left_out": 0}


def test_a_series_without_profile_or_period_is_skipped() -> None:
    frame = pl.concat([at(0, 2), at(0, 2, name="b")])
    result = mark_gaps(frame, profile(("a", "regular", None)))
    assert result.frames["observations"].height == 4
    assert result.ledger["status"].to_list() == ["skipped", "skipped"]
    assert result.ledger["reason"].to_list() == [
        "gaps are marked in regular series, this one is regular",
        "gaps are marked in regular series, this one is unknown",
    ]


def test_a_series_that_would_explode_fails_and_its_rows_are_left_out() -> None:
    frame = pl.concat([at(0, 2000), at(0, 2, name="b").with_columns(y=pl.Series([1.0, None]))])
    table = profile(("a", "regular", "1h"), ("b", "regular", "1h"))
    result = mark_gaps(frame, table, max_new_rows=1000)
    assert result.frames["observations"]["unique_id"].to_list() == ["b"] * 3
    assert result.ledger["status"].to_list() == ["failed", "ok"]
    assert result.ledger["reason"][0] == (
        "its gaps need more than max_new_rows = 1000 rows; check its period and the interval, or raise max_new_rows."
    )
    assert result.ledger["counts"].to_list() == [
        '{"rows":2,"marked":0,"nulls":0}',
        '{"rows":2,"marked":1,"nulls":1}',
    ]
    assert result.counts == {"marked": 1, "left_out": 2}


def test_the_step_reads_start_and_end_in_the_zone() -> None:
    result = mark_gaps(
        at(0),
        profile(("a", "regular", "1h")),
        start="2024-01-01T00:00",
        end="2024-01-01T03:00+01:00",
        zone="Europe/Berlin",
    )
    assert hours(result.frames["observations"]) == [-1, 0, 1]


def test_the_step_preserves_the_last_period_on_demand() -> None:
    arguments = {"end": "2024-01-01T03:00", "zone": "UTC"}
    table = profile(("a", "regular", "1h"))
    assert mark_gaps(at(0), table, **arguments).counts["marked"] == 2
    assert mark_gaps(at(0), table, preserve_last=True, **arguments).counts["marked"] == 1


def test_the_day_of_the_month_that_the_profile_gives_is_aimed_at() -> None:
    frame = on(datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 4, 29, tzinfo=UTC))
    table = profile(("a", "regular", "1mo"))
    marked = mark_gaps(frame, table.with_columns(month_day=pl.lit(29, pl.Int64))).frames["observations"]
    assert new(marked) == [datetime(2024, 3, 29, tzinfo=UTC)]
    assert new(mark_gaps(frame, table).frames["observations"]) == [datetime(2024, 3, 31, tzinfo=UTC)]


def test_days_step_in_the_zone_of_the_profile_else_of_the_run() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    frame = on(*[datetime(2024, *day, tzinfo=berlin).astimezone(UTC) for day in ((3, 30), (4, 1))])
    middle = datetime(2024, 3, 31, tzinfo=berlin).astimezone(UTC)
    table = profile(("a", "regular", "1d"))
    assert new(mark_gaps(frame, table).frames["observations"]) == [middle - HOUR / 2]
    assert new(mark_gaps(frame, table, zone="Europe/Berlin").frames["observations"]) == [middle]
    zoned = table.with_columns(zone=pl.lit("Europe/Berlin"))
    assert new(mark_gaps(frame, zoned).frames["observations"]) == [middle]


def test_an_empty_shard_gives_typed_empty_frames() -> None:
    result = mark_gaps(at(), profile(), start="2024-01-01", end="2024-01-02")
    assert result.frames["observations"].schema == {**SCHEMA, "is_gap": pl.Boolean()}
    assert result.ledger.height == 0
    assert result.counts == {"marked": 0, "left_out": 0}


def test_shard_composition_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    labels = ["1h", "30min", "1h", "2h"]
    parts = [at(*np.unique(rng.integers(0, 50, 12)).tolist(), name=name) for name in "abcd"]
    table = profile(*[(name, "regular", label) for name, label in zip("abcd", labels, strict=True)])
    whole = mark_gaps(pl.concat(parts), table, end="2024-01-04").frames["observations"]
    alone = [mark_gaps(part, table, end="2024-01-04").frames["observations"] for part in parts]
    assert whole.equals(pl.concat(alone))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": "soon"}, "^start must be an ISO time such as .*, got 'soon'$"),
        ({"end": "soon"}, "^end must be an ISO time such as .*, got 'soon'$"),
        ({"zone": "Mars"}, "zone"),
        ({"max_new_rows": 0}, r"^max_new_rows must be at least 1, got 0\.$"),
        ({"preserve_last": True}, r"^preserve_last keeps the last period before `end` free, but there is no end\."),
        ({"start": "2024-01-02", "end": "2024-01-02"}, "^end must lie after start, got"),
    ],
)
def test_unusable_parameters_are_refused_before_anything_starts(arguments: dict[str, Any], message: str) -> None:
    given_ = {"start": "", "end": "", "zone": "UTC", "preserve_last": False, "max_new_rows": 1} | arguments
    with pytest.raises(InputError, match=message):
        check_gaps(**given_)
    with pytest.raises(InputError, match=message):
        mark_gaps(at(0), profile(), **given_)


def test_rows_out_of_order_are_refused() -> None:
    with pytest.raises(InputError, match="rows must be sorted by unique_id and ds, each instant once; broken at row 1"):
        add_gap_rows(at(2, 1), "1h")
    with pytest.raises(InputError, match="a series that stands in two places"):
        add_gap_rows(pl.concat([at(0), at(0, name="b"), at(1)]), "1h")


def test_an_interval_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        add_gap_rows(at(0), "1h", start=START, end=START)
    assert str(caught.value) == (
        "end must lie after start, got [2024-01-01T00:00:00+00:00, 2024-01-01T00:00:00+00:00)."
    )


@pytest.mark.parametrize("column", ["unique_id", "ds", "y", "available_at"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        add_gap_rows(at(0).drop(column), "1h")
