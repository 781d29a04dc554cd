import tracemalloc

import numpy as np
import polars as pl
import pytest

from sparkhu.training import windows as training_windows
from sparkhu.training.windows import assemble, chunks, expand
from tests.sparkhu.made_shard import hours, laid_out, made_shard, profile_of, sequences_of, shard_of
from tests.sparkhu.window_inputs import inputs


def test_inputs_are_scaled_and_truth_is_what_was_observed() -> None:
    # Training values 2 and 6: mean 4, deviation 2. Row 2 was filled with 8: an input, no truth. Row 3 was cut to 6.
    rows = sequences_of({"a": np.array([2.0, 6, 8, 6])}, {"a": np.array([2.0, 6, np.nan, 10])})
    made = shard_of(rows, profile_of(["a"], borders=(2, 3, 4), sizes=(1, 1)))
    shard = laid_out(*made)
    assert shard.inputs.tolist() == [-1, 1, 2, 1]
    np.testing.assert_array_equal(shard.truth, [-1, 1, np.nan, 3])
    np.testing.assert_array_equal(shard.observed, [2, 6, np.nan, 10])
    assert assemble(*made).unscaled(np.array([[0.5]]), np.array([0])).tolist() == [[5.0]]


def test_refused_windows_and_series_without_scaler_or_group_are_left_out() -> None:
    made = made_shard("a", "b", "c", n=12, borders=(6, 9, 12))
    profile = made.profile.with_columns(group=pl.when(pl.col("unique_id") != "b").then("group"))
    windows = made.windows.with_columns(valid=pl.col("offset") != 1)
    shard = laid_out(made.sequences, windows, made.scalers.filter(pl.col("unique_id") != "a"), profile)
    assert shard.series["unique_id"].to_list() == ["c"]
    assert shard.table["start"].to_list() == [24, 26, 27, 28, 29, 30]
    assert np.isnan(shard.inputs[:24]).all()


def test_without_y_raw_the_values_are_the_truth() -> None:
    made = made_shard("a", n=20)
    shard = laid_out(made.sequences.drop("y_raw"), *made[1:])
    np.testing.assert_array_equal(shard.truth, shard.inputs)


def test_windows_are_expanded_where_they_begin() -> None:
    assert expand(np.arange(6.0), np.array([3, 0]), 2).tolist() == [[3, 4], [0, 1]]


@pytest.mark.parametrize("size", [6, 10**9])
def test_chunks_cover_all_windows_in_order(size: int) -> None:
    shard = assemble(*made_shard("a", "b", n=30))
    assert pl.concat(chunks(shard.table, size)).equals(shard.table)


def test_an_empty_shard_has_no_windows() -> None:
    made = made_shard("a", n=20)
    empty = assemble(*(frame.clear() for frame in made))
    assert empty.groups() == []
    assert hours(0) == made.sequences["ds"][0]


@pytest.mark.parametrize("points", [1, 3, 4, 9])
def test_a_windows_history_ends_with_its_newest_point_and_begins_with_its_series(points: int) -> None:
    made = made_shard("a", "b", n=12, borders=(6, 9, 12))
    shard = assemble(*made)
    ((_, L, _, windows),) = shard.groups()
    values = laid_out(*made).inputs.reshape(2, 12)
    found = shard.inputs(windows, L).history(points)
    for row, code, offset in zip(found, windows["code"], windows["offset"], strict=True):
        known = values[code][: offset + L][-points:]
        np.testing.assert_array_equal(row, np.concatenate([np.full(points - len(known), np.nan), known]))


def test_inputs_that_know_no_more_than_their_window_have_it_as_their_history() -> None:
    bare = inputs(np.array([[1.0, 2, 3]]))
    np.testing.assert_array_equal(bare.history(5), [[np.nan, np.nan, 1, 2, 3]])
    assert bare.history(2).tolist() == [[2, 3]]


def test_histories_take_the_room_of_themselves_and_little_more(monkeypatch: pytest.MonkeyPatch) -> None:
    shard = assemble(*made_shard("a", "b"))
    wanted = shard.source.histories(shard.table, 500)
    monkeypatch.setattr(training_windows, "CHUNK_BYTES", 8 * 500 * 7)
    tracemalloc.start()
    try:
        found = shard.source.histories(shard.table, 500)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found, wanted)
    assert peak < 1.5 * found.nbytes
