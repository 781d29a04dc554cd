"""What tuning found, as it goes on to training and into the results: `tuning.json` and `trials.parquet`."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from sparkhu.models.linear import LinearSettings
from sparkhu.registry.studies import Study
from sparkhu.tuning.document import Goal, Origin, Tuning

MODEL = "linear"
DOCUMENT, TRIALS = "tuning.json", "trials.parquet"


class Found(NamedTuple):
    """What a group's parameters should be, and where that is known from."""

    study: Study
    trials: pl.DataFrame
    origin: Origin


def write_tuned(folder: Path, metric: str, found: Sequence[Found]) -> None:
    """Write what was found for all groups: `tuning.json`, and one row a trial in `trials.parquet`."""
    document = Tuning(
        model=MODEL,
        objective=Goal(metric=metric, direction="minimize"),
        groups=[each.study.told(each.origin) for each in found],
    )
    (folder / DOCUMENT).write_text(document.model_dump_json(indent=1), encoding="utf-8")
    tables = [each.trials.select(pl.lit(each.study.group).alias("group"), pl.all()) for each in found]
    table = pl.concat(tables, how="diagonal") if tables else pl.DataFrame(schema={"group": pl.String})
    table.write_parquet(folder / TRIALS)


def read_tuned(folder: Path | str) -> dict[str, LinearSettings]:
    """Read what each group's linear model is to be fitted with.

    Args:
        folder: What `tune` wrote.

    Returns:
        Settings by group; a group that is not there was not tuned.
    """
    document = Tuning.model_validate_json((Path(folder) / DOCUMENT).read_text(encoding="utf-8"))
    return {each.group: LinearSettings.of(each.assignment) for each in document.groups}


def told(found: Found) -> str:
    """Say in a sentence what a group's parameters are and where that is known from."""
    study = found.study
    if study.best is None and not study.assignment:
        return f"{study.group}: defaults; {study.reason}"
    if study.best is None:
        return f"{study.group}: defaults, for the search failed ({study.reason}); nothing is stored of it"
    values = ", ".join(f"{name} {_short(value)}" for name, value in study.assignment.items())
    where = f"{study.trials} trials ({study.algorithm})"
    if found.origin == "store":
        where = f"stored {study.found_at:%Y-%m-%d %H:%M} UTC for the same data, model and space; no trial was run"
    default = study.defaults.objective
    if study.chosen == "defaults" or default is None:
        return f"{study.group}: defaults, {values}: no trial was better; {where}"
    gain = 1 - study.best.objective / default if default else 0.0
    return f"{study.group}: {values}: {gain:.2%} below the defaults' error on validation; {where}"


def _short(value: str) -> str:
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value
