"""Fit the models that compete with the linear one, on the windows of a stored table."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu import ledger
from sparkhu.execution import StepNotes, metadata, recorded
from sparkhu.models.base import Forecaster, Models
from sparkhu.sections import Training
from sparkhu.stages.fitting import (
    check_libraries,
    check_training,
    check_workers,
    further_models,
    is_of_one_model,
    is_shared,
    with_workers,
)
from sparkhu.stages.storing import Stored, training_data
from sparkhu.stages.training import save_further
from sparkhu.stages.tuned import read_tuned
from sparkhu.training.ensemble import EnsembleRecipe
from sparkhu.training.known import load_recipe
from sparkhu.training.recipes import Settings, TrainingData

STEP = "train_models"

logger = logging.getLogger(__name__)


def train_models(
    *,
    table: Path | str,
    plan: Path | str,
    windows: Path | str,
    scalers: Path | str,
    out: Path | str,
    tuned: Path | str | None = None,
    settings: Training | None = None,
) -> dict[str, Any]:
    """Fit the models of the settings, each for all groups of series.

    One that cannot be fitted in this process is told, and the others go on without it.

    Args:
        table: What `store_sequences` wrote: where the windows are looked up.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        out: Folder of the models, to be written; without models it says so and holds none.
        tuned: What `tune` wrote: the parameters that each group's models are fitted with; None: the defaults.
        settings: Which models, and on how many workers; by default none.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: A setting cannot be used, or a library is missing.
        SparkhuError: The table is missing or damaged, or a worker was lost.
    """
    settings = settings or Training()
    stored = Stored.open(table=table, plan=plan, windows=windows, scalers=scalers)
    inputs = [*stored.folders, *([tuned] if tuned else [])]
    with recorded(STEP, inputs=inputs, outputs=[out], params=settings.plain()) as (notes, (draft,)):
        check_training(settings)
        check_libraries(settings)
        check_workers(settings)
        names = further_models(settings)
        data = training_data(stored) if names else TrainingData([], {})
        found = {name: _tuned_for(name, tuned) if tuned else {} for name in names}
        fitted = {name: _fitted(name, data, found[name], settings, notes) for name in names}
        models = {name: groups for name, groups in fitted.items() if groups is not None}
        save_further(draft, models)
        planned = stored.plan.scan().select("unique_id", "group").collect()
        notes.entries = _entries(planned, {name: groups or {} for name, groups in fitted.items()})
        notes.rows_in, notes.series_in = stored.rows if names else 0, planned.height
        notes.counts["models"] = len(models)
        if lost := len(fitted) - len(models):
            notes.counts["models not fitted"] = lost
    return metadata(out)


def _fitted(
    name: str, data: TrainingData, tuned: Settings, settings: Training, notes: StepNotes
) -> dict[str, Forecaster] | None:
    """Fit a model; None where it cannot be. What workers share ends the step, which then goes on where it was."""
    recipe = load_recipe(name)
    shared = is_shared(recipe, settings)
    try:
        fitted = with_workers(recipe, settings, step=STEP).fit(data, tuned, seed=settings.seed)
    except Exception as error:
        if shared or not is_of_one_model(error):
            raise
        logger.exception("the model %s cannot be fitted", name)
        notes.say(f"{name} takes no part, for it cannot be fitted: {str(error) or type(error).__name__}")
        return None
    if settings.distribution != "single" and not shared:
        notes.say(f"{name} is fitted in one process: workers cannot share it")
    how = f", on {settings.workers} workers of {settings.distribution}" if shared else ""
    for note in fitted.notes:
        notes.say(f"{note if name in note else f'{name}, {note}'}{how}")
    if groups := [group for group, values in tuned.items() if values]:
        notes.say(f"{name} has the parameters that tuning settled on for {', '.join(groups)}")
    return fitted.models


def _tuned_for(name: str, tuned: Path | str) -> dict[str, dict[str, str]]:
    """Give what tuning settled on for a model, for an ensemble that of its members."""
    recipe = load_recipe(name)
    if not isinstance(recipe, EnsembleRecipe):
        return read_tuned(tuned, name)
    found: dict[str, dict[str, str]] = {}
    for member in recipe.members:
        for group, values in read_tuned(tuned, member).items():
            found.setdefault(group, {}).update({f"{member}.{key}": value for key, value in values.items()})
    return found


def _entries(planned: pl.DataFrame, models: Models) -> pl.DataFrame:
    """Say of every series which models its group has none of."""
    lacking: Mapping[str | None, list[str]] = {
        group: [name for name, groups in models.items() if group not in groups] for group in planned["group"].unique()
    }
    own = [lacking[group] for group in planned["group"]]
    none = pl.Series([bool(names) and len(names) == len(models) for names in own], dtype=pl.Boolean)
    return ledger.entries(
        planned["unique_id"],
        status=pl.select(pl.when(none).then(pl.lit("skipped")).otherwise(pl.lit("ok"))).to_series(),
        reason=pl.Series([f"its group has no {', '.join(names)}" if names else None for names in own], dtype=pl.String),
    )
