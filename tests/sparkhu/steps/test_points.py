"""What filling sees of a shard: two series, `a` of six rows and `b` of two."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.steps.points import Points
from sparkhu.steps.segmented import NEVER, NOWHERE

START = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
# Of `a` rows 1 and 2 are null, row 3 is an outlier to be filled, row 4 was filled before. `b` has nothing known.
FRAME = pl.DataFrame(
    {
        "unique_id": [*"aaaaaa", *"bb"],
        "ds": [START + timedelta(seconds=second) for second in (0, 1, 2, 3, 4, 5, 0, 1)],
        "y": [3.0, None, None, 99.0, 2.0, 1.0, None, None],
        "available_at": [START + timedelta(seconds=second) for second in (9, 1, 2, 3, 4, 7, 0, 1)],
    },
    schema=SCHEMA,
).with_columns(
    needs_fill=pl.Series([None, False, False, True, False, False, False, False]),
    fill_strategy=pl.Series([None, None, None, None, "last", None, None, None]),
)


def test_a_point_is_known_or_missing_or_was_filled_before() -> None:
    points = Points.of(FRAME)
    assert points.known.tolist() == [True, False, False, False, False, True, False, False]
    assert points.missing.tolist() == [False, True, True, True, False, False, True, True]
    assert points.number.tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert points.ds.tolist() == [second * SECOND for second in (0, 1, 2, 3, 4, 5, 0, 1)]
    assert points.available_at.tolist() == [second * SECOND for second in (9, 1, 2, 3, 4, 7, 0, 1)]
    np.testing.assert_array_equal(points.y, [3.0, np.nan, np.nan, 99.0, 2.0, 1.0, np.nan, np.nan])


def test_without_flags_what_has_a_value_is_known() -> None:
    points = Points.of(FRAME.select(SCHEMA.keys()))
    assert points.known.tolist() == [True, False, False, True, True, True, False, False]
    assert points.missing.tolist() == [not known for known in points.known]


def test_a_value_filled_before_that_is_null_is_missing() -> None:
    frame = FRAME.with_columns(fill_strategy=pl.lit("last"))
    assert Points.of(frame).missing.tolist() == [False, True, True, False, False, False, True, True]
    assert not Points.of(frame).known.any()


def test_neighbours_are_the_nearest_known_rows_of_the_same_series() -> None:
    points = Points.of(FRAME)
    assert points.before.tolist() == [0, 0, 0, 0, 0, 5, NOWHERE, NOWHERE]
    assert points.after.tolist() == [0, 5, 5, 5, 5, 5, NOWHERE, NOWHERE]


def test_gaps_are_known_by_the_rows_around_them() -> None:
    points, rows = Points.of(FRAME), np.array([1, 4, 6, 7])
    assert points.before_gap(rows).tolist() == points.before[rows].tolist() == [0, 0, NOWHERE, NOWHERE]
    assert points.after_gap(rows).tolist() == points.after[rows].tolist() == [5, 5, NOWHERE, NOWHERE]
    assert points.gap_length(rows).tolist() == [4, 4, 2, 2]
    assert points.missing_rows.tolist() == np.flatnonzero(points.missing).tolist()
    assert points.missing_number.tolist() == points.number[points.missing].tolist()


def test_the_training_part_ends_before_its_border() -> None:
    third = START + timedelta(seconds=3)
    assert Points.of(FRAME, third).fit.tolist() == [True, True, True, False, False, False, True, True]
    each = pl.Series([third, START + timedelta(seconds=1)], dtype=TIME)
    assert Points.of(FRAME, each).fit.tolist() == [True, True, True, False, False, False, True, False]
    open_end = pl.Series([None, START], dtype=TIME)
    assert Points.of(FRAME, open_end).fit.tolist() == [True] * 6 + [False] * 2
    assert Points.of(FRAME).fit.all()


def test_the_sample_is_what_is_known_of_the_training_part() -> None:
    points = Points.of(FRAME)
    values, first, counts, rank = points.sample_order
    # Sorted: 1 of row 5, then 3 of row 0; `b` has no sample.
    assert values.tolist() == [1.0, 3.0]
    assert (first.tolist(), counts.tolist()) == ([0, 2], [2, 0])
    assert rank.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert rank.dtype == np.int64
    # Row 0 became known at second 9, later than row 5.
    assert points.sample_available_at.tolist() == [9 * SECOND, NEVER]
    assert Points.of(FRAME, START + timedelta(seconds=1)).sample_order[0].tolist() == [3.0]


def test_samples_of_several_series_stand_one_after_another() -> None:
    frame = FRAME.select(SCHEMA.keys()).with_columns(y=pl.Series([5.0, 4.0, None, 6.0, 3.0, 9.0, 2.0, 1.0]))
    values, first, counts, rank = Points.of(frame).sample_order
    assert values.tolist() == [3.0, 4.0, 5.0, 6.0, 9.0, 1.0, 2.0]
    assert (first.tolist(), counts.tolist()) == ([0, 5], [5, 2])
    assert rank.tolist() == [2, 1, 0, 3, 0, 4, 1, 0]


def test_a_shard_without_rows_has_no_points() -> None:
    points = Points.of(FRAME.clear(), pl.Series([], dtype=TIME))
    rows = (points.known, points.fit, points.before, points.missing_rows, points.missing_number, points.number)
    assert [len(array) for array in rows] == [0] * 6
    assert [len(array) for array in points.sample_order] == [0] * 4
    assert len(points.sample_available_at) == 0


@pytest.mark.parametrize("column", ["unique_id", "ds", "y", "available_at"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        Points.of(FRAME.drop(column))


def known_ones() -> Points:
    # Two series; known are rows 1, 2, 4 of the first and 6, 8 of the second.
    values = [None, 1.0, 2.0, None, 4.0, None, 6.0, None, 8.0]
    names = ["a"] * 5 + ["b"] * 4
    ds = [START + timedelta(hours=1) * (i if i < 5 else i - 5) for i in range(9)]
    frame = pl.DataFrame({"unique_id": names, "ds": ds, "y": values, "available_at": ds}, schema=SCHEMA)
    return Points.of(frame)


def test_known_rows_are_found_backward_and_forward_within_the_series() -> None:
    points = known_ones()
    assert points.known_back(np.array([4, 1, 8]), 2).tolist() == [[4, 2], [1, -1], [8, 6]]
    assert points.known_back(np.array([8]), 3).tolist() == [[8, 6, -1]]
    assert points.known_on(np.array([1, 4, 6]), 3).tolist() == [[1, 2, 4], [4, -1, -1], [6, 8, -1]]


def test_rows_between_known_ones_and_the_ends_of_what_is_known() -> None:
    points = known_ones()
    assert points.between.tolist() == [3, 7]
    assert points.first_known.tolist() == [1, 6]
    assert points.last_known.tolist() == [4, 8]


def test_the_training_view_knows_nothing_behind_the_training_part() -> None:
    frame = pl.DataFrame(
        {"unique_id": ["a"] * 4, "ds": [START + timedelta(hours=1) * i for i in range(4)], "y": [1.0, None, 3.0, 4.0]},
        schema_overrides={"ds": TIME},
    ).with_columns(available_at="ds")
    cut = Points.of(frame, START + timedelta(hours=1) * 3)
    assert cut.training.known.tolist() == [True, False, True, False]
    assert cut.known.tolist() == [True, False, True, True]
    whole = Points.of(frame)
    assert whole.training is whole


def test_the_season_is_one_for_all_or_one_a_series_and_unknown_unless_given() -> None:
    columns = {"unique_id": ["a", "b"], "ds": [START] * 2, "y": [1.0] * 2, "available_at": [START] * 2}
    frame = pl.DataFrame(columns, schema=SCHEMA)
    assert Points.of(frame).season_length.tolist() == [0, 0]
    assert Points.of(frame, season_length=7).season_length.tolist() == [7, 7]
    assert Points.of(frame, season_length=np.array([7, 0])).season_length.tolist() == [7, 0]
