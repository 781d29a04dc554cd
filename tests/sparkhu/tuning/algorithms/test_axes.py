"""Places of the unit interval and the texts of values, against scipy and Optuna."""

import numpy as np
import pytest
from scipy import stats

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.axes import ChoiceAxis, NumberAxis, axes_of
from sparkhu.tuning.space import Distribution, Parameter
from tests.sparkhu.tuning.algorithms.played import made

DRAWN = 4000


def drawn(parameter: Parameter) -> list[str]:
    return [each.assignment["p"] for each in made("random", (parameter,), random_state=1).suggest(DRAWN, [])]


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        ("uniform", stats.uniform(1, 99)),
        ("logUniform", stats.loguniform(1, 100)),
        ("normal", stats.truncnorm(-3, 3, 50.5, 99 / 6)),
        ("logNormal", stats.truncnorm(-3, 3, np.log(10), np.log(10) / 3)),
    ],
)
def test_doubles_follow_their_distribution(distribution: Distribution, expected: object) -> None:
    values = np.array(drawn(Parameter("p", "double", 1.0, 100.0, distribution=distribution)), float)
    known = np.log(values) if distribution == "logNormal" else values
    assert stats.kstest(known, expected.cdf).pvalue > 0.01  # type: ignore[attr-defined]
    assert 1 <= values.min() <= values.max() <= 100


@pytest.mark.parametrize("parameter", [Parameter("p", "int", -2, 3), Parameter("p", "double", 0.0, 1.0, 0.2)])
def test_every_value_of_a_step_is_as_likely_as_the_others(parameter: Parameter) -> None:
    _, counts = np.unique(drawn(parameter), return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.01


def test_every_choice_is_as_likely_as_the_others() -> None:
    _, counts = np.unique(drawn(Parameter("p", "categorical", choices=("a", "b", "c"))), return_counts=True)
    assert stats.chisquare(counts).pvalue > 0.01


def test_logarithmic_ints_are_as_likely_as_optuna_makes_them() -> None:
    import optuna

    sampler = optuna.samplers.RandomSampler(seed=0)
    axis = optuna.distributions.IntDistribution(1, 8, log=True)
    theirs = [sampler.sample_independent(None, None, "p", axis) for _ in range(DRAWN)]  # type: ignore[arg-type]
    ours = [int(text) for text in drawn(Parameter("p", "int", 1, 8, distribution="logUniform"))]
    table = [[values.count(each) for each in range(1, 9)] for values in (ours, theirs)]
    assert stats.chi2_contingency(table).pvalue > 0.01


def test_steps_are_counted_from_the_least_value_and_written_without_rounding_errors() -> None:
    axis = NumberAxis(Parameter("p", "double", 0.1, 0.75, 0.1))
    assert [axis.nth(index) for index in range(axis.count or 0)] == ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]
    assert NumberAxis(Parameter("p", "int", 3, 11, 4)).text(1.0) == "11"


def test_ints_are_written_without_a_point_and_doubles_as_python_writes_them() -> None:
    assert NumberAxis(Parameter("p", "int", 0, 10)).text(0.5) == "5"
    assert NumberAxis(Parameter("p", "double", 0.0, 1e-3)).text(0.01) == "1e-05"
    assert ChoiceAxis(Parameter("p", "discrete", choices=("1e-3", "0.10"))).text(0.6) == "0.10"


@pytest.mark.parametrize(
    "parameter",
    [
        Parameter("p", "double", -3.0, 7.0),
        Parameter("p", "double", 1e-6, 10.0, distribution="logUniform"),
        Parameter("p", "int", 1, 1000, distribution="logUniform"),
        Parameter("p", "int", -4, 20, 3),
        Parameter("p", "double", 0.5, 0.5),
    ],
)
def test_a_text_is_found_again_at_its_place(parameter: Parameter) -> None:
    axis = NumberAxis(parameter)
    for place in np.linspace(0, 1, 41):
        text = axis.text(float(place))
        assert axis.text(axis.place(text)) == pytest.approx(text) or float(text) == pytest.approx(
            float(axis.text(axis.place(text))), rel=1e-12
        )


@pytest.mark.parametrize("distribution", ["uniform", "logUniform"])
def test_places_snap_to_where_their_text_lies(distribution: Distribution) -> None:
    axis = NumberAxis(Parameter("p", "int", 1, 30, 2, distribution))
    places = np.linspace(0.0007, 0.9993, 301)
    snapped = axis.snapped(places)
    assert snapped == pytest.approx([axis.place(axis.text(float(place))) for place in places])


def test_a_logarithmic_scale_does_not_begin_at_zero() -> None:
    with pytest.raises(InputError, match="parameter rate: distribution logUniform needs min > 0, got 0"):
        axes_of((Parameter("rate", "double", 0.0, 1.0, distribution="logUniform"),))
