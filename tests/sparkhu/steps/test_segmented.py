"""Per-series reductions and look-ups over a sorted shard."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.steps.segmented import (
    NEVER,
    NOWHERE,
    Segments,
    check_table,
    flag,
    floats,
    instants,
    next_true,
    previous_true,
    stretches_of,
    times,
)

START = datetime(1970, 1, 1, tzinfo=UTC)
LENGTHS = st.lists(st.integers(1, 6), max_size=5)


def owner_of(lengths: list[int]) -> Segments:
    counts = np.array(lengths, np.int64)
    return Segments(
        pl.Series([f"s{i}" for i in range(len(lengths))], dtype=pl.String), np.cumsum(counts) - counts, counts
    )


def frame(ids: str, ds: list[int]) -> pl.DataFrame:
    stamps = [START + timedelta(microseconds=d) for d in ds]
    return pl.DataFrame(
        {"unique_id": list(ids), "ds": stamps}, schema={"unique_id": pl.String, "ds": pl.Datetime("us", "UTC")}
    )


def test_series_are_found_with_their_rows() -> None:
    owner = Segments.of(frame("aaabcc", [1, 2, 3, 1, 1, 2]))
    assert owner.ids.to_list() == ["a", "b", "c"]
    assert owner.starts.tolist() == [0, 3, 4]
    assert owner.lengths.tolist() == [3, 1, 2]
    assert owner.ends.tolist() == [3, 4, 6]
    assert owner.number().tolist() == [0, 0, 0, 1, 2, 2]


def test_an_empty_shard_has_no_series() -> None:
    owner = Segments.of(frame("", []))
    assert (len(owner.ids), len(owner.starts), len(owner.number())) == (0, 0, 0)
    assert owner.sum_ints(np.zeros(0, np.bool_)).tolist() == []
    assert owner.sum_floats(np.zeros(0)).tolist() == []
    assert owner.latest(np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("ids", "ds", "where"),
    [
        ("aab", [1, 1, 5], "row 1"),
        ("abb", [9, 5, 4], "row 2"),
        ("aba", [1, 2, 3], "a series that stands in two places"),
    ],
)
def test_rows_out_of_order_are_refused(ids: str, ds: list[int], where: str) -> None:
    with pytest.raises(InputError) as caught:
        Segments.of(frame(ids, ds))
    assert str(caught.value) == (
        f"rows must be sorted by unique_id and ds, each instant once; broken at {where}. "
        'Drop duplicates and call frame.sort("unique_id", "ds") first.'
    )


def test_reductions_stay_within_a_series() -> None:
    owner = owner_of([2, 1, 3])
    assert owner.sum_ints(np.array([True, True, False, True, False, True])).tolist() == [2, 0, 2]
    assert owner.sum_floats(np.array([1.5, 2.0, 3.0, -1.0, 0.25, 0.25])).tolist() == [3.5, 3.0, -0.5]
    assert owner.latest(np.array([5, 9, 1, 2, 7, 3])).tolist() == [9, 1, 7]


def test_a_table_is_aligned_with_the_series_in_their_order() -> None:
    table = pl.DataFrame({"unique_id": ["s2", "s0"], "n": [7, 5], "other": [0, 0]})
    assert owner_of([1, 1, 1]).align(table, "n").rows() == [("s0", 5), ("s1", None), ("s2", 7)]


def test_a_table_that_lacks_a_column_or_doubles_a_series_is_refused() -> None:
    table = pl.DataFrame({"unique_id": ["a", "b", "b"], "n": [7, 5, 6]})
    with pytest.raises(
        InputError, match=r"^the table of series holds unique_id 'b' more than once; keep one row a series"
    ):
        check_table(table, "n")
    with pytest.raises(InputError, match="column 'm' is missing"):
        owner_of([1]).align(table, "m")
    with pytest.raises(InputError, match="column 'unique_id' is missing"):
        check_table(table.drop("unique_id"), "n")


def test_times_and_numbers_go_both_ways() -> None:
    stamps = pl.Series([START + timedelta(microseconds=5), None])
    assert instants(stamps).tolist() == [5, NEVER]
    assert times(instants(stamps), "ds").to_list() == stamps.to_list()
    assert times(instants(stamps), "ds").name == "ds"
    assert times(np.array([1], np.int64)).name == ""
    assert floats(pl.Series([1, None])).tolist()[0] == 1.0
    assert np.isnan(floats(pl.Series([1, None]))[1])


def test_an_absent_or_null_flag_is_false() -> None:
    table = pl.DataFrame({"is_gap": [True, None, False]})
    assert flag(table, "is_gap").tolist() == [True, False, False]
    assert flag(table, "is_outlier").tolist() == [False, False, False]


@given(LENGTHS, st.randoms(use_true_random=False))
def test_neighbours_and_runs_agree_with_a_walk_over_each_series(lengths: list[int], random: st.DrawFn) -> None:
    owner = owner_of(lengths)
    mask = np.array([random.random() < 0.5 for _ in range(sum(lengths))], np.bool_)  # type: ignore[attr-defined]
    before, after, stretches = previous_true(mask, owner), next_true(mask, owner), stretches_of(mask, owner)
    rows = [row for first, last in zip(stretches.first, stretches.after, strict=True) for row in range(first, last)]
    assert rows == np.flatnonzero(mask).tolist()
    runs = dict(zip(rows, np.repeat(stretches.lengths, stretches.lengths).tolist(), strict=True))
    owners = np.repeat(stretches.number, stretches.lengths)
    assert owners.tolist() == owner.number()[mask].tolist()
    for start, end in zip(owner.starts, owner.ends, strict=True):
        for row in range(start, end):
            assert before[row] == max((r for r in range(start, row + 1) if mask[r]), default=NOWHERE)
            assert after[row] == min((r for r in range(row, end) if mask[r]), default=NOWHERE)
            low = high = row
            while mask[row] and low - 1 >= start and mask[low - 1]:
                low -= 1
            while mask[row] and high + 1 < end and mask[high + 1]:
                high += 1
            assert runs.get(row, 0) == (high - low + 1 if mask[row] else 0)
