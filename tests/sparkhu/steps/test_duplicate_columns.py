"""Further columns of the source and alert marks travel with the row that is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.frame import SCHEMA
from sparkhu.steps.deduplication import drop_duplicates, resolve_duplicates

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rows(*points: tuple[Any, ...], **columns: list[Any]) -> pl.DataFrame:
    """Rows of series a: (hour, y, hour until known) in source order, and further columns."""
    base = [("a", START + at * HOUR, y, START + known * HOUR) for at, y, known in points]
    frame = pl.DataFrame(base, schema=SCHEMA, orient="row")
    return frame.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


# Hour 0 has 5, 1 and 3, with volumes 10, 40 and 70; hour 1 has one row.
CONFLICT = rows(
    *((0, 5.0, 1), (0, 1.0, 3), (0, 3.0, 2), (1, 8.0, 4)),
    volume=[10, 40, 70, 5],
    weather=["sun", "rain", "fog", "sun"],
    open=[True, True, False, True],
)


@pytest.mark.parametrize(
    ("policy", "first"),
    [
        ("first", (5.0, 10, "sun", True)),
        ("last", (3.0, 70, "fog", False)),
        ("mean", (3.0, 40.0, "fog", False)),  # (5 + 1 + 3) / 3 and (10 + 40 + 70) / 3
        ("median", (3.0, 40.0, "fog", False)),
    ],
)
def test_hand_worked_further_columns_come_from_the_kept_row(policy: Any, first: tuple[Any, ...]) -> None:
    kept = resolve_duplicates(CONFLICT, policy=policy)
    assert kept.columns == [*SCHEMA, "is_alert", "volume", "weather", "open"]
    assert kept.select("y", "volume", "weather", "open").rows() == [first, (8.0, 5, "sun", True)]


def test_hand_worked_mean_and_median_of_numbers_leave_out_nulls_and_rows_without_a_value() -> None:
    # The rows with a value hold 1, 2, null and 6 (mean 3, median 2); the 100 stands beside no value.
    frame = rows(*((0, y, 0) for y in (1.0, 2.0, 3.0, 4.0, None)), price=[1, 2, None, 6, 100])
    assert resolve_duplicates(frame, policy="mean")["price"].to_list() == [3.0]
    assert resolve_duplicates(frame, policy="median")["price"].to_list() == [2.0]


def test_a_marked_gap_gives_its_columns_only_where_no_value_stands() -> None:
    frame = rows((0, 2.0, 0), (0, None, 0), (1, None, 1), (1, None, 1), weather=["sun", "rain", "fog", "hail"])
    assert resolve_duplicates(frame)["weather"].to_list() == ["sun", "hail"]
    assert resolve_duplicates(frame, policy="first")["weather"].to_list() == ["sun", "fog"]
    numbers = frame.with_columns(price=pl.Series([1.0, 50.0, 3.0, 5.0]))
    assert resolve_duplicates(numbers, policy="mean")["price"].to_list() == [1.0, 4.0]


@pytest.mark.parametrize(("policy", "known"), [("first", 5), ("last", 3), ("mean", 5), ("median", 5), ("error", 3)])
def test_one_value_with_other_columns_is_known_since_the_row_that_they_come_from(policy: Any, known: int) -> None:
    # The value itself was there at hour 2.
    frame = rows((0, 1.0, 5), (0, 1.0, 2), (0, 1.0, 3), volume=[1, 2, 3])
    assert resolve_duplicates(frame, policy=policy)["available_at"].to_list() == [START + known * HOUR]
    same = frame.with_columns(volume=pl.lit(1))
    assert resolve_duplicates(same, policy=policy)["available_at"].to_list() == [START + 2 * HOUR]


@pytest.mark.parametrize("policy", ["mean", "median"])
def test_the_type_of_averaged_columns_depends_on_no_data(policy: Any) -> None:
    alone = rows((0, 1.0, 0), (1, 2.0, 1), volume=[1, 2])
    for frame in (alone, alone.head(0), CONFLICT):
        assert resolve_duplicates(frame, policy=policy).schema["volume"] == pl.Float64
    assert resolve_duplicates(alone, policy="last").schema["volume"] == pl.Int64


@pytest.mark.parametrize(
    ("policy", "alerts", "alert"),
    [
        ("last", [True, False, False], False),  # the 3 that is kept is at no level
        ("last", [False, False, True], True),
        ("first", [True, False, False], True),
        ("first", [False, True, True], False),
        ("mean", [False, True, False], False),  # the mean, 3, is the value of the last row
        ("mean", [False, False, True], True),
        ("median", [None, None, True], True),
    ],
)
def test_a_row_is_an_alert_where_its_value_is_one(policy: Any, alerts: list[bool | None], alert: bool) -> None:
    frame = CONFLICT.with_columns(is_alert=pl.Series([*alerts, False]))
    assert resolve_duplicates(frame, policy=policy)["is_alert"].to_list() == [alert, False]


def test_a_mean_that_is_none_of_the_values_is_an_alert_where_any_of_them_is() -> None:
    frame = rows((0, 1.0, 0), (0, 2.0, 0), (1, 1.0, 1), (1, 4.0, 1), is_alert=[True, False, False, False])
    assert resolve_duplicates(frame, policy="mean")["is_alert"].to_list() == [True, False]


def test_any_of_the_rows_that_hold_the_kept_value_may_be_the_alert() -> None:
    frame = rows((0, 3.0, 0), (0, 1.0, 0), (0, 3.0, 0), is_alert=[True, False, False])
    assert resolve_duplicates(frame)["is_alert"].to_list() == [True]


def test_no_column_of_the_source_disturbs_the_step() -> None:
    names = (
        "rows",
        "kept",
        "known",
        "several",
        "kind",
        "_row",
        "_again",
        "_instant",
        "y_made",
        "x",
        "_extra",
        "status",
    )
    frame = CONFLICT.with_columns(**{name: pl.lit(7) for name in names})
    plain, more = (drop_duplicates(each).frames for each in (CONFLICT, frame))
    assert more["observations"].select(plain["observations"].columns).equals(plain["observations"])
    assert more["duplicates"].equals(plain["duplicates"])
    assert all(more["observations"][name].to_list() == [7, 7] for name in names)


def test_columns_without_an_order_travel_too() -> None:
    frame = rows((0, 1.0, 1), (0, 1.0, 0), parts=[[1, 2], [3]])
    assert resolve_duplicates(frame)["parts"].to_list() == [[3]]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=20), st.sampled_from(["first", "last"]))
def test_each_kept_row_is_a_row_of_the_source(points: list[tuple[int, int]], policy: Any) -> None:
    numbers = list(range(len(points)))
    frame = rows(*((at, float(y), at) for at, y in points)).with_columns(number=pl.Series(numbers, dtype=pl.Int64))
    kept = resolve_duplicates(frame, policy=policy)
    for at, y, number in kept.select("ds", "y", "number").rows():
        assert (START + points[number][0] * HOUR, float(points[number][1])) == (at, y)
    assert kept["number"].is_sorted() or kept.height == frame["ds"].n_unique()
