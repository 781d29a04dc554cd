"""Trials as a table: `trials.parquet`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkhu.tuning.space import Kind, Space
from sparkhu.tuning.strategies import Strategy, value_of
from sparkhu.tuning.trials import Trial

if TYPE_CHECKING:
    import polars as pl


def trials_table(trials: Sequence[Trial], space: Space, metrics: Mapping[str, Strategy]) -> "pl.DataFrame":
    """Make a table of trials.

    Args:
        trials: The trials.
        space: The parameters, each of which has a column `param.NAME`.
        metrics: The metrics with their strategies; each has a column `metric.NAME`.

    Returns:
        One row a trial: `trial` (its number), `name`, `status`, `objective`, `started` and `ended` (UTC), `seconds`,
        the parameters, the metrics, `message`. Null where there is no value.
    """
    import polars as pl

    kinds: Mapping[Kind, Any] = {
        "int": pl.Int64,
        "double": pl.Float64,
        "discrete": pl.Float64,
        "categorical": pl.String,
    }
    moment = pl.Datetime("us", "UTC")
    schema: dict[str, Any] = {"trial": pl.Int64, "name": pl.String, "status": pl.String, "objective": pl.Float64}
    schema |= {"started": moment, "ended": moment, "seconds": pl.Float64}
    schema |= {f"param.{parameter.name}": kinds[parameter.kind] for parameter in space}
    schema |= {f"metric.{metric}": pl.Float64 for metric in metrics} | {"message": pl.String}
    return pl.DataFrame([_row(trial, space, metrics) for trial in trials], schema=schema, orient="row")


def _row(trial: Trial, space: Space, metrics: Mapping[str, Strategy]) -> tuple[object, ...]:
    ran = trial.started is not None and trial.ended is not None
    seconds = (trial.ended - trial.started).total_seconds() if ran else None  # type: ignore[operator]
    values = [parameter.value(trial.assignment[parameter.name]) for parameter in space]
    observed = {observation.metric: observation for observation in trial.observations}
    found = [value_of(observed[name], how) if name in observed else None for name, how in metrics.items()]
    head = (trial.number, trial.name, trial.status, trial.objective, trial.started, trial.ended, seconds)
    return (*head, *values, *found, trial.message)
