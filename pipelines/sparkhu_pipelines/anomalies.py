"""The part of the graph behind the fills: decomposition, anomalies of the remainder, and what stands in their place."""

from typing import Any, NamedTuple

from kfp import dsl

from sparkhu_components.decompose import decompose
from sparkhu_components.find_level_changes import find_level_changes
from sparkhu_components.flag_anomalies import flag_anomalies
from sparkhu_components.handle_clip import handle_clip
from sparkhu_components.handle_ema import handle_ema
from sparkhu_components.handle_ema_flagged import handle_ema_flagged
from sparkhu_components.handle_seasonal_mean import handle_seasonal_mean
from sparkhu_components.pool_handling import pool_handling

VARIANTS = {
    "clip": handle_clip,
    "ema": handle_ema,
    "ema_flagged": handle_ema_flagged,
    "seasonal_mean": handle_seasonal_mean,
}


class Handled(NamedTuple):
    """The tasks whose results later parts of a pipeline read."""

    decomposed: dsl.PipelineTask
    flagged: dsl.PipelineTask
    changes: dsl.PipelineTask
    variants: dict[str, dsl.PipelineTask]
    pooled: dsl.PipelineTask


def handle_anomalies(given: dict[str, Any], resampled: dsl.PipelineTask) -> Handled:
    """Add the tasks to the pipeline that is being built.

    Args:
        given: The pipeline's arguments by name, `decomposition`, `anomalies`, `level_changes` and `handling` among
            them.
        resampled: The task that gives the regular series and their profile.
    """
    rows, profile = resampled.outputs["resampled"], resampled.outputs["resampled_profile"]
    decomposed = decompose(observations=rows, profile=profile, settings=given["decomposition"])
    parts = decomposed.outputs["parts"]
    flagged = flag_anomalies(
        observations=rows, parts=parts, profile=profile, zone=given["zone"], settings=given["anomalies"]
    )
    changes = find_level_changes(observations=rows, profile=profile, settings=given["level_changes"])
    seen = {"observations": rows, "parts": parts, "anomalies": flagged.outputs["anomalies"]}
    limits = flagged.outputs["limits"]
    tasks = {
        name: handle(**seen, profile=profile, limits=limits, settings=given["handling"])
        for name, handle in VARIANTS.items()
    }
    layers = {f"{name}_handled": task.outputs["handled"] for name, task in tasks.items()}
    scores = {f"{name}_scores": task.outputs["scores"] for name, task in tasks.items()}
    pooled = pool_handling(**seen, **layers, **scores, settings=given["handling"])
    return Handled(decomposed, flagged, changes, tasks, pooled)
