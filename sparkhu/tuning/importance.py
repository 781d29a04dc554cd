"""How much each parameter matters: its share in the variance of the objective over the search space."""

import math
from typing import Any

import numpy as np
import polars as pl

from sparkhu.tuning.space import Parameter, Space

LEAST_TRIALS = 8
TREES = 32
"""Half of what Optuna takes: time grows with it, and the shares of 24 trials change by a few hundredths."""
SEED = 0


def importance(trials: pl.DataFrame, space: Space) -> dict[str, float]:
    """Estimate the share of each parameter alone in the variance of the objective, by functional ANOVA.

    A forest learns the objective from the trials that succeeded; the variance of its mean along a parameter, the
    others spread evenly over the space, is compared with that of the others. Parameters on a log scale are spread
    evenly in their logarithm; each value of an int, of a step or of a list counts the same. What parameters do only
    together is nobody's share. The same trials give the same shares.

    Source: Hutter, Hoos, Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014;
    the forest and its marginals are Optuna's.

    Args:
        trials: One row a trial: `status`, `objective`, and `param.NAME` of every parameter.
        space: The search space of the trials.

    Returns:
        The shares by name, the largest first; they sum to 1. Empty where fewer than 8 trials succeeded, or where the
        objective does not vary with a parameter.
    """
    names = {parameter.name: f"param.{parameter.name}" for parameter in space}
    known = trials.filter((pl.col("status") == "Succeeded") & pl.col("objective").is_finite())
    known = known.drop_nulls(list(names.values()))
    if known.height < LEAST_TRIALS or known["objective"].n_unique() < 2:
        return {}
    axes = {parameter.name: _axis(parameter, known[names[parameter.name]]) for parameter in space}
    shares = {**dict.fromkeys(names, 0.0), **_shares(axes, known["objective"].to_list())}
    total = sum(shares.values())
    if not total:
        return {}
    return {name: shares[name] / total for name in sorted(shares, key=lambda name: (-shares[name], name))}


def _axis(parameter: Parameter, column: pl.Series) -> tuple[Any, list[float] | list[str]]:
    """Give the distribution that a parameter is spread evenly over, and the place of each trial in it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if parameter.kind == "categorical":
        texts = column.to_list()
        return CategoricalDistribution(sorted({*parameter.choices, *texts})), texts
    if parameter.kind == "discrete":
        values = sorted(set(map(float, parameter.choices)))
        # Half a place on either side, so that the values at the ends count as much as the others.
        low, high = -0.5, len(values) - 0.5
        places = np.interp(column.to_numpy(), values, np.arange(len(values)))
    else:
        low, high, places = _line(parameter, column.cast(pl.Float64).to_numpy())
    return FloatDistribution(low, high), np.clip(places, low, high).tolist()


def _line(parameter: Parameter, values: Any) -> tuple[float, float, Any]:
    """Give the ends of an int or a double and the place of each value, in logarithms where it is spread in those."""
    assert parameter.low is not None
    assert parameter.high is not None
    step = parameter.step or (1.0 if parameter.kind == "int" else 0.0)
    low, high = parameter.low - step / 2, parameter.high + step / 2
    if parameter.distribution not in ("logUniform", "logNormal"):
        return low, high, values
    low = low if low > 0 else parameter.low
    return math.log(low), math.log(high), np.log(np.maximum(values, low))


def _shares(axes: dict[str, tuple[Any, list[float] | list[str]]], objective: list[float]) -> dict[str, float]:
    import optuna

    said = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of every new study
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(said)
    distributions = {name: distribution for name, (distribution, _) in axes.items()}
    for place, value in enumerate(objective):
        params = {name: places[place] for name, (_, places) in axes.items()}
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=SEED)
    try:
        return {name: float(share) for name, share in evaluator.evaluate(study).items()}
    except RuntimeError:  # no tree splits: no parameter explains anything
        return {}
