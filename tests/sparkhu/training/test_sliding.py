"""Gram matrices of sliding windows against those of the same windows, one product a window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.training.gram import gram_windows
from sparkhu.training.parts import Floats, Integers
from sparkhu.training.sliding import Run, numbers, runs_of, sliding_gram
from sparkhu.training.window_sets import GroupWindows, Runs, WindowSet

EVERY = slice(None)


def one_by_one(windows: WindowSet) -> Floats:
    """Σ z zᵀ with z = (x − last x, 1, y − last x), without the windows that have a missing target."""
    x, y = windows.x.rows(EVERY), windows.y.rows(EVERY)
    z = np.hstack([x - x[:, -1:], np.ones((len(x), 1)), y - x[:, -1:]])
    z = z[~np.isnan(z).any(axis=1)]
    return z.T @ z


def over(values: Floats, starts: Integers, L: int, H: int) -> WindowSet:
    return WindowSet(Runs(values, starts, L), Runs(values, starts + L, H))


def matrix(windows: WindowSet) -> Floats:
    none = WindowSet.empty(*(side.size for side in (windows.x, windows.y)))
    return gram_windows(GroupWindows(windows, none, none)).train.matrix


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 7),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)), max_size=6),
)
def test_any_runs_give_the_products_of_their_windows(seed: int, L: int, H: int, runs: list[tuple[int, int]]) -> None:
    # Runs of so many windows, so many values apart; the series walks far away from where it began.
    starts = np.empty(0, np.int64)
    for count, apart in runs:
        first = starts[-1] + 1 + apart if len(starts) else apart
        starts = np.append(starts, np.arange(first, first + count))
    values = 50 + np.cumsum(np.random.default_rng(seed).normal(size=600))
    windows = over(values, starts, L, H)
    wanted = one_by_one(windows)
    np.testing.assert_allclose(matrix(windows), wanted, rtol=0, atol=1e-12 * max(np.abs(wanted).max(), 1))


def test_a_far_level_costs_no_digits() -> None:
    values = np.random.default_rng(1).normal(size=500)
    windows, lifted = (over(values + level, np.arange(480), 12, 4) for level in (0.0, 1e6))
    np.testing.assert_allclose(matrix(lifted), matrix(windows), rtol=0, atol=1e-7)
    # What is lost is lost in the values themselves: 1e6 takes ten of their sixteen digits.
    np.testing.assert_allclose(matrix(lifted), one_by_one(lifted), rtol=0, atol=1e-9)


def test_a_constant_series_has_no_products_but_the_count() -> None:
    found = matrix(over(np.full(60, 0.1), np.arange(50), 5, 3))
    wanted = np.zeros((9, 9))
    wanted[5, 5] = 50
    np.testing.assert_array_equal(found, wanted)


def test_missing_targets_end_a_run_and_count_nowhere() -> None:
    values = np.random.default_rng(2).normal(size=200)
    truth = values.copy()
    truth[[90, 91, 150]] = np.nan
    starts = np.arange(190)
    windows = WindowSet(Runs(values, starts, 6), Runs(truth, starts + 6, 4))
    known = windows.observed()
    assert len(known) == 190 - 5 - 4
    assert [run.windows for run in runs_of(known.x, known.y)] == [81, 55, 45]
    np.testing.assert_allclose(matrix(windows), one_by_one(windows), atol=1e-12)


def test_a_run_ends_where_either_side_leaves_a_value_out() -> None:
    values, starts = np.zeros(50), np.array([0, 1, 2, 3, 10, 11])
    broken = np.array([5, 6, 20, 21, 22, 23])
    found = runs_of(Runs(values, starts, 3), Runs(values, broken, 2))
    assert found == [Run(0, 2), Run(2, 2), Run(4, 2)]
    np.testing.assert_array_equal(numbers(found[::2]), [0, 1, 4, 5])


@pytest.mark.parametrize("stride", [2, 5])
def test_windows_that_do_not_slide_by_one_are_multiplied_one_by_one(stride: int) -> None:
    windows = over(np.random.default_rng(3).normal(size=300), np.arange(0, 280, stride), 8, 3)
    np.testing.assert_allclose(matrix(windows), one_by_one(windows), atol=1e-12)
    none = sliding_gram(windows.x, windows.y, [])
    np.testing.assert_array_equal(none, np.zeros((12, 12)))
