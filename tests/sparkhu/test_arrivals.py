"""Which rows of a batch are new, and which row counts as of a moment."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sparkhu.arrivals import arrivals, caught_up, newest
from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = NOON + 100 * HOUR

Row = tuple[str, int, float | None, int]


def rows(*given_rows: Row) -> pl.DataFrame:
    """Rows of (series, hour, value, hours later known)."""
    made = [(name, NOON + hour * HOUR, value, NOON + (hour + late) * HOUR) for name, hour, value, late in given_rows]
    return pl.DataFrame(made, schema=SCHEMA, orient="row")


def came(batch: pl.DataFrame, known: pl.DataFrame, *, dated: bool = False) -> tuple[list[tuple[object, ...]], ...]:
    found = arrivals(batch, known, arrived_at=NOW, dated=dated)
    hours: list[tuple[object, ...]] = [
        (name, (ds - NOON) // HOUR, y, (available - NOON) // HOUR)
        for name, ds, y, available in found.rows.select(SCHEMA.keys()).iter_rows()
    ]
    return hours, [(found.unchanged, found.revised, found.repeated)]


def test_hand_worked_value_that_is_revised() -> None:
    # 5 is known at 12:00, 7 from 15:00 on: as of 14:59 the value of 12:00 is 5, as of 15:00 it is 7.
    table = rows(("a", 0, 5.0, 0), ("a", 0, 7.0, 3))
    assert newest(table, known_at=NOON + 3 * HOUR - timedelta(minutes=1))["y"].to_list() == [5.0]
    assert newest(table, known_at=NOON + 3 * HOUR)["y"].to_list() == [7.0]
    assert newest(table, known_at=NOON - HOUR).is_empty()


def test_hand_worked_batch_with_a_known_a_changed_and_a_new_row() -> None:
    # Hour 0 is there with the same value, hour 1 with another, hour 2 is not. The change is known from now on, hour
    # 100; the new row from its own time on, hour 2, as nobody says otherwise.
    known = rows(("a", 0, 1.0, 0), ("a", 1, 2.0, 0))
    batch = rows(("a", 0, 1.0, 0), ("a", 1, 9.0, 0), ("a", 2, 3.0, 0))
    assert came(batch, known) == ([("a", 1, 9.0, 100), ("a", 2, 3.0, 2)], [(1, 1, 0)])


def test_of_equal_arrivals_the_row_added_later_counts() -> None:
    assert newest(rows(("a", 0, 1.0, 2), ("a", 0, 2.0, 2)))["y"].to_list() == [2.0]


def test_a_batch_that_dates_its_values_may_bring_an_older_version_later() -> None:
    known = rows(("a", 0, 1.0, 0), ("a", 0, 3.0, 9))
    batch = rows(("a", 0, 2.0, 5), ("a", 0, 3.0, 9))
    assert came(batch, known, dated=True) == ([("a", 0, 2.0, 5)], [(1, 1, 0)])
    assert newest(pl.concat([known, batch.head(1)]))["y"].to_list() == [3.0]


def test_a_value_that_returns_to_what_it_was_is_a_change() -> None:
    known = rows(("a", 0, 1.0, 0), ("a", 0, 2.0, 50))
    assert came(rows(("a", 0, 1.0, 0)), known) == ([("a", 0, 1.0, 100)], [(0, 1, 0)])
    # As one of its versions, with the time of its arrival, it is there already.
    assert came(rows(("a", 0, 1.0, 0)), known, dated=True) == ([], [(1, 0, 0)])


def test_a_change_is_never_known_before_what_it_changes() -> None:
    known = rows(("a", 0, 1.0, 200))
    assert came(rows(("a", 0, 2.0, 0)), known) == ([("a", 0, 2.0, 200)], [(0, 1, 0)])


def test_within_a_batch_the_later_row_of_an_instant_stands() -> None:
    batch = rows(("a", 0, 1.0, 0), ("b", 0, 5.0, 0), ("a", 0, 2.0, 0))
    assert came(batch, rows()) == ([("b", 0, 5.0, 0), ("a", 0, 2.0, 0)], [(0, 0, 1)])


def test_a_marked_gap_is_a_value_and_so_is_its_filling() -> None:
    known = rows(("a", 0, None, 0))
    assert came(rows(("a", 0, None, 0)), known) == ([], [(1, 0, 0)])
    assert came(rows(("a", 0, 1.0, 0)), known) == ([("a", 0, 1.0, 100)], [(0, 1, 0)])


def test_further_columns_are_compared_and_their_source_is_not() -> None:
    known = rows(("a", 0, 1.0, 0)).with_columns(volume=pl.lit(3), source=pl.lit("x.csv"))
    same = rows(("a", 0, 1.0, 0)).with_columns(source=pl.lit("y.csv"))
    assert came(same, known) == ([], [(1, 0, 0)])
    more = same.with_columns(volume=pl.lit(4))  # it was 3
    assert came(more, known) == ([("a", 0, 1.0, 100)], [(0, 1, 0)])
    assert came(same.with_columns(volume=pl.lit(3.0)), known) == ([], [(1, 0, 0)])


def test_what_only_adds_columns_is_known_from_when_the_value_was() -> None:
    # Hour 0 was revised at hour 3; its price came later and moves no value. At hour 1 the value changes, too.
    known = rows(("a", 0, 1.0, 0), ("a", 0, 4.0, 3), ("a", 1, 2.0, 0), ("a", 2, None, 0), ("a", 3, 1.0, 0))
    batch = rows(("a", 0, 4.0, 0), ("a", 1, 9.0, 0), ("a", 2, None, 0), ("a", 3, 1.0, 0))
    batch = batch.with_columns(price=pl.Series([5.0, 6.0, 7.0, None]))
    assert came(batch, known) == ([("a", 0, 4.0, 3), ("a", 1, 9.0, 100), ("a", 2, None, 2)], [(1, 1, 0)])
    told = rows(("a", 0, 1.0, 0)).with_columns(price=pl.lit(5.0), volume=pl.lit(None, pl.Float64))
    assert came(told.with_columns(volume=pl.lit(3.0)), told) == ([("a", 0, 1.0, 0)], [(0, 0, 0)])
    # What was told of it before changes: another price, or one that is taken back.
    for price in (6.0, None):
        other = told.with_columns(price=pl.lit(price, pl.Float64), volume=pl.lit(3.0))
        assert came(other, told) == ([("a", 0, 1.0, 100)], [(0, 1, 0)])


def test_rows_that_come_late_are_known_from_now_on() -> None:
    known = rows(("a", 0, 1.0, 0), ("a", 1, 1.0, 0))
    batch = rows(("a", 2, 1.0, 0), ("a", 3, 2.0, 0), ("a", 200, 3.0, 0), ("a", 0, 1.0, 0), ("a", 1, 1.0, 0))
    batch = batch.with_columns(price=pl.Series([None, None, None, None, 2.0]))
    found = arrivals(batch, known, arrived_at=NOW, dated=False, late=pl.Series([False, True, True, True, True])).rows
    # The last but one is there already, the last adds a price to it.
    assert [(each - NOON) // HOUR for each in found["available_at"]] == [2, 100, 200, 1]
    assert found.columns == batch.columns


def test_what_a_batch_does_not_tell_stays_as_it_was() -> None:
    known = rows(("a", 0, 1.0, 0)).with_columns(volume=pl.lit(3))
    found = arrivals(rows(("a", 0, 9.0, 0), ("a", 1, 2.0, 0)), known, arrived_at=NOW, dated=False).rows
    assert found.select("y", "volume").rows() == [(9.0, 3), (2.0, None)]


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.sampled_from([None, 1.0, 2.0])), max_size=6),
        max_size=4,
    )
)
def test_batches_in_a_row_leave_the_value_that_came_last(batches: list[list[tuple[str, int, float | None]]]) -> None:
    table = rows()
    expected: dict[tuple[str, datetime], float | None] = {}
    for number, batch in enumerate(batches):
        frame = rows(*[(name, hour, value, 0) for name, hour, value in batch])
        moment = NOW + number * HOUR
        found = arrivals(frame, table, arrived_at=moment, dated=False)
        assert found.rows.height + found.unchanged + found.repeated == frame.height
        table = pl.concat([table, found.rows])
        expected |= {(name, NOON + hour * HOUR): value for name, hour, value in batch}
        again = arrivals(frame, table, arrived_at=moment + HOUR, dated=False)
        assert again.rows.is_empty()
    now = {(name, ds): y for name, ds, y, _ in newest(table).iter_rows()}
    assert now == expected


def test_empty_frames_keep_their_types() -> None:
    found = arrivals(rows(), rows(), arrived_at=NOW, dated=False)
    assert_frame_equal(found.rows, rows())


@pytest.mark.parametrize("column", list(SCHEMA))
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InputError, match=column):
        arrivals(rows().drop(column), rows(), arrived_at=NOW, dated=False)
    with pytest.raises(InputError, match=column):
        newest(rows().drop(column))


def caught(batch: pl.DataFrame, known: pl.DataFrame, *again: bool) -> list[tuple[object, ...]]:
    flags = pl.Series(again or [True] * batch.height, dtype=pl.Boolean)
    return caught_up(batch, known, again=flags).drop("unique_id", "available_at").rows()


def test_hand_worked_row_that_is_told_once_more_with_a_further_column() -> None:
    # Hour 0 was 5, then 7; hour 1 was and is 3. Told again as 5 and 3 with prices, they are 7 and 3 with these prices.
    known = rows(("a", 0, 5.0, 0), ("a", 0, 7.0, 3), ("a", 1, 3.0, 0))
    batch = rows(("a", 0, 5.0, 0), ("a", 1, 3.0, 0)).with_columns(price=pl.Series([1, 2]))
    assert caught(batch, known) == [(NOON, 7.0, 1), (NOON + HOUR, 3.0, 2)]
    assert caught(batch, known, False, True) == [(NOON, 5.0, 1), (NOON + HOUR, 3.0, 2)]


def test_what_no_version_holds_is_no_row_that_is_told_once_more() -> None:
    known = rows(("a", 0, 5.0, 0), ("a", 0, 7.0, 3)).with_columns(price=pl.Series([1.5, 2.5]))
    told = rows(("a", 0, 6.0, 0), ("b", 0, 5.0, 0), ("a", 0, 5.0, 0)).with_columns(price=pl.Series([1, 1, 3]))
    assert caught(told, known) == [(NOON, 6.0, 1.0), (NOON, 5.0, 1.0), (NOON, 5.0, 3.0)]
    # The version of hour 0 with the price of 1.5 is told again: the newest one stands in its place.
    assert caught(told.tail(1).with_columns(price=pl.lit(1.5)), known) == [(NOON, 7.0, 2.5)]


def test_a_marked_gap_that_is_told_once_more_stays_what_it_became() -> None:
    known = rows(("a", 0, None, 0), ("a", 0, 7.0, 3))
    assert caught(rows(("a", 0, None, 0)), known) == [(NOON, 7.0)]
    withdrawn = rows(("a", 0, 7.0, 0), ("a", 0, None, 3))
    assert caught(rows(("a", 0, 7.0, 0)), withdrawn) == [(NOON, None)]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([None, 1.0, 2.0])), min_size=1, max_size=8))
def test_nothing_that_was_told_before_is_new_or_changes_a_value(told: list[tuple[int, float | None]]) -> None:
    known = rows(*[("a", hour, value, at) for at, (hour, value) in enumerate(told)])
    batch = known.with_columns(available_at=pl.col("ds")).sample(fraction=1, shuffle=True, seed=len(told))
    again = caught_up(batch, known, again=pl.Series([True] * batch.height))
    assert arrivals(again, known, arrived_at=NOW, dated=False).rows.is_empty()
