"""How much each parameter matters: its share in the variance of the objective over the search space."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.tuning.space import Parameter, Space

LEAST_TRIALS = 8
TREES = 32
"""Half of what Optuna takes: time grows with it, and the shares of 24 trials change by a few hundredths."""
SEED = 0

Places = npt.NDArray[np.float64]


class Axis(NamedTuple):
    """A parameter spread evenly from `low` to `high`, and the place of each trial between them."""

    low: float
    high: float
    places: Places


def importance(trials: pl.DataFrame, space: Space) -> dict[str, float]:
    """Estimate the share of each parameter alone in the variance of the objective, by functional ANOVA.

    A forest learns the objective from the trials that succeeded; the variance of its mean along a parameter, the
    others spread evenly over the space, is compared with that of the others. Parameters on a log scale are spread
    evenly in their logarithm; each value of an int, of a step or of a list counts the same. What parameters do only
    together is nobody's share. The same trials give the same shares.

    Source: Hutter, Hoos, Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014;
    the forest and its marginals are Optuna's. PED-ANOVA, which is quicker, looks only at the best trials, and errs
    several times as much on the few that a study has.

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
    objective = known["objective"]
    axes = {parameter.name: _axis(parameter, known[names[parameter.name]], objective) for parameter in space}
    shares = {**dict.fromkeys(names, 0.0), **_shares(axes, objective.to_list())}
    total = sum(shares.values())
    if not total:
        return {}
    return {name: shares[name] / total for name in sorted(shares, key=lambda name: (-shares[name], name))}


def _axis(parameter: Parameter, column: pl.Series, objective: pl.Series) -> Axis:
    if parameter.kind == "categorical":
        return _ranked(column, objective)
    if parameter.kind == "discrete":
        values = sorted(set(map(float, parameter.choices)))
        places = np.interp(column.to_numpy(), values, np.arange(len(values)))
        return _listed(len(values), places)
    return _line(parameter, column.cast(pl.Float64).to_numpy())


def _ranked(column: pl.Series, objective: pl.Series) -> Axis:
    """Put categories in the order of their mean objective, where a split finds their best division (as in CART)."""
    means = pl.DataFrame({"category": column, "objective": objective}).group_by("category").mean()
    order = means.sort("objective", "category")["category"].to_list()
    return _listed(len(order), np.array([order.index(category) for category in column], np.float64))


def _listed(count: int, places: Places) -> Axis:
    """Give values of a list their places; with half a place on either side those at the ends count like the others."""
    return Axis(-0.5, count - 0.5, places)


def _line(parameter: Parameter, values: Places) -> Axis:
    """Give the ends of an int or a double and the place of each value, in logarithms where it is spread in those."""
    assert parameter.low is not None
    assert parameter.high is not None
    step = parameter.step or (1.0 if parameter.kind == "int" else 0.0)
    low, high = parameter.low - step / 2, parameter.high + step / 2
    if parameter.distribution not in ("logUniform", "logNormal"):
        return Axis(low, high, values)
    low = low if low > 0 else parameter.low
    return Axis(math.log(low), math.log(high), np.log(np.maximum(values, low)))


def _shares(axes: dict[str, Axis], objective: list[float]) -> dict[str, float]:
    import optuna

    said = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of every new study
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(said)
    spread: dict[str, optuna.distributions.BaseDistribution] = {}
    spread |= {name: optuna.distributions.FloatDistribution(axis.low, axis.high) for name, axis in axes.items()}
    columns = {name: np.clip(axis.places, axis.low, axis.high).tolist() for name, axis in axes.items()}
    for place, value in enumerate(objective):
        params = {name: column[place] for name, column in columns.items()}
        study.add_trial(optuna.create_trial(params=params, distributions=spread, value=value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=SEED)
    try:
        return {name: float(share) for name, share in evaluator.evaluate(study).items()}
    except RuntimeError:  # no tree splits: no parameter explains anything
        return {}
