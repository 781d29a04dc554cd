"""What a point promises, against draws."""

import numpy as np
import pytest

from sparkhu.tuning.algorithms.acquisitions import ACQUISITIONS

MEAN, DEVIATION = 0.2, 0.5
DRAWN = np.random.default_rng(0).normal(MEAN, DEVIATION, 400_000)


def promised(name: str) -> float:
    return float(ACQUISITIONS[name](np.array([MEAN]), np.array([DEVIATION]), 0.0)[0])


def test_expected_improvement_and_its_probability_are_what_draws_give() -> None:
    assert promised("EI") == pytest.approx(np.maximum(-0.01 - DRAWN, 0).mean(), rel=0.02)
    assert promised("PI") == pytest.approx((DRAWN < -0.01).mean(), rel=0.02)


def test_the_lower_bound_is_passed_by_a_fortieth_of_draws() -> None:
    assert (-promised("LCB") > DRAWN).mean() == pytest.approx(0.025, rel=0.05)
