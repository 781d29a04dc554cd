"""Whatever the space is: suggestions lie in it and on its steps, in a study that goes on and on."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.tuning.space import Parameter, Space
from sparkhu.tuning.trials import Trial
from tests.sparkhu.tuning.algorithms.played import made

NUMBERS = st.floats(-1e6, 1e6).map(lambda value: float(f"{value:.4g}"))
POSITIVE = st.floats(1e-9, 1e6).map(lambda value: float(f"{value:.4g}"))
TEXTS = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4, unique=True).map(tuple)


@st.composite
def parameters(draw: st.DrawFn, name: str) -> Parameter:
    kind = draw(st.sampled_from(["int", "double", "discrete", "categorical"]))
    if kind == "categorical":
        return Parameter(name, "categorical", choices=draw(TEXTS))
    if kind == "discrete":
        values = draw(st.lists(NUMBERS, min_size=1, max_size=5, unique=True))
        return Parameter(name, "discrete", choices=tuple(map(repr, values)))
    distribution = draw(st.sampled_from(["uniform", "logUniform", "normal", "logNormal"]))
    ends = POSITIVE if distribution.startswith("log") else NUMBERS
    if kind == "int":
        ends = st.integers(1 if distribution.startswith("log") else -(10**6), 10**6).map(float)
    low, high = sorted((draw(ends), draw(ends)))
    step = draw(st.none() | (st.integers(1, 1000).map(float) if kind == "int" else st.sampled_from([0.001, 0.1, 7.5])))
    return Parameter(name, kind, low, high, step, distribution)  # type: ignore[arg-type]


SPACES = st.tuples(*(parameters(f"p{at}") for at in range(3)))


def check(assignment: dict[str, str], space: Space) -> None:
    for parameter in space:
        text = assignment[parameter.name]
        if parameter.choices:
            assert text in parameter.choices
            continue
        low, high = Decimal(repr(parameter.low)), Decimal(repr(parameter.high))
        assert low <= Decimal(text) <= high
        assert parameter.kind == "double" or text == str(int(text))
        if parameter.step:
            steps = float((Decimal(text) - low) / Decimal(repr(parameter.step)))
            assert steps == pytest.approx(round(steps), abs=1e-6)


@pytest.mark.parametrize("name", ["random", "sobol", "tpe", "bayesianoptimization", "cmaes"])
@given(space=SPACES)
def test_suggestions_lie_in_the_space(name: str, space: Space) -> None:
    if name == "cmaes" and sum(not parameter.choices for parameter in space) < 2:
        space = (*space, Parameter("x", "double", 0.0, 1.0), Parameter("y", "int", 0, 9))
    settings = {"tpe": {"n_startup_trials": 2}, "bayesianoptimization": {"n_initial_points": 2}}.get(name, {})
    suggester = made(name, space, random_state=1, **settings)
    trials: list[Trial] = []
    for number in range(8 if name != "bayesianoptimization" else 4):
        [found] = suggester.suggest(1, trials)
        check(dict(found.assignment), space)
        labels, value = found.labels, float(hash(tuple(found.assignment.values())) % 100)
        trials.append(Trial(number, f"t-{number}", found.assignment, labels, "Succeeded", objective=value))
