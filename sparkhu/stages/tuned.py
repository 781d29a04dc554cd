"""What tuning found, as it goes on to training and into the results: `tuning.json` and `trials.parquet`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from sparkhu.registry.studies import Study
from sparkhu.tuning.document import Goal, Origin, Tuning, parse_tuning

DOCUMENT, TRIALS = "tuning.json", "trials.parquet"


class Found(NamedTuple):
    """What the parameters of a model should be for a group, and where that is known from."""

    study: Study
    trials: pl.DataFrame
    origin: Origin


def write_tuned(folder: Path, metric: str, found: Sequence[Found]) -> None:
    """Write what was found for all models and groups: `tuning.json`, and one row a trial in `trials.parquet`."""
    document = Tuning(
        objective=Goal(metric=metric, direction="minimize"),
        groups=[each.study.told(each.origin) for each in found],
    )
    (folder / DOCUMENT).write_text(document.model_dump_json(indent=1), encoding="utf-8")
    named = [
        each.trials.select(pl.lit(each.study.model).alias("model"), pl.lit(each.study.group).alias("group"), pl.all())
        for each in found
    ]
    none = pl.DataFrame(schema={"model": pl.String, "group": pl.String})
    # Parameters of one name may be of two kinds in two models.
    table = pl.concat(named, how="diagonal_relaxed") if named else none
    table.write_parquet(folder / TRIALS)


def read_tuned(folder: Path | str, model: str) -> dict[str, dict[str, str]]:
    """Read what a model is to be fitted with.

    Args:
        folder: What `tune` wrote.
        model: Its name.

    Returns:
        Values of its parameters by group; a group that is not there was not tuned.

    Raises:
        InputError: The document has another schema, or does not follow it.
    """
    path = Path(folder) / DOCUMENT
    document = parse_tuning(json.loads(path.read_text(encoding="utf-8")), path)
    return {each.group: dict(each.assignment) for each in document.groups if each.model == model}


def told(found: Found) -> str:
    """Say in a sentence what the parameters of a model and group are and where that is known from."""
    study = found.study
    whose = f"{study.model} {study.group}"
    if study.best is None and not study.assignment:
        return f"{whose}: defaults; {study.reason}"
    if study.best is None:
        return f"{whose}: defaults, for the search failed ({study.reason}); nothing is stored of it"
    values = ", ".join(f"{name} {_short(value)}" for name, value in study.assignment.items())
    where = f"{study.trials} trials ({study.algorithm})"
    if found.origin == "store":
        where = f"stored {study.found_at:%Y-%m-%d %H:%M} UTC for the same data, model and space; no trial was run"
    default = study.defaults.objective
    if default is None:
        return f"{whose}: {values}: those of the best trial; {study.reason}; {where}"
    if study.chosen == "defaults":
        return f"{whose}: defaults, {values}: no trial was better; {where}"
    gain = 1 - study.best.objective / default if default else 0.0
    return f"{whose}: {values}: {gain:.2%} below the defaults' error on validation; {where}"


def _short(value: str) -> str:
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value
