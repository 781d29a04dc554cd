"""The proof that nothing behind a cutoff was seen: another future must give the same forecasts, to the bit."""

from datetime import datetime

import numpy as np
import polars as pl

from sparkhu.backtesting.fitting import FittedFold, Recipes, fit_fold
from sparkhu.backtesting.forecasts import Batch, at_cutoff
from sparkhu.errors import SparkhuError
from sparkhu.frame import TIME

FURTHER = 10.0
"""How far the made-up values spread, in standard deviations of the series."""


class LeakError(SparkhuError):
    """A model has seen what lies behind a cutoff."""


def other_future(rows: pl.DataFrame, cutoff: datetime, *, seed: int = 0) -> pl.DataFrame:
    """Replace every value that lies behind an instant, or was known only behind it, by a made-up one.

    Args:
        rows: Observation frame.
        cutoff: The instant.
        seed: Of the made-up values.
    """
    at = pl.lit(cutoff).cast(TIME)
    behind = (pl.col("ds") >= at) | (pl.col("available_at") > at)
    spread = pl.col("y").std().over("unique_id").fill_null(1.0) * FURTHER + 1.0
    drawn = pl.Series(np.random.default_rng(seed).normal(size=rows.height))
    return rows.with_columns(y=pl.when(behind).then(pl.col("y").fill_null(0.0) + spread * drawn).otherwise("y"))


def check_leaks(rows: pl.DataFrame, recipes: Recipes, fitted: FittedFold, *, seed: int = 0) -> list[str]:
    """Fit a fold once more on rows with another future, and compare what is forecast from its cutoff.

    Args:
        rows: Observation frame, sorted, the whole of it.
        recipes: As the fold was fitted with.
        fitted: The fold.
        seed: As the fold was fitted with.

    Returns:
        The models that were compared.

    Raises:
        LeakError: A forecast differs: the model, or what it was given, knows values from behind the cutoff; or it is
            not the same for the same data and seed.
    """
    fold = fitted.fold
    again = fit_fold(other_future(rows, fold.cutoff, seed=seed + 1), recipes, fold, seed=seed)
    before, after = at_cutoff(fitted), at_cutoff(again)
    names, others = _names(fitted, before), _names(again, after)
    if not names.equals(others):
        differing = sorted(set(names) ^ set(others))
        raise LeakError(
            f"whether series '{differing[0]}' is forecast from {fold.cutoff} depends on values behind that cutoff. "
            "Look for a step that reads rows before they are cut."
        )
    for model, made in before.by_model.items():
        changed = (made.values.view(np.int64) != after.by_model[model].values.view(np.int64)).any(axis=1)
        if changed.any():
            raise LeakError(
                f"{model} has seen the future: its forecast of series '{names[int(changed.argmax())]}' from "
                f"{fold.cutoff} changes with values behind that cutoff ({int(changed.sum()):,} of {len(changed):,} "
                "series). Look for what it learns or computes from rows that were not cut, or for draws without a seed."
            )
    return list(before.by_model)


def _names(fitted: FittedFold, made: Batch) -> pl.Series:
    return fitted.prepared.shard.series["unique_id"].gather(made.codes)
