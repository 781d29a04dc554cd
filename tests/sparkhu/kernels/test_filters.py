"""Filters, sums, medians and the trend alone, against NumPy, SciPy and statsmodels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d
from statsmodels.nonparametric.smoothers_lowess import lowess as reference

from sparkhu.kernels.filters import BLOCK, filtered, moving_sums
from sparkhu.kernels.lowess import lowess
from sparkhu.kernels.selection import doubled_median, nth


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 10**6))
def test_a_filter_is_a_correlation_with_its_taps(taps: int, stride: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=300), rng.normal(size=taps)
    out = np.full(300 - (taps - 1) * stride, np.nan)
    filtered(values, stride, weights, out)
    spread = np.zeros((taps - 1) * stride + 1)
    spread[::stride] = weights
    np.testing.assert_allclose(out, np.correlate(values, spread, "valid"), atol=1e-12)


def test_a_filter_goes_on_where_a_block_ends() -> None:
    values = np.random.default_rng(1).normal(size=3 * BLOCK + 17)
    weights = np.hanning(13)
    out = np.empty(len(values) - 12)
    filtered(values, 1, weights, out)
    np.testing.assert_allclose(out, correlate1d(values, weights)[6:-6], atol=1e-12)


@given(st.integers(1, 70), st.integers(0, 200), st.integers(0, 10**6))
def test_moving_sums_are_those_of_every_window(length: int, more: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=length + more)
    expected = np.convolve(values, np.ones(length), "valid")
    found = moving_sums(values.copy(), length, np.empty(len(values) + 3), np.empty(len(values) + 3))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_large_value_leaves_no_trace_in_sums_without_it() -> None:
    # A running sum would carry the rounding of 1e16 along: 1e16 + 1 − 1e16 is 0.
    values = np.ones(40)
    values[3] = 1e16
    found = moving_sums(values, 4, np.empty(40), np.empty(40))
    np.testing.assert_array_equal(found[4:], 4.0)


@given(st.lists(st.integers(-5, 5).map(float) | st.floats(-1e9, 1e9), min_size=1, max_size=60), st.data())
def test_the_nth_number_is_that_of_the_sorted_ones(values: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    mixed = np.array(values)
    assert nth(mixed, place) == sorted(values)[place]
    assert sorted(mixed) == sorted(values)
    assert doubled_median(np.array(values)) == pytest.approx(2 * np.median(values), rel=1e-15)


@pytest.mark.parametrize("order", [1, -1])
def test_sorted_numbers_are_found_as_well(order: int) -> None:
    values = np.arange(1000.0)[::order].copy()
    assert nth(values, 123) == 123.0


@given(
    st.integers(2, 150), st.floats(0, 1), st.integers(0, 3), st.integers(0, 12), st.integers(0, 10**6), st.booleans()
)
def test_the_trend_alone_is_that_of_statsmodels(
    count: int, share: float, rounds: int, step: int, seed: int, spike: bool
) -> None:
    values = 20 + np.random.default_rng(seed).normal(size=count).cumsum()
    values[count // 2] += 100 * spike
    expected = reference(values, np.arange(float(count)), frac=share, it=rounds, delta=step, return_sorted=False)
    np.testing.assert_allclose(lowess(values, share=share, rounds=rounds, step=step), expected, rtol=0, atol=1e-7)


def test_a_hand_worked_line_through_three_points() -> None:
    # Of 1 2 6 at 0 1 2, all three are looked at; at 1 the outer two lie at the radius and weigh nothing, so the middle
    # keeps its 2; at 0 the last weighs nothing and the line through the first two is 1 there; at 2 it is 6.
    np.testing.assert_allclose(lowess(np.array([1.0, 2.0, 6.0]), share=1.0, rounds=0), [1.0, 2.0, 6.0], atol=1e-12)


@pytest.mark.parametrize("values", [np.ones(1), np.array([1.0, np.nan]), np.ones((3, 3))])
def test_what_has_no_trend_is_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="LOWESS needs a single series of two finite values or more"):
        lowess(values, share=0.5, rounds=0)
