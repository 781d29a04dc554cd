"""Moments of many series at once against exact fractions, and against pandas."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.steps.moments import Moments, means_of, moments_of, units_of

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=12)


def moments(*series: list[float]) -> Moments:
    values = np.array([value for each in series for value in each], np.float64)
    return moments_of(values, np.array([len(each) for each in series], np.int64))


def test_hand_worked_moments() -> None:
    # 1, 2, 6: mean 3, deviations −2, −1, 3; Σ² = 14, Σ³ = 18. std = √(14/2); √(3·2)/1 · (18/3)/(14/3)^1.5.
    found = moments([1.0, 2.0, 6.0])
    assert (found.mean[0], found.std[0]) == (3.0, pytest.approx(7**0.5))
    assert found.skewness[0] == pytest.approx(6**0.5 * 6 / (14 / 3) ** 1.5)
    assert np.isnan(found.kurtosis[0])


def test_hand_worked_kurtosis() -> None:
    # −1, −1, 1, 1: Σ² = Σ⁴ = 4, so m4/m2² = 1; (4 − 1)/(2·1) · (5 · (1 − 3) + 6) = −6.
    found = moments([-1.0, -1.0, 1.0, 1.0])
    assert (found.mean[0], found.skewness[0], found.kurtosis[0]) == (0.0, 0.0, pytest.approx(-6.0))


def test_each_moment_takes_its_number_of_values() -> None:
    found = moments([], [5.0], [5.0, 6.0], [5.0, 6.0, 9.0], [5.0, 6.0, 9.0, 1.0])
    there = [(~np.isnan(each)).tolist() for each in found]
    assert there == [
        [False, True, True, True, True],
        [False, False, True, True, True],
        [False, False, False, True, True],
        [False, False, False, False, True],
    ]


@pytest.mark.parametrize("value", [4.7, 0.1, -1e300, 1e-300])
def test_a_constant_series_deviates_by_nothing(value: float) -> None:
    found = moments([value] * 300)
    assert (found.mean[0], found.std[0]) == (value, 0.0)


def test_an_offset_far_above_the_spread_costs_no_digits() -> None:
    values = [1e15 + step for step in (0.0, 1.0, 3.0, 2.5, 7.0, 0.5)]
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    variance = sum((each - mean) ** 2 for each in exact) / (len(exact) - 1)
    found = moments(values)
    assert found.mean[0] == float(mean)
    assert found.std[0] == pytest.approx(float(variance) ** 0.5, rel=1e-3)


def test_what_is_not_finite_is_no_moment() -> None:
    found = moments([1.7e308, -1.7e308, np.inf], [1.0, 2.0, 3.0, 5.0], [1.7e308, -1.7e308])
    assert np.isnan([each[0] for each in found]).all()
    assert (found.mean[2], np.isnan(found.std[2])) == (0.0, True)
    assert np.isfinite([each[1] for each in found]).all()


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_moments_agree_with_pandas(series: list[list[float]]) -> None:
    found = moments(*series)
    for number, values in enumerate(series):
        own, size = pd.Series(values, dtype=np.float64), max(map(abs, values), default=0.0)
        if values:
            assert found.mean[number] == pytest.approx(own.mean(), rel=1e-12, abs=1e-12 * size)
        if len(values) > 1:
            assert found.std[number] == pytest.approx(own.std(), rel=1e-9, abs=1e-12 * size)
        if len(values) > 3 and own.std() > 1e-3 * size:
            assert found.skewness[number] == pytest.approx(own.skew(), rel=1e-6, abs=1e-6)
            assert found.kurtosis[number] == pytest.approx(own.kurt(), rel=1e-6, abs=1e-6)


@given(st.lists(VALUES.filter(len), min_size=2, max_size=5))
def test_a_series_has_the_same_moments_alone(series: list[list[float]]) -> None:
    together = moments(*series)
    for number, values in enumerate(series):
        alone = moments(values)
        assert [each[number].hex() for each in together] == [each[0].hex() for each in alone]


def test_deviations_stand_beside_their_values() -> None:
    mean, off = means_of(np.array([1.0, 3.0, 10.0]), np.array([0, 2]), np.array([2, 1]))
    assert (mean.tolist(), off.tolist()) == ([2.0, 10.0], [-1.0, 1.0, 0.0])


@pytest.mark.parametrize("bits", [-1020, -560, -199, 199, 560, 1019])
def test_moments_of_huge_and_tiny_values_are_those_of_others_in_another_unit(bits: int) -> None:
    values = np.random.default_rng(0).normal(size=40).cumsum()
    near, far = moments(values.tolist(), [1.0, 2.0, 6.0]), moments(np.ldexp(values, bits).tolist(), [1.0, 2.0, 6.0])
    assert np.ldexp(far.mean[0], -bits) == near.mean[0]
    assert np.ldexp(far.std[0], -bits) == near.std[0]
    assert far.skewness[0] == pytest.approx(near.skewness[0], rel=1e-14)
    assert far.kurtosis[0] == pytest.approx(near.kurtosis[0], rel=1e-14)
    assert [each[1] for each in far[:3]] == [each[1] for each in near[:3]]


def test_units_are_powers_of_two_from_their_bits_on() -> None:
    largest = np.array([0.0, 3.0, 2.0**399 * 1.9, 2.0**400, 2.0**-399, 2.0**-401])
    assert units_of(largest, bits=400).tolist() == [1.0, 1.0, 2.0**399, 2.0**400, 1.0, 2.0**-401]
