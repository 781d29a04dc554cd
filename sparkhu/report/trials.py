"""What the pictures of a tuning need: its trials, their parameters as axes, and what stands out."""

from typing import Any

import polars as pl

from sparkhu.report.points import numbers
from sparkhu.report.tuning import ENDED, metric_name
from sparkhu.tuning.document import TunedGroup, Tuning

PARAMETER = "param."


def study_document(group: TunedGroup, tuning: Tuning, trials: pl.DataFrame) -> dict[str, Any]:
    """Give a group's trials for drawing.

    Returns:
        `metric` and `direction` of the objective; `trial`, `status` (in words), `objective` and `message` of each
        trial; `params`, the most important first: each with its `name`, its `values` in the order of the trials
        (numbers, or texts of a categorical parameter) and its `default`; `defaults`, the objective of the defaults;
        `best`, the number of the best trial. What is not known is null.
    """
    present = [name for name in trials.columns if name.startswith(PARAMETER) and trials[name].count()]
    names = [name.removeprefix(PARAMETER) for name in present]
    ranked = sorted(names, key=lambda name: (-group.importance.get(name, 0.0), name))
    return {
        "metric": metric_name(tuning),
        "direction": tuning.objective.direction,
        "trial": trials["trial"].to_list(),
        "status": [ENDED.get(status, status) for status in trials["status"].to_list()],
        "objective": numbers(trials["objective"]),
        "message": trials["message"].fill_null("").to_list() if "message" in trials.columns else [""] * trials.height,
        "params": [_parameter(name, trials[PARAMETER + name], group) for name in ranked],
        "defaults": group.defaults.objective,
        "best": None if group.best is None else group.best.trial,
    }


def _parameter(name: str, column: pl.Series, group: TunedGroup) -> dict[str, Any]:
    text = group.defaults.assignment.get(name)
    if not column.dtype.is_numeric():
        return {"name": name, "values": column.to_list(), "default": text}
    return {"name": name, "values": numbers(column), "default": _number(text)}


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
