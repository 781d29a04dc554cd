"""The part of the graph that every pipeline shares: from raw observations to clean, evenly spaced series.

Both ways of the split always run, over datasets that may be empty: no task is skipped, so nothing that is consumed
later can be missing.
"""

from typing import Any, NamedTuple

from kfp import dsl

from sparkhu_components.describe import describe
from sparkhu_components.detect_regularity import detect_regularity
from sparkhu_components.drop_duplicates import drop_duplicates
from sparkhu_components.fill_last import fill_last
from sparkhu_components.fill_linear import fill_linear
from sparkhu_components.fill_mean import fill_mean
from sparkhu_components.fill_median import fill_median
from sparkhu_components.fill_next import fill_next
from sparkhu_components.flag_outliers import flag_outliers
from sparkhu_components.ingest import ingest
from sparkhu_components.join_series import join_series
from sparkhu_components.mark_gaps import mark_gaps
from sparkhu_components.pool_fills import pool_fills
from sparkhu_components.resample_irregular import resample_irregular
from sparkhu_components.split_by_regularity import split_by_regularity
from sparkhu_components.validate import validate

FILLS = {
    "mean": fill_mean,
    "median": fill_median,
    "last": fill_last,
    "next": fill_next,
    "linear": fill_linear,
}


class Prepared(NamedTuple):
    """The tasks whose results later parts of a pipeline read."""

    validated: dsl.PipelineTask
    unique: dsl.PipelineTask
    described: dsl.PipelineTask
    split: dsl.PipelineTask
    marked: dsl.PipelineTask
    pooled: dsl.PipelineTask
    irregular_flags: dsl.PipelineTask
    joined: dsl.PipelineTask
    fills: dict[str, dsl.PipelineTask]


def prepare(given: dict[str, Any]) -> Prepared:
    """Add the tasks of preparation to the pipeline that is being built.

    Args:
        given: The pipeline's arguments by name: those of `PreparationParameters`, and `split`.
    """
    source = ("source", "time", "value", "id", "wide", "zone", "time_format", "max_failed_share")
    raw = ingest(**{name: given[name] for name in source})
    interval = {name: given[name] for name in ("start", "end", "zone")}
    validated = validate(raw=raw.outputs["raw"], **interval)
    unique = drop_duplicates(observations=validated.outputs["observations"], policy=given["duplicates"])
    rows = unique.outputs["unique"]
    described = describe(observations=rows, split=given["split"], stationarity_points=given["stationarity_points"])
    found = detect_regularity(
        observations=rows,
        zone=given["zone"],
        split=given["split"],
        period=given["period"],
        season_length=given["season_length"],
    )
    profile = found.outputs["profile"]
    ways = split_by_regularity(observations=rows, profile=profile)
    flags = {way: _flags(given, ways.outputs[way], described, way) for way in ("regular", "irregular")}
    marked = mark_gaps(
        observations=ways.outputs["regular"],
        flags=flags["regular"].outputs["flags"],
        profile=profile,
        preserve_last=given["preserve_last"],
        **interval,
    )
    fills, pooled = _fill(given, marked, profile)
    grid = resample_irregular(
        observations=ways.outputs["irregular"], flags=flags["irregular"].outputs["flags"], profile=profile
    )
    joined = join_series(
        regular=marked.outputs["marked"],
        filled=pooled.outputs["filled"],
        irregular=grid.outputs["grid"],
        profile=profile,
        grid_profile=grid.outputs["grid_profile"],
    )
    return Prepared(validated, unique, described, ways, marked, pooled, flags["irregular"], joined, fills)


def _flags(given: dict[str, Any], observations: Any, described: dsl.PipelineTask, way: str) -> dsl.PipelineTask:
    task = flag_outliers(
        observations=observations,
        stats=described.outputs["stats"],
        width=given["outlier_width"],
        action=given["outlier_action"],
        max_share=given["max_outlier_share"],
        way=way,
    )
    return task.set_display_name(f"flag-outliers-{way}")


def _fill(
    given: dict[str, Any], marked: dsl.PipelineTask, profile: Any
) -> tuple[dict[str, dsl.PipelineTask], dsl.PipelineTask]:
    rows = marked.outputs["marked"]
    limits = {"edge": given["fill_edge"], "max_gap_points": given["max_gap_points"]}
    tasks = {name: fill(observations=rows, profile=profile, **limits) for name, fill in FILLS.items()}
    layers = {f"{name}_fill": task.outputs["filled"] for name, task in tasks.items()}
    scores = {f"{name}_scores": task.outputs["scores"] for name, task in tasks.items()}
    return tasks, pool_fills(observations=rows, choice=given["fill"], **layers, **scores)
