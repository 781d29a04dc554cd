"""The importance of parameters, on functions whose variance can be taken apart by hand."""

import numpy as np
import polars as pl
import pytest

from sparkhu.tuning.importance import importance
from sparkhu.tuning.space import Parameter

SQUARE = (Parameter("x", "double", -1, 1), Parameter("y", "double", -1, 1))


def table(objective: np.ndarray, **params: object) -> pl.DataFrame:
    named = {f"param.{name}": values for name, values in params.items()}
    return pl.DataFrame({"status": "Succeeded", "objective": objective, **named})


def squares(count: int, seed: int = 0) -> pl.DataFrame:
    x, y = np.random.default_rng(seed).uniform(-1, 1, (2, count))
    return table(4 * x**2 + y**2, x=x, y=y)


def test_shares_of_a_sum_of_squares_are_those_of_its_variances() -> None:
    # Var(4 x²) = 16 Var(x²): x has 16 / 17 of the variance of 4 x² + y², y the rest.
    shares = importance(squares(100), SQUARE)
    assert list(shares) == ["x", "y"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["x"] == pytest.approx(16 / 17, abs=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_a_short_study_finds_what_matters(seed: int) -> None:
    assert importance(squares(24, seed), SQUARE)["x"] > 0.7


def test_a_parameter_on_a_log_scale_is_spread_evenly_in_its_logarithm() -> None:
    # log10 r is even on [-4, 0]; f = (log10 r + 4) / 4 + z, both even on [0, 1]: half of the variance each. Spread
    # evenly in r itself, nine tenths of the space would lie where the logarithm hardly changes.
    rng = np.random.default_rng(3)
    power, z = rng.uniform(-4, 0, 100), rng.uniform(0, 1, 100)
    rate = Parameter("rate", "double", 1e-4, 1, distribution="logUniform")
    shares = importance(table((power + 4) / 4 + z, rate=10**power, z=z), (rate, Parameter("z", "double", 0, 1)))
    assert shares["rate"] == pytest.approx(0.5, abs=0.1)
    even = importance(
        table((power + 4) / 4 + z, rate=10**power, z=z),
        (Parameter("rate", "double", 1e-4, 1), Parameter("z", "double", 0, 1)),
    )
    assert even["rate"] < 0.3


def test_values_of_a_list_and_of_steps_count_the_same() -> None:
    # Each of 0.001, 0.01, 0.1, 1 adds 0 to 3: variance 1.25. Each int of 1 to 4 the same. A category adds 0, 0 or
    # sqrt(5.625): variance 5.625 * 2 / 9 = 1.25. So a third each.
    rng = np.random.default_rng(4)
    listed, whole, kind = rng.integers(0, 4, 300), rng.integers(1, 5, 300), rng.choice(["a", "b", "c"], 300)
    space = (
        Parameter("listed", "discrete", choices=("0.001", "0.01", "0.1", "1")),
        Parameter("whole", "int", 1, 4),
        Parameter("kind", "categorical", choices=("a", "b", "c")),
    )
    objective = listed + whole + np.where(kind == "c", np.sqrt(5.625), 0.0)
    trials = table(objective, listed=10.0 ** (listed - 3), whole=whole, kind=kind.tolist())
    assert importance(trials, space) == {name: pytest.approx(1 / 3, abs=0.08) for name in ("listed", "whole", "kind")}


def test_the_ends_of_a_list_count_as_much_as_its_middle() -> None:
    # The last of four values adds 1: variance 1/4 * 3/4. Two values of a category differ by sqrt(3/4): as much. Were
    # the ends given half of the room of the others, the list would have 1/6 * 5/6 of 1/6 * 5/6 + 3/16, which is 0.43.
    rng = np.random.default_rng(5)
    listed, kind = rng.integers(0, 4, 200), rng.choice(["a", "b"], 200)
    space = (
        Parameter("listed", "discrete", choices=("1", "2", "4", "8")),
        Parameter("kind", "categorical", choices=("a", "b")),
    )
    objective = (listed == 3) + np.where(kind == "a", np.sqrt(0.75), 0.0)
    shares = importance(table(objective, listed=2.0**listed, kind=kind.tolist()), space)
    assert shares["listed"] == pytest.approx(0.5, abs=0.02)
    whole = importance(
        table(objective, listed=listed, kind=kind.tolist()), (Parameter("listed", "int", 0, 3), space[1])
    )
    assert whole["listed"] == pytest.approx(0.5, abs=0.02)


def test_a_constant_parameter_has_no_share() -> None:
    trials = squares(24).with_columns(pl.lit("only").alias("param.kind"))
    shares = importance(trials, (*SQUARE, Parameter("kind", "categorical", choices=("only",))))
    assert shares["kind"] == 0
    assert sum(shares.values()) == pytest.approx(1)


def test_the_same_trials_give_the_same_shares() -> None:
    assert importance(squares(24), SQUARE) == importance(squares(24), SQUARE)


def test_failed_stopped_and_unmeasured_trials_do_not_count() -> None:
    counted = squares(24)
    others = squares(8, seed=1).with_columns(
        status=pl.Series(["Failed", "EarlyStopped", "Killed", "MetricsUnavailable", *["Succeeded"] * 4]),
        objective=pl.Series([1e9, 1e9, 1e9, 1e9, None, float("nan"), float("inf"), None]),
    )
    assert importance(pl.concat([counted, others]), SQUARE) == importance(counted, SQUARE)


def test_too_few_trials_and_an_objective_that_does_not_vary_tell_nothing() -> None:
    assert importance(squares(7), SQUARE) == {}
    assert set(importance(squares(8), SQUARE)) == {"x", "y"}
    assert importance(squares(24).with_columns(objective=1.0), SQUARE) == {}


def test_an_objective_that_varies_with_no_parameter_tells_nothing() -> None:
    trials = table(np.arange(10.0), x=np.zeros(10), y=np.zeros(10))
    assert importance(trials, SQUARE) == {}


def test_values_beyond_the_space_stand_at_its_border() -> None:
    # Defaults may lie outside of what is searched.
    trials = squares(24).with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(50.0).otherwise("param.x").alias("param.x")
    )
    assert importance(trials, SQUARE)["x"] > 0.5


def test_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    importance(squares(24), SQUARE)
    assert capfd.readouterr().err == ""
