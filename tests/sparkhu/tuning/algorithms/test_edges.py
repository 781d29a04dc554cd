"""Numbers at the edge of what a float is: an algorithm works with them, or names the parameter that it refuses."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.choosing import ALGORITHMS
from sparkhu.tuning.space import Parameter, Space
from sparkhu.tuning.trials import Trial
from tests.sparkhu.tuning.algorithms.played import SQUARE, ended, made
from tests.sparkhu.tuning.algorithms.test_any_space import check

EDGES = st.sampled_from([0.0, 5e-324, 1e-300, 1e-9, 1.0, 1e17, 1e200, 8e307, 1.7e308])
ENDS = st.builds(math.copysign, EDGES, st.sampled_from([1.0, -1.0])) | st.floats(allow_nan=False, allow_infinity=False)
OBJECTIVES = st.lists(ENDS | st.sampled_from([1e200, -1e308, math.inf, math.nan]), min_size=8, max_size=8)
MORE: dict[str, dict[str, Any]] = {
    "tpe": {"n_startup_trials": 0},
    "multivariate-tpe": {"n_startup_trials": 0},
    "bayesianoptimization": {"n_initial_points": 0},
    "hyperband": {"r_l": 3, "eta": 3, "resource_name": "p2", "parallel": 3},
}


@st.composite
def parameters(draw: st.DrawFn, name: str) -> Parameter:
    kind = draw(st.sampled_from(["int", "double", "discrete"]))
    if kind == "discrete":
        return Parameter(name, "discrete", choices=tuple(map(repr, draw(st.lists(ENDS, min_size=1, unique=True)))))
    distribution = draw(st.sampled_from(["uniform", "normal", "logUniform", "logNormal"]))
    ends = st.integers(-(10**17), 10**17).map(float) if kind == "int" else ENDS
    if distribution.startswith("log"):
        ends = ends.map(abs).filter(bool)
    low, high = sorted((draw(ends), draw(ends)))
    steps = (
        st.sampled_from([1.0, 1e17])
        if kind == "int"
        else st.floats(1e-9, 2).map(lambda share: share * min(high - low, 8e307))
    )
    step = draw(st.none() | steps)
    return Parameter(name, kind, low, high, step or None, distribution)  # type: ignore[arg-type]


SPACES = st.tuples(parameters("p0"), parameters("p1"), st.just(Parameter("p2", "int", 1, 3)))


def play(name: str, space: Space, objectives: Sequence[float], **more: Any) -> None:
    """Play an experiment through, if the space is not refused by the name of a parameter."""
    settings = {"random_state": 1, **MORE.get(name, {}), **more}
    try:
        suggester = made(name, space, **settings)
    except InputError:
        with pytest.raises(InputError, match=r"parameter p|the grid has|needs two parameters"):
            made(name, space, **settings)
        return event("refused")
    trials: list[Trial] = []
    for number, value in enumerate(objectives):
        for found in suggester.suggest(1, trials):
            check(dict(found.assignment), space)
            trials.append(Trial(number, f"t-{number}", found.assignment, found.labels, "Succeeded", objective=value))
    return None


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "bayesianoptimization"])
@settings(max_examples=50)
@example(space=(Parameter("p0", "double", -1e-9, -5e-324, 1e-9), Parameter("p2", "int", 1, 3)), objectives=[1.0] * 8)
@given(space=SPACES, objectives=OBJECTIVES)
def test_an_algorithm_works_at_the_edge_or_names_the_parameter(
    name: str, space: Space, objectives: Sequence[float]
) -> None:
    play(name, space, objectives)


@settings(max_examples=12)
@given(space=SPACES, objectives=OBJECTIVES)
def test_so_does_bayesian_optimisation(space: Space, objectives: Sequence[float]) -> None:
    play("bayesianoptimization", space, objectives[:4])


STEEP = (
    Parameter("p0", "int", 0, 0),
    Parameter("p1", "double", 5e-324, 1e-300, 1.1920928960000001e-307, "logUniform"),
    Parameter("p2", "int", 1, 3),
)
"""The points of its grid lie so far apart that the next deviation overflows."""


@pytest.mark.parametrize("sigma", [5e-324, 0.3, 1e308])
@example(space=STEEP, objectives=[0.0] * 8)
@settings(max_examples=20)
@given(space=SPACES, objectives=OBJECTIVES)
def test_whatever_the_first_deviation_is(sigma: float, space: Space, objectives: Sequence[float]) -> None:
    play("cmaes", space, objectives, sigma=sigma)


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        (Parameter("wide", "double", -1e308, 1e308), "parameter wide: the range from -1e.308 to 1e.308 is wider than"),
        (
            Parameter("fine", "double", 0, 1, 1e-300),
            "fine: the range from 0 to 1 in steps of 1e-300 has more than 1e.18",
        ),
        (Parameter("many", "int", 0, 1e30), "many: the range from 0 to 1e.30 in steps of 1 has more than 1e.18 values"),
    ],
)
def test_a_range_that_cannot_be_computed_with_is_refused(parameter: Parameter, told: str) -> None:
    for name in ("random", "sobol", "tpe", "multivariate-tpe", "bayesianoptimization", "cmaes"):
        with pytest.raises(InputError, match=told):
            made(name, (parameter, *SQUARE))


@pytest.mark.parametrize("name", ["tpe", "bayesianoptimization", "cmaes"])
@pytest.mark.parametrize("scale", [1e-300, 1e307], ids=["tiny", "huge"])
def test_an_objective_of_any_size_is_learnt_from(name: str, scale: float) -> None:
    def line(values: dict[str, str]) -> float:
        return abs(float(values["x"]) - 2) * scale

    trials = ended([], made(name, SQUARE, random_state=1), 25, line)  # type: ignore[arg-type]
    late = sorted(trial.objective or 0.0 for trial in trials[18:])
    early = sorted(trial.objective or 0.0 for trial in trials[:8])
    assert late[len(late) // 2] < early[len(early) // 2] / 2
