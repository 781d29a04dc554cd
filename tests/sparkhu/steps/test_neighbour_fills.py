"""Filling from the known points next to a gap. Linear: see the tests of `filling`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.filling import fill_last, fill_moving_average, fill_next

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def series(values: list[float | None], name: str = "a") -> pl.DataFrame:
    ds = [START + h * HOUR for h in range(len(values))]
    return pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def available(frame: pl.DataFrame) -> list[float]:
    return [(moment - START) / HOUR for moment in frame["available_at"]]


def test_hand_worked_last_and_next_within_gaps() -> None:
    # Hours 1 and 2 are missing between 5 at hour 0 and −2 at hour 3: last carries 5 on by 1 and 2 hours, known with
    # each row (max(0, 1) = 1, max(0, 2) = 2); next brings −2 back by 2 and 1 hours, known from hour 3.
    # Hour 4 is missing between −2 and 7: last −2, known at max(3, 4) = 4; next 7, known at hour 5.
    frame = series([5.0, None, None, -2.0, None, 7.0])
    last, next_ = fill_last(frame), fill_next(frame)
    assert last["y"].to_list() == [5.0, 5.0, 5.0, -2.0, -2.0, 7.0]
    assert available(last) == [0, 1, 2, 3, 4, 5]
    assert next_["y"].to_list() == [5.0, -2.0, -2.0, -2.0, 7.0, 7.0]
    assert available(next_) == [0, 3, 3, 3, 5, 5]


def test_hand_worked_last_and_next_at_the_edges_and_with_a_late_point() -> None:
    # Before the first known point (4 at hour 1) there is no last one; behind the last (6 at hour 3) there is no next.
    # The 4 came at hour 9 only: carried to hour 2 it is known at max(9, 2) = 9. The 6 came at hour 3: brought back to
    # hour 2 it is known at max(3, 2) = 3, carried on to hour 4 at max(3, 4) = 4, and the 4 brought back to hour 0 at 9.
    frame = series([None, 4.0, None, 6.0, None])
    frame = frame.with_columns(available_at=pl.Series([START + h * HOUR for h in (0.0, 9.0, 2.0, 3.0, 4.0)]).cast(TIME))
    last, next_ = fill_last(frame), fill_next(frame)
    assert last["y"].to_list() == [None, 4.0, 4.0, 6.0, 6.0]
    assert available(last) == [0, 9, 9, 3, 4]
    assert next_["y"].to_list() == [4.0, 4.0, 6.0, 6.0, None]
    assert available(next_) == [9, 9, 3, 3, 4]


def test_hand_worked_mean_of_the_two_points_on_each_side() -> None:
    # Around the gap stand 1, 2 and 6, 9: (1 + 2 + 6 + 9)/4 = 4.5, known with the 9 at hour 5.
    filled = fill_moving_average(series([100.0, 1.0, 2.0, None, 6.0, 9.0, 100.0]), window=2)
    assert filled["y"].to_list() == [100.0, 1.0, 2.0, 4.5, 6.0, 9.0, 100.0]
    assert available(filled) == [0, 1, 2, 5, 4, 5, 6]


def test_hand_worked_mean_across_other_gaps_and_near_the_ends() -> None:
    # Hour 1: 1 before, 3 and 8 behind: (1 + 3 + 8)/3 = 4. Hours 3, 4: 3 and 1 before, 8 behind: the same three.
    filled = fill_moving_average(series([1.0, None, 3.0, None, None, 8.0]), window=2)
    assert filled["y"].to_list() == [1.0, 4.0, 3.0, 4.0, 4.0, 8.0]
    assert available(filled) == [0, 5, 2, 5, 5, 5]


def test_five_points_on_each_side_are_averaged_unless_told() -> None:
    filled = fill_moving_average(series([50.0, *[1.0] * 5, None, *[2.0] * 5, 70.0]))
    assert filled["y"][6] == 1.5


def test_a_late_point_within_the_window_makes_the_mean_late() -> None:
    frame = series([1.0, 2.0, None, 3.0]).with_columns(
        available_at=pl.Series([START + h * HOUR for h in (40.0, 30.0, 2.0, 3.0)]).cast(TIME)
    )
    assert [available(fill_moving_average(frame, window=n))[2] for n in (1, 2)] == [30, 40]


def test_series_do_not_lend_each_other_points() -> None:
    frame = pl.concat([series([1.0, None, 3.0]), series([100.0, None, 300.0], "b")])
    assert fill_moving_average(frame)["y"].to_list() == [1.0, 2.0, 3.0, 100.0, 200.0, 300.0]


@given(st.lists(st.floats(-1e3, 1e3) | st.none(), min_size=1, max_size=40), st.integers(1, 7))
def test_means_agree_with_those_of_the_known_points_around(values: list[float | None], window: int) -> None:
    filled = fill_moving_average(series(values), window=window)
    known = np.array([i for i, value in enumerate(values) if value is not None])
    for row, value in enumerate(values):
        left, right = known[known < row][-window:], known[known > row][:window]
        if value is None and len(left) and len(right):
            wanted: Any = np.mean([values[i] for i in (*left, *right)])
            assert filled["y"][row] == pytest.approx(wanted, abs=1e-9)
            assert available(filled)[row] == right[-1]
        else:
            assert filled["y"][row] == value
