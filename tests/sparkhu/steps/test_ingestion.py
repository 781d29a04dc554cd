"""Shards hold whole series and their borders follow from counts alone."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.frame import segments
from sparkhu.steps.ingestion import ROWS_PER_SHARD, by_shard, shard_borders, shard_bounds


def test_a_shard_ends_before_the_series_that_would_overfill_it():
    # 3 + 3 fills a shard of 6 exactly; 5 would make 11, so it opens the next, which 1 fills to 6; 2 opens a third.
    assert shard_bounds([3, 3, 5, 1, 2], rows_per_shard=6) == [(0, 6), (6, 6), (12, 2)]


def test_a_series_longer_than_a_shard_is_a_shard_of_its_own():
    assert shard_bounds([2, 9, 2], rows_per_shard=4) == [(0, 2), (2, 9), (11, 2)]


def test_a_shard_holds_a_million_rows_by_default():
    assert ROWS_PER_SHARD == 1_000_000
    assert shard_bounds([600_000, 400_000, 1]) == [(0, 1_000_000), (1_000_000, 1)]


def raw_shards(frame, rows_per_shard=ROWS_PER_SHARD):
    """Cut sorted rows at the bounds of shards."""
    _, lengths = segments(frame)
    return [frame.slice(offset, rows) for offset, rows in shard_bounds(lengths.tolist(), rows_per_shard)]


def test_shards_of_a_row_are_allowed_and_none_of_no_row():
    assert shard_bounds([1, 1], rows_per_shard=1) == [(0, 1), (1, 1)]
    with pytest.raises(InputError, match=r"^rows_per_shard must be positive, got 0$"):
        shard_bounds([1], rows_per_shard=0)


def test_an_empty_frame_gives_one_empty_shard():
    assert shard_bounds([]) == [(0, 0)]
    frame = pl.DataFrame(schema={"unique_id": pl.String, "y": pl.Float64})
    (shard,) = raw_shards(frame)
    assert shard.equals(frame)
    assert shard.schema == frame.schema


def test_rows_without_a_series_stand_in_the_first_shard():
    frame = pl.DataFrame({"unique_id": [None, None, "a", "b"]})
    assert [shard["unique_id"].to_list() for shard in raw_shards(frame, 3)] == [[None, None, "a"], ["b"]]


@given(st.lists(st.integers(1, 8), max_size=20), st.integers(1, 10))
def test_shards_set_together_are_the_frame_and_split_no_series(lengths, rows_per_shard):
    ids = [f"{number:03d}" for number, length in enumerate(lengths) for _ in range(length)]
    frame = pl.DataFrame({"unique_id": ids}, schema={"unique_id": pl.String})
    shards = list(raw_shards(frame, rows_per_shard))
    assert pl.concat(shards).equals(frame)
    assert sum(shard["unique_id"].n_unique() for shard in shards) == len(lengths)
    assert all(shard.height <= rows_per_shard or shard["unique_id"].n_unique() == 1 for shard in shards)


def test_a_border_is_the_first_series_of_each_shard_but_the_first():
    # 3 + 3 fills a shard of 6; c with 5 opens the next, which d fills to 6; e opens the third.
    series = pl.DataFrame({"unique_id": ["a", "b", "c", "d", "e"], "rows": [3, 3, 5, 1, 2]})
    assert shard_borders(series, 6).to_list() == ["c", "e"]


def test_without_a_border_everything_is_one_shard():
    series = pl.DataFrame({"unique_id": ["a", "b"], "rows": [600_000, 400_000]})
    borders = shard_borders(series)
    assert borders.to_list() == []
    frame = pl.DataFrame({"unique_id": ["b", None, "a"]})
    (whole,) = by_shard(frame, borders)
    assert whole.equals(frame)


def test_no_series_at_all_have_no_border():
    empty = pl.DataFrame(schema={"unique_id": pl.String, "rows": pl.Int64})
    assert shard_borders(empty).to_list() == []
    assert [part.height for part in by_shard(empty, shard_borders(empty))] == [0]


def test_rows_go_to_the_shard_of_their_series_in_the_order_that_they_had():
    # Shards hold (null, a), (b, c) and (d): a row of a border goes to the shard that begins there.
    frame = pl.DataFrame({"unique_id": ["d", "b", None, "c", "a", "b", "b"], "n": range(7)})
    parts = by_shard(frame, pl.Series("unique_id", ["b", "d"]))
    assert [part["n"].to_list() for part in parts] == [[2, 4], [1, 3, 5, 6], [0]]
    assert [part.columns for part in parts] == [["unique_id", "n"]] * 3


def test_a_shard_without_rows_in_a_part_is_an_empty_frame():
    parts = by_shard(pl.DataFrame({"unique_id": ["c"], "n": [1]}), pl.Series("unique_id", ["b", "d"]))
    assert [part.height for part in parts] == [0, 1, 0]


@given(st.lists(st.sampled_from(["a", "b", "bb", "c", "é", "", None]), max_size=40), st.integers(1, 12))
def test_rows_in_any_order_come_to_the_shards_that_sorted_rows_are_cut_into(ids, size):
    frame = pl.DataFrame({"unique_id": ids, "n": range(len(ids))}, schema={"unique_id": pl.String, "n": pl.Int64})
    series = frame.group_by("unique_id").agg(rows=pl.len().cast(pl.Int64)).sort("unique_id")
    parts = by_shard(frame, shard_borders(series, size))
    whole = list(raw_shards(frame.sort("unique_id", "n"), size))
    assert [part.sort("unique_id", "n").rows() for part in parts] == [shard.rows() for shard in whole]
