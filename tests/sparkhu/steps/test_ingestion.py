"""Shards hold whole series and their borders follow from counts alone."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.steps.ingestion import ROWS_PER_SHARD, raw_shards, shard_bounds


def test_a_shard_ends_before_the_series_that_would_overfill_it():
    # 3 + 3 fills a shard of 6 exactly; 5 would make 11, so it opens the next, which 1 fills to 6; 2 opens a third.
    assert shard_bounds([3, 3, 5, 1, 2], rows_per_shard=6) == [(0, 6), (6, 6), (12, 2)]


def test_a_series_longer_than_a_shard_is_a_shard_of_its_own():
    assert shard_bounds([2, 9, 2], rows_per_shard=4) == [(0, 2), (2, 9), (11, 2)]


def test_a_shard_holds_a_million_rows_by_default():
    assert ROWS_PER_SHARD == 1_000_000
    assert shard_bounds([600_000, 400_000, 1]) == [(0, 1_000_000), (1_000_000, 1)]


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
