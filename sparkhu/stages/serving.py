"""Forecast new observations with a champion from the registry."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from sparkhu.attempts import scratch_folder
from sparkhu.execution import Outputs, metadata, recorded, run_step
from sparkhu.models.bundle import read_bundle
from sparkhu.models.serving import serve
from sparkhu.registry import load_champion


def fetch_champion(model_name: str, *, out: Path | str) -> dict[str, Any]:
    """Bring the champion of a registered model into a folder.

    Args:
        model_name: Name in the registry.
        out: Folder of the bundle, to be written.

    Returns:
        What happened, and the version, for the artifact's metadata.

    Raises:
        InputError: There is no such model, or it has no champion.
    """
    with recorded("load_champion", inputs=[], outputs=[out], params={"model_name": model_name}) as (notes, (draft,)):
        with scratch_folder(draft) as downloaded:
            bundle, version = load_champion(model_name, downloaded)
            shutil.copytree(bundle.folder, draft, dirs_exist_ok=True)
        notes.say(f"version {version.version} of '{model_name}' forecasts: {bundle.flavor}, made by {bundle.code}")
        notes.counts["version"] = int(version.version)
        notes.sources = tuple(dict(source) for source in bundle.sources)
    return {**metadata(out), "version": version.version}


def forecast_observations(
    *, observations: Path | str, champion: Path | str, forecasts: Path | str, sequences: Path | str
) -> dict[str, Any]:
    """Prepare new observations as the model's training did, and forecast each series.

    Args:
        observations: Rows, one an instant.
        champion: Folder of the model bundle.
        forecasts: Folder of the forecasts, to be written.
        sequences: Folder of the prepared rows, to be written.

    Returns:
        What happened, for the artifact's metadata.
    """
    step = partial(serve, bundle=read_bundle(Path(champion)))
    outputs: Outputs = {"forecasts": (forecasts, "series"), "sequences": (sequences, "rows")}
    return run_step(step, name="forecast_new", inputs={"observations": observations}, outputs=outputs, also=[champion])
