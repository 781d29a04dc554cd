import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sparkhu.steps.power import inverse_yeo_johnson, yeo_johnson

VALUES = np.array([-50.0, -3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 3.0, 80.0])


@pytest.mark.parametrize("lam", [-1.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
def test_the_transform_is_scipys(lam: float) -> None:
    np.testing.assert_allclose(yeo_johnson(VALUES, np.array(lam)), stats.yeojohnson(VALUES, lam), rtol=1e-12)


def test_worked_by_hand() -> None:
    # λ = 0.5 at 3: ((3 + 1)^0.5 − 1) / 0.5 = 2. λ = 1.5 at −3: −((1 + 3)^0.5 − 1) / 0.5 = −2
    # λ = 0 at e − 1: log e = 1.
    found = yeo_johnson(np.array([3.0, -3.0, np.e - 1.0]), np.array([0.5, 1.5, 0.0]))
    np.testing.assert_allclose(found, [2.0, -2.0, 1.0], rtol=1e-15)


@given(st.floats(-1e3, 1e3), st.floats(-0.5, 2.5))
def test_the_inverse_undoes_the_transform(value: float, lam: float) -> None:
    there = yeo_johnson(np.array([value]), np.array([lam]))
    np.testing.assert_allclose(inverse_yeo_johnson(there, np.array([lam])), [value], rtol=1e-8, atol=1e-8)


def test_the_inverse_worked_by_hand() -> None:
    # λ = 0: e^1 − 1, and λ = 2 on the negative side −(e^1 − 1). λ = 1 is the identity on both sides.
    # λ = 0.5 at 2: (0.5·2 + 1)^2 − 1 = 3. λ = 1.5 at −2: −((0.5·2 + 1)^2 − 1) = −3.
    found = inverse_yeo_johnson(
        np.array([1.0, -1.0, 5.0, -5.0, 2.0, -2.0, 0.0]), np.array([0.0, 2.0, 1.0, 1.0, 0.5, 1.5, 0.0])
    )
    np.testing.assert_allclose(found, [np.e - 1.0, 1.0 - np.e, 5.0, -5.0, 3.0, -3.0, 0.0], rtol=1e-14)


def test_what_the_transform_cannot_reach_has_no_inverse() -> None:
    # λ = −1: ((y + 1)^−1 − 1) / −1 = 1 − 1 / (y + 1) stays below 1. λ = 3 on the negative side stays above −1.
    lam = np.array([-1.0, -1.0, -1.0, 3.0, 3.0])
    found = inverse_yeo_johnson(np.array([0.5, 1.0, 2.0, -1.0, -0.5]), lam)
    np.testing.assert_allclose(found, [1.0, np.nan, np.nan, np.nan, -1.0])


def test_the_transform_keeps_nan() -> None:
    assert np.isnan(yeo_johnson(np.array([np.nan]), np.array([0.0]))).all()
