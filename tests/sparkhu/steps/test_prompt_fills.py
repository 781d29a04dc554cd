"""Fills for forecasters: late ones give way to the straight line."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from sparkhu.frame import TIME
from sparkhu.steps.filling import fill_linear
from sparkhu.steps.prompt_fills import LATE, fill_promptly

START = datetime(2024, 1, 1, tzinfo=UTC)


def filled(*rows: tuple[float, float | None, float | None, str | None], name: str = "a") -> pl.DataFrame:
    """Rows of (hour, y, y_raw, fill_strategy); a filled value is known from hour 99 on."""
    hours = [row[0] for row in rows]
    known = [99.0 if row[3] else row[0] for row in rows]
    times = {
        column: pl.Series([START + timedelta(hours=hour) for hour in values], dtype=TIME)
        for column, values in (("ds", hours), ("available_at", known))
    }
    ids = pl.Series([name] * len(rows), dtype=pl.String)
    return pl.DataFrame({"unique_id": ids, **times}).with_columns(
        pl.Series("y", [row[1] for row in rows], dtype=pl.Float64),
        pl.Series("y_raw", [row[2] for row in rows], dtype=pl.Float64),
        pl.Series("fill_strategy", [row[3] for row in rows], dtype=pl.String),
    )


def known_hours(frame: pl.DataFrame) -> list[float]:
    return [(moment - START) / timedelta(hours=1) for moment in frame["available_at"]]


@pytest.mark.parametrize("strategy", LATE)
def test_a_late_fill_gives_way_to_the_line_between_its_neighbours(strategy: str) -> None:
    # From 2 at hour 0 to 6 at hour 4: 1 an hour, so 3 at hour 1; it is known when hour 4 is.
    frame = fill_promptly(filled((0, 2.0, 2.0, None), (1, 50.0, None, strategy), (4, 6.0, 6.0, None)))
    assert frame["y"].to_list() == [2.0, 3.0, 6.0]
    assert known_hours(frame) == [0.0, 4.0, 4.0]
    assert frame["fill_strategy"].to_list() == [None, "linear", None]
    assert frame["y_raw"].to_list() == [2.0, None, 6.0]


def test_a_replaced_outlier_is_on_the_line_too() -> None:
    # The outlier 90 was observed at hour 1 and replaced: halfway between 2 and 4 lies 3.
    frame = fill_promptly(filled((0, 2.0, 2.0, None), (1, 50.0, 90.0, "seasonal"), (2, 4.0, 4.0, None)))
    assert frame["y"].to_list() == [2.0, 3.0, 4.0]
    assert frame["y_raw"].to_list() == [2.0, 90.0, 4.0]


def test_a_fill_is_known_no_earlier_than_what_was_observed_in_its_place() -> None:
    late = pl.Series([START, START + timedelta(hours=7), START], dtype=TIME)
    frame = filled((0, 2.0, 2.0, None), (1, 50.0, 90.0, "seasonal"), (2, 4.0, 4.0, None))
    assert known_hours(fill_promptly(frame.with_columns(observed_available_at=late))) == [0.0, 7.0, 2.0]


def test_prompt_fills_and_dropped_points_stay_as_they_are() -> None:
    frame = filled((0, 2.0, 2.0, None), (1, 50.0, None, "last"), (2, None, 9.0, "drop"), (3, 6.0, 6.0, None))
    assert fill_promptly(frame).equals(frame)


def test_beyond_the_known_points_rows_stay_as_they_are() -> None:
    frame = filled((0, 50.0, None, "seasonal"), (1, 2.0, 2.0, None), (2, 60.0, None, "seasonal"))
    assert fill_promptly(frame).equals(frame)


def test_a_prompt_fill_is_no_known_point_to_draw_a_line_to() -> None:
    # The line runs from 2 at hour 0 to 8 at hour 3, past the mean that stands at hour 2: 4 at hour 1.
    rows = ((0, 2.0, 2.0, None), (1, 50.0, None, "seasonal"), (2, 70.0, None, "mean"), (3, 8.0, 8.0, None))
    frame = fill_promptly(filled(*rows))
    assert frame["y"].to_list() == [2.0, 4.0, 70.0, 8.0]
    assert known_hours(frame) == [0.0, 3.0, 99.0, 3.0]


def test_series_do_not_reach_into_each_other() -> None:
    one = filled((0, 2.0, 2.0, None), (1, 50.0, None, "seasonal"))
    two = filled((0, 4.0, 4.0, None), name="b")
    assert fill_promptly(pl.concat([one, two])).equals(pl.concat([one, two]))


def test_the_line_is_that_of_the_linear_fill() -> None:
    values = [1.0, None, None, 4.0, 8.0, None, 2.0]
    rows = [(float(hour), value, value, None) for hour, value in enumerate(values)]
    wanted = fill_linear(filled(*rows))
    late = [(hour, y, y, None) if y is not None else (hour, 77.0, None, "spline") for hour, y, _, _ in rows]
    frame = fill_promptly(filled(*late))
    assert frame["y"].to_list() == wanted["y"].to_list()
    assert frame["available_at"].to_list() == wanted["available_at"].to_list()


def test_an_empty_shard_stays_empty() -> None:
    assert fill_promptly(filled()).height == 0
