import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkhu.report.downsampling import MOST_FLAGGED, rows_to_draw, runs


def test_a_short_series_is_drawn_whole() -> None:
    assert rows_to_draw([np.arange(600.0)], np.zeros(600, bool)).tolist() == list(range(600))


def test_of_each_stretch_the_extremes_stay() -> None:
    # 8 rows, 4 points: two stretches of four rows. Extremes: rows 1 (5.0) and 2 (-3.0); rows 4 (0.0) and 6 (9.0).
    # Rows 0 and 7 stay as the ends.
    values = np.array([1.0, 5.0, -3.0, 2.0, 0.0, 1.0, 9.0, 2.0])
    assert rows_to_draw([values], np.zeros(8, bool), points=4).tolist() == [0, 1, 2, 4, 6, 7]


def test_extremes_of_every_curve_stay_and_missing_values_do_not_count() -> None:
    # Second curve: only rows 3 (7.0) and 5 (8.0) have values, each the extreme of its stretch.
    first = np.array([9.0, 1.0, 2.0, 3.0, 9.0, 4.0, 5.0, 1.0])
    second = np.full(8, np.nan)
    second[[3, 5]] = 7.0, 8.0
    assert rows_to_draw([first, second], np.zeros(8, bool), points=4).tolist() == [0, 1, 3, 4, 5, 7]


def test_a_curve_without_values_keeps_the_ends() -> None:
    assert rows_to_draw([np.full(1000, np.nan)], np.zeros(1000, bool)).tolist() == [0, 999]


@settings(max_examples=40, deadline=None)
@given(st.integers(601, 5000), st.data())
def test_flagged_rows_and_the_range_always_stay(n: int, data: st.DataObject) -> None:
    values = np.random.default_rng(n).normal(size=n)
    flagged = np.zeros(n, bool)
    flagged[data.draw(st.lists(st.integers(0, n - 1), max_size=50))] = True
    rows = rows_to_draw([values], flagged)

    assert set(np.flatnonzero(flagged)) <= set(rows)
    assert values[rows].min() == values.min()
    assert values[rows].max() == values.max()
    assert (np.diff(rows) > 0).all()
    assert len(rows) <= 602 + flagged.sum()


def test_very_many_flagged_rows_are_thinned_evenly() -> None:
    rows = rows_to_draw([np.zeros(100_000)], np.ones(100_000, bool))
    assert len(rows) <= MOST_FLAGGED + 602
    assert np.diff(rows).max() <= 26


@pytest.mark.parametrize(
    ("flags", "expected"),
    [([], []), ([0, 0], []), ([1, 1], [(0, 1)]), ([1, 0, 0, 1, 1], [(0, 0), (3, 4)])],
)
def test_runs_are_first_and_last_rows(flags: list[int], expected: list[tuple[int, int]]) -> None:
    assert runs(np.array(flags, bool)) == expected
