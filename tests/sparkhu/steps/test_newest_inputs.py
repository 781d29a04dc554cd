from datetime import UTC, datetime

import polars as pl
import pytest

from sparkhu.frame import TIME
from sparkhu.steps.newest_inputs import newest_inputs
from tests.sparkhu.steps.made_windows import START, at, plan, sequence


def test_the_newest_input_ends_at_the_last_known_point() -> None:
    # Row 5 is the last known; rows 3..5 follow each other, row 2 is null.
    frame = sequence([0, 1, None, 3, 4, 5, None], known={4: 30, 1: 99})
    found = newest_inputs(frame, plan("a", size=3))
    assert found.rows(named=True) == [
        {
            "unique_id": "a",
            "cutoff": at(5)[0],
            "end": 5,
            "points": 3,
            "valid": True,
            "reason": None,
            "inputs_available_at": at(30)[0],
        }
    ]


@pytest.mark.parametrize("fills", [{}, {4: "mean", 5: "mean"}, {4: "last", 5: "last"}])
@pytest.mark.parametrize("with_raw", [True, False])
def test_filled_rows_behind_the_last_observed_one_are_no_news(fills: dict[int, str], with_raw: bool) -> None:
    # Row 2 was filled between observed rows, rows 4 and 5 behind the last one, row 3.
    frame = sequence([0, 1, 1, 3, *([9.0, 9.0] if fills else [None, None])], fills={2: "last", **fills}, gaps=(2, 4, 5))
    if with_raw:
        frame = frame.with_columns(y_raw=pl.when(pl.col("fill_strategy").is_null()).then("y"))
    found = newest_inputs(frame, plan("a", size=3))
    assert found.select("cutoff", "end", "points", "valid").rows() == [(at(3)[0], 3, 4, True)]


def test_an_outlier_that_was_filled_was_observed_all_the_same() -> None:
    frame = sequence([0, 1, 1], fills={2: "last"}).with_columns(y_raw=pl.Series([0.0, 1.0, 99.0]))
    assert newest_inputs(frame, plan("a"))["cutoff"].to_list() == at(2)
    without = frame.with_columns(y=pl.Series([0.0, 1.0, None]))
    assert newest_inputs(without, plan("a"))["cutoff"].to_list() == at(1)


def test_a_series_of_filled_rows_alone_has_no_newest_input() -> None:
    assert newest_inputs(sequence([1, 1, 1], fills=dict.fromkeys(range(3), "mean")), plan("a")).is_empty()


def test_a_newest_input_that_is_short_or_has_a_hole_says_so() -> None:
    frame = pl.concat(
        [
            sequence([0, 1, None, 3, 4], name="a"),
            sequence([0, 1], name="b", known={0: 40}),
            sequence([0, 1, 2, 3, 4], name="c", hours=[0, 1, 2, 3, 6]),
            sequence([0, 1, 2], name="d"),
            sequence([None, None], name="e"),
        ]
    )
    profile = pl.concat([plan("a", "b", "c", "e", size=3), plan("d", size=None, horizon=None, label=None)])
    found = newest_inputs(frame, profile)
    assert found.select("unique_id", "end", "points", "valid", "reason").rows() == [
        ("a", 4, 2, False, "2 points since the last hole, the input needs 3"),
        ("b", 6, 2, False, "2 points, the input needs 3"),
        ("c", 11, 1, False, "1 points since the last hole, the input needs 3"),
        ("d", 14, 3, False, "no period was found"),
    ]
    assert found["inputs_available_at"].to_list() == at(4, 40, 6, 2)


def test_a_day_of_25_hours_is_one_day() -> None:
    # Berlin midnights around the end of summer time, 27 October 2024.
    days = [datetime(2024, 10, d, h, tzinfo=UTC) for d, h in ((25, 22), (26, 22), (27, 23))]
    frame = sequence([0, 1, 2]).with_columns(ds=pl.Series(days, dtype=TIME), available_at=pl.lit(START))
    assert newest_inputs(frame, plan("a", size=3, label="1d"), zone="Europe/Berlin")["valid"].to_list() == [True]


def test_business_days_are_those_of_the_zone() -> None:
    # Evenings in Los Angeles of Thursday, Friday, Monday and Tuesday, 4 to 9 January 2024; in UTC each is a day later.
    days = [datetime(2024, 1, d, 4, tzinfo=UTC) for d in (5, 6, 9, 10)]
    frame = sequence([0, 1, 2, 3]).with_columns(ds=pl.Series(days, dtype=TIME), available_at=pl.lit(START))
    for zone, valid in (("America/Los_Angeles", True), ("UTC", False)):
        assert newest_inputs(frame, plan("a", size=4, label="1bd"), zone=zone)["valid"].to_list() == [valid]


def test_an_empty_shard_has_no_newest_input() -> None:
    assert newest_inputs(sequence([]), plan()).is_empty()
