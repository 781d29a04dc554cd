from functools import partial

import numpy as np
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.training.parts import CHOOSE, PARTS, TRAIN
from sparkhu.training.recipes import TrainingData
from sparkhu.training.window_sets import GroupWindows, Runs, WindowSet, rank_sets, shard_sets
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import made_shard, polluted, profile_of, shard_of

SHARDS = [made_shard("a", "b"), shard_of(polluted("cd", 5), profile_of(["c", "d"])), made_shard("e", seed=2)]
DATA = TrainingData([partial(assemble, *shard) for shard in SHARDS], {"1h/3": 3})
EVERY = slice(None)
REST = tuple(part for part in PARTS if part != TRAIN)


class Rank:
    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size


def rows_of(windows: WindowSet) -> np.ndarray:
    return np.hstack([windows.x.rows(EVERY), windows.y.rows(EVERY)])


def read(parts: tuple[str, ...], target: str, shards: list[int]) -> np.ndarray:
    some = TrainingData([DATA.shards[at] for at in shards], DATA.seasons)
    return np.vstack([np.hstack([given.values, y]) for given, y in some.windows("1h/3", parts, target)])


def test_runs_share_their_values_and_give_every_row_back_to_the_bit() -> None:
    series = np.random.default_rng(0).normal(size=50)
    series[[7, 20]] = np.nan
    first, second = (np.lib.stride_tricks.sliding_window_view(part, 6) for part in (series[:30], series[30:]))
    rows = np.vstack([first, second])
    runs = Runs.of(rows)
    np.testing.assert_array_equal(runs.rows(EVERY), rows)
    assert len(runs.values) == 50
    np.testing.assert_array_equal(runs.rows(np.array([34, 3, 3])), rows[[34, 3, 3]])
    # A value that was revised between two windows ends a run.
    revised = rows.copy()
    revised[10:, :] += np.where(np.arange(6) == 2, 1e-9, 0)
    np.testing.assert_array_equal(Runs.of(revised).rows(EVERY), revised)
    assert Runs.of(np.empty((0, 6))).rows(EVERY).shape == (0, 6)


def test_known_values_are_counted_in_every_row_that_holds_them() -> None:
    series = np.random.default_rng(0).normal(size=50)
    series[[7, 20]] = np.nan
    rows = np.lib.stride_tricks.sliding_window_view(series, 6)
    assert Runs.of(rows).known() == np.isfinite(rows).sum() == 45 * 6 - 12
    some = WindowSet(Runs.of(rows), Runs.of(rows)).strided(1, 3)
    assert some.x.known() == np.isfinite(rows[1::3]).sum()
    assert Runs.of(np.empty((0, 6))).known() == 0
    assert Runs.of(np.full((3, 6), np.nan)).known() == 0


def test_a_digest_is_that_of_the_values_and_of_which_rows_there_are() -> None:
    rows = np.lib.stride_tricks.sliding_window_view(np.random.default_rng(0).normal(size=50), 6)
    digest = Runs.of(rows).digest()
    assert Runs.of(rows.copy()).digest() == digest
    other = rows.copy()
    other[44, 5] = np.nextafter(other[44, 5], 9)
    assert len({digest, Runs.of(other).digest(), Runs.of(rows[:-1]).digest(), Runs.of(rows[:0]).digest()}) == 4
    assert WindowSet(Runs.of(rows), Runs.of(rows)).strided(0, 2).x.digest() != digest


def test_the_windows_of_shards_are_those_of_the_data() -> None:
    found = rank_sets([partial(shard_sets, DATA, each) for each in DATA.shards], Rank(0, 1))["1h/3"]
    every = [0, 1, 2]
    np.testing.assert_array_equal(rows_of(found.train), read((TRAIN,), "given", every))
    np.testing.assert_array_equal(rows_of(found.rest), read(REST, "given", every))
    chosen = read((CHOOSE,), "truth", every)
    np.testing.assert_array_equal(rows_of(found.choose), chosen)
    # A Y may lack values, an X has them all.
    assert np.isnan(chosen).any()
    for each in (found.train, found.choose, found.rest):
        assert each.x.known() == len(each) * 4
    assert found.sizes == (4, 2)


def test_each_rank_reads_its_own_shards_and_all_ranks_read_every_window_once() -> None:
    shards = [partial(shard_sets, DATA, each) for each in DATA.shards]
    ranks = [rank_sets(shards, Rank(rank, 2))["1h/3"] for rank in range(2)]
    np.testing.assert_array_equal(rows_of(ranks[0].train), read((TRAIN,), "given", [0, 2]))
    np.testing.assert_array_equal(rows_of(ranks[1].train), read((TRAIN,), "given", [1]))


def test_where_there_are_fewer_shards_than_ranks_windows_are_strided() -> None:
    shards = [partial(shard_sets, DATA, each) for each in DATA.shards]
    whole = rows_of(rank_sets(shards, Rank(0, 1))["1h/3"].train)
    for rank in range(4):
        np.testing.assert_array_equal(rows_of(rank_sets(shards, Rank(rank, 4))["1h/3"].train), whole[rank::4])


def test_windows_are_read_from_their_arrays_and_incomplete_ones_refused() -> None:
    windows = shard_sets(DATA, DATA.shards[1])["1h/3"]
    arrays = windows.arrays()
    back = GroupWindows.of_arrays(arrays)
    for name in ("train", "choose", "rest"):
        np.testing.assert_array_equal(rows_of(getattr(back, name)), rows_of(getattr(windows, name)))
    del arrays["rest.y.starts"]
    with pytest.raises(SparkhuError, match=r"the windows of a group are incomplete: 'rest\.y\.starts'"):
        GroupWindows.of_arrays(arrays)


def test_a_group_without_windows_is_left_out() -> None:
    data = TrainingData(DATA.shards, {"1d/7": 7})
    assert shard_sets(data, DATA.shards[0]) == {}
    assert rank_sets([dict], Rank(0, 1)) == {}


def test_rows_made_compact_are_the_same_rows_wherever_they_lay() -> None:
    random = np.random.default_rng(5)
    long = random.normal(size=80)
    starts = np.array([3, 4, 5, 20, 40, 41, 12])
    runs = Runs(long, starts, 6)
    small = runs.compact()
    np.testing.assert_array_equal(small.rows(EVERY), runs.rows(EVERY))
    # Values of the rows, and one to part each run from the next.
    assert len(small.values) == 8 + 6 + 6 + 7 + 3
    assert (np.diff(small.starts) == 1).tolist() == (np.diff(starts) == 1).tolist()
    # Values that no row has change neither what is kept nor its digest; those of a row do.
    other = np.concatenate([random.normal(size=10), long, random.normal(size=9)])
    other[10 + 60 :] = 7.0
    elsewhere = Runs(other, starts + 10, 6)
    assert elsewhere.digest() == runs.digest() == small.digest()
    other[10 + 46] += 1e-9
    assert Runs(other, starts + 10, 6).digest() != runs.digest()
    assert len(Runs(long, starts[:0], 6).compact().values) == 0
