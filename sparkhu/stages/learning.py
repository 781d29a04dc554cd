"""Let a champion learn from new observations without those that it was trained on, and register what it becomes."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.execution import StepNotes, metadata, recorded
from sparkhu.lineage import read_trail
from sparkhu.models.base import Forecaster
from sparkhu.models.bundle import Bundle, read_bundle, write_bundle
from sparkhu.registry.succession import register_grown
from sparkhu.shards import open_dataset
from sparkhu.stages.promoting import reach
from sparkhu.training.arrived import KNOWN, arrived, arrived_windows, learnt, left_out
from sparkhu.training.known import RECIPES, load_recipe
from sparkhu.training.recipes import TrainingData, Updating
from sparkhu.training.windows import ShardWindows

STEP = "learn_new"
VERSION = "version"
"""The count in the record of `load_champion` that says which version was fetched."""


def learn_new(
    *, observations: Path | str, champion: Path | str, model_name: str, learn: bool, out: Path | str
) -> dict[str, Any]:
    """Let the champion's models take in the windows that end behind what they know; intervals and scores stay.

    Args:
        observations: Rows, one an instant. A window reaches back over its input and its horizon: give as much of what
            the model knows already.
        champion: Folder of the model bundle, as `load_champion` wrote it.
        model_name: Name in the registry.
        learn: Whether to; else the bundle goes on as it is.
        out: Folder of the bundle, to be written. Where it learnt, it is a version of its own, and champion if the one
            that it grew out of is champion still.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        SparkhuError: The bundle is damaged, or the registry cannot be used.
    """
    params = {"model_name": model_name, "learn": learn}
    with recorded(STEP, inputs=[observations, champion], outputs=[out], params=params) as (notes, (draft,)):
        bundle = read_bundle(Path(champion))
        files = open_dataset(observations).files() if learn else []
        data = arrived([partial(_windows, file, bundle) for file in files], bundle)
        models = _updated(bundle, data, notes) if learn else {}
        if models:
            profile = learnt(bundle.profile, data)
            _write(draft, bundle, models, profile, Path(observations))
            before = str(read_trail([Path(champion)]).history[-1].counts[VERSION])
            known = reach(read_trail([Path(observations)]), profile[KNOWN].max())
            grown = register_grown(draft, name=model_name, of=before, reach=known, params=params)
            state = "champion from now on" if grown.champion else f"not champion, for version {before} is no longer"
            notes.say(f"version {grown.version.version} of '{model_name}' grew out of version {before}; {state}")
            if lost := left_out(bundle.profile, data):
                notes.say(f"{lost:,} new points end no window, for a hole or too few points from before them")
        else:
            shutil.copytree(bundle.folder, draft, dirs_exist_ok=True)
        notes.series_in = bundle.profile.height
    return metadata(out)


def _windows(file: Path, bundle: Bundle) -> ShardWindows:
    return arrived_windows(pl.read_parquet(file), bundle)


def _updated(bundle: Bundle, data: TrainingData, notes: StepNotes) -> dict[str, dict[str, Forecaster]]:
    """Give the models, by name and group, of which some took something in; nothing where the champion's did not."""
    found: dict[str, dict[str, Forecaster]] = {}
    for name, models in bundle.models.items():
        recipe = load_recipe(name) if name in RECIPES else None
        if isinstance(recipe, Updating):
            fitted = recipe.update(models, data)
            for note in fitted.notes:
                notes.say(note)
            if any(fitted.models[group] is not model for group, model in models.items()):
                found[name] = fitted.models
    if bundle.flavor not in found:
        notes.say(f"the champion, {bundle.flavor}, has learnt nothing and stays as it is")
        return {}
    return found


def _write(
    draft: Path, bundle: Bundle, models: dict[str, dict[str, Forecaster]], profile: pl.DataFrame, observations: Path
) -> None:
    read = [source for record in read_trail([observations]).history for source in record.sources]
    grown = replace(bundle, models={**bundle.models, **models}, profile=profile, sources=[*bundle.sources, *read])
    write_bundle(draft, grown)
