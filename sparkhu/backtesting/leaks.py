"""The proof that nothing behind a cutoff was seen: another future must give the same forecasts, to the bit."""

from collections.abc import Collection, Iterator
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.backtesting.fitting import FittedFold, Recipes, fit_fold
from sparkhu.backtesting.forecasts import Batch, at_cutoff, later_batch, later_chunks, until_end
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


def check_leaks(rows: pl.DataFrame, recipes: Recipes, fitted: FittedFold, *, seed: int = 0) -> set[str]:
    """Fit a fold once more on rows with another future, and compare what is forecast.

    What is forecast from the cutoff is compared. Of a fold with an end, later windows are as well: a chunk of them is
    forecast again from rows that differ from the middle of that chunk on, by the models that were fitted again; those
    windows must stay the same that end before it. Another chunk follows until every model forecast one itself.

    Args:
        rows: Observation frame, sorted, the whole of it.
        recipes: As the fold was fitted with.
        fitted: The fold.
        seed: As the fold was fitted with.

    Returns:
        The models that were compared: of what is scored they forecast a window themselves, so that it was not seasonal
        naive in their place that was looked at.

    Raises:
        LeakError: A forecast differs: the model, or what it was given, knows values from behind the cutoff; or it is
            not the same for the same data and seed.
    """
    cutoff = fitted.fold.cutoff
    again = fit_fold(other_future(rows, cutoff, seed=seed + 1), recipes, fitted.fold, seed=seed)
    before, after = at_cutoff(fitted), at_cutoff(again)
    names, others = _names(fitted, before), _names(again, after)
    if not names.equals(others):
        differing = sorted(set(names) ^ set(others))
        raise LeakError(
            f"whether series '{differing[0]}' is forecast from {cutoff} depends on values behind that cutoff. "
            "Look for a step that reads rows before they are cut."
        )
    _compare(names, cutoff, before, after, np.ones(len(names), np.bool_))
    if fitted.fold.until is None:
        return own_forecasts(before, before.by_model)
    compared: set[str] = set()
    for found in _later(rows, fitted, again, seed=seed + 1):
        compared |= found
        if compared >= set(before.by_model):
            break
    return compared


def own_forecasts(made: Batch, models: Collection[str]) -> set[str]:
    """Name those of some models that forecast a window of a batch themselves.

    Args:
        made: The batch.
        models: Names.
    """
    return {name for name in models if not made.by_model[name].stood_in.all()}


def _later(rows: pl.DataFrame, fitted: FittedFold, again: FittedFold, *, seed: int) -> Iterator[set[str]]:
    """Compare the later windows of a fold, a chunk at a time; give the models that forecast some themselves."""
    shard = until_end(fitted, rows)
    for place, windows in enumerate(later_chunks(shard)):
        moment = windows["targets_from"][windows.height // 2]
        other = until_end(again, _other_values(rows, moment, seed=seed))
        others = next(chunk for at, chunk in enumerate(later_chunks(other)) if at == place)
        if not windows.equals(others):
            raise LeakError(f"which windows are forecast before {moment} depends on values from then on.")
        before, after = later_batch(fitted, shard, windows), later_batch(again, other, others)
        known = (windows["targets_from"] <= moment).to_numpy()
        _compare(_names(fitted, before), moment, before, after, known)
        yield {name for name, made in before.by_model.items() if not made.stood_in[known].all()}


def _other_values(rows: pl.DataFrame, moment: datetime, *, seed: int) -> pl.DataFrame:
    """Replace the values from a moment on; what is missing stays so, as windows are laid by it."""
    kept = (pl.col("ds") < pl.lit(moment).cast(TIME)) | rows["y"].is_null()
    return other_future(rows, moment, seed=seed).with_columns(y=pl.when(kept).then(rows["y"]).otherwise("y"))


def _compare(names: pl.Series, moment: datetime, before: Batch, after: Batch, known: npt.NDArray[np.bool_]) -> None:
    """Compare two batches of the same windows where these end before a moment.

    Raises:
        LeakError: A forecast differs.
    """
    for model, made in before.by_model.items():
        changed = (made.values.view(np.int64) != after.by_model[model].values.view(np.int64)).any(axis=1) & known
        if changed.any():
            counted = names.filter(pl.Series(known)).n_unique()
            hit = names.filter(pl.Series(changed)).n_unique()
            raise LeakError(
                f"{model} has seen the future: its forecast of series '{names[int(changed.argmax())]}' from "
                f"{moment} changes with values behind that cutoff ({hit:,} of {counted:,} series). Look for what it "
                "learns or computes from rows that were not cut, or for draws without a seed."
            )


def _names(fitted: FittedFold, made: Batch) -> pl.Series:
    return fitted.prepared.shard.series["unique_id"].gather(made.codes)
