"""Filling with one fitted value a series. Mean and median: see the tests of `filling` and `masks`."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.frame import SCHEMA
from sparkhu.steps.filling import fill_mean, fill_median, fill_mode
from sparkhu.steps.masks import draw_masks
from sparkhu.steps.points import Points
from sparkhu.steps.strategies import STRATEGIES

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def series(values: list[float | None], name: str = "a") -> pl.DataFrame:
    ds = [START + h * HOUR for h in range(len(values))]
    return pl.DataFrame({"unique_id": [name] * len(values), "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)


def test_hand_worked_most_frequent_value() -> None:
    # Of the seven known values 7 stands 3 times (hours 0, 3, 7), 1 twice (1, 5) and 9 twice (4, 6): 3 > 2, so 7. It is
    # known with the last of the sample, at hour 7; the gap at hour 8 with its own row.
    filled = fill_mode(series([7.0, 1.0, None, 7.0, 9.0, 1.0, 9.0, 7.0, None]))
    assert filled["y"].to_list() == [7.0, 1.0, 7.0, 7.0, 9.0, 1.0, 9.0, 7.0, 7.0]
    assert [(moment - START) / HOUR for moment in filled["available_at"]][2] == 7


def test_hand_worked_smallest_of_the_most_frequent_before_the_end_of_training() -> None:
    # Before hour 6 stand 5 3 4 5 3: 5 twice, 3 twice, 4 once, and of 3 and 5 the smaller is 3. Behind it 4 stands three
    # times more, 1 + 3 = 4 > 2: over the whole series 4 wins.
    frame = series([5.0, 3.0, 4.0, 5.0, 3.0, None, 4.0, 4.0, 4.0])
    assert fill_mode(frame, train_end=START + 6 * HOUR)["y"][5] == 3.0
    assert fill_mode(frame)["y"][5] == 4.0


def test_hand_worked_mean_and_median() -> None:
    # Known 7, 1, 2, 2: mean 12/4 = 3, median (2 + 2)/2 = 2. Before hour 3 stand 7, 1, 2: mean 10/3, median 2.
    frame = series([7.0, 1.0, 2.0, None, 2.0])
    assert fill_mean(frame)["y"][3] == 3.0
    assert fill_median(frame)["y"][3] == 2.0
    assert fill_mean(frame, train_end=START + 3 * HOUR)["y"][3] == pytest.approx(10 / 3, rel=1e-15)
    assert fill_median(frame, train_end=START + 3 * HOUR)["y"][3] == 2.0
    # Known 9, −4, 0, 1: mean 6/4 = 1.5; in order −4, 0, 1, 9: median (0 + 1)/2 = 0.5.
    frame = series([9.0, -4.0, None, 0.0, 1.0])
    assert fill_mean(frame)["y"][2] == 1.5
    assert fill_median(frame)["y"][2] == 0.5


def test_negative_values_and_a_series_of_different_values_take_the_smallest() -> None:
    assert fill_mode(series([2.0, -5.0, None, 0.0]))["y"][2] == -5.0


def test_series_count_apart() -> None:
    frame = pl.concat([series([1.0, 1.0, 2.0, None]), series([2.0, 2.0, 1.0, None], "b"), series([None], "c")])
    assert fill_mode(frame)["y"].to_list() == [1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 2.0, None]


@given(st.lists(st.integers(0, 4), min_size=12, max_size=40), st.integers(0, 12))
def test_the_mode_without_hidden_points_is_that_of_the_others(values: list[int], behind: int) -> None:
    frame = pl.concat([series([9.0] * 30), series([float(v) for v in values], "b")])
    points = replace(Points.of(frame), season_length=np.array([0, 3]))
    masks = draw_masks(points)
    for mask, refilled in zip(masks, STRATEGIES["mode"].refill(points, masks), strict=True):
        for rows, got in zip(mask.rows, refilled, strict=True):
            if rows[0] >= 30:
                found, counts = np.unique(np.delete(values, rows - 30), return_counts=True)
                assert (got == found[counts == counts.max()].min()).all()
            else:
                assert (got == 9.0).all()
