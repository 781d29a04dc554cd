"""Sobol search against scipy's sequence."""

import numpy as np
import pytest
from scipy.stats import qmc

from sparkhu.errors import InputError
from sparkhu.tuning.space import Parameter, Space
from tests.sparkhu.tuning.algorithms.played import made

CUBE: Space = tuple(Parameter(f"p{at}", "double", 0.0, 1.0) for at in range(3))


def points(count: int, **settings: object) -> np.ndarray:
    found = made("sobol", CUBE, **settings).suggest(count, [])
    return np.array([[float(text) for text in each.assignment.values()] for each in found])


def test_points_are_those_of_scipy_after_the_first() -> None:
    assert points(300) == pytest.approx(qmc.Sobol(3, scramble=False).random(512)[1:301])


def test_a_random_state_scrambles_and_points_stay_even() -> None:
    assert points(8, random_state=1).tolist() == points(8, random_state=1).tolist()
    assert points(8, random_state=1).tolist() != points(8, random_state=2).tolist()
    for found in (points(255), points(255, random_state=3)):
        assert qmc.discrepancy(found) < qmc.discrepancy(np.random.default_rng(0).random((255, 3))) / 3


def test_more_parameters_than_the_sequence_has_dimensions_are_refused() -> None:
    space = tuple(Parameter(f"p{at}", "int", 0, 1) for at in range(21_202))
    with pytest.raises(InputError, match="sobol takes at most 21201 parameters, not 21202"):
        made("sobol", space)
