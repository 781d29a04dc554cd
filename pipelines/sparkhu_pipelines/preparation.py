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
from sparkhu_components.fill_mode import fill_mode
from sparkhu_components.fill_moving_average import fill_moving_average
from sparkhu_components.fill_next import fill_next
from sparkhu_components.fill_seasonal import fill_seasonal
from sparkhu_components.fill_spline import fill_spline
from sparkhu_components.flag_outliers import flag_outliers
from sparkhu_components.ingest import ingest
from sparkhu_components.join_series import join_series
from sparkhu_components.mark_gaps import mark_gaps
from sparkhu_components.pool_fills import pool_fills
from sparkhu_components.resample import resample
from sparkhu_components.resample_irregular import resample_irregular
from sparkhu_components.split_by_regularity import split_by_regularity
from sparkhu_components.sync_metadata import sync_metadata
from sparkhu_components.validate import validate
from sparkhu_pipelines.anomalies import Handled, handle_anomalies

FILLS = {
    "mean": fill_mean,
    "median": fill_median,
    "mode": fill_mode,
    "last": fill_last,
    "next": fill_next,
    "linear": fill_linear,
    "spline": fill_spline,
    "seasonal": fill_seasonal,
    "moving_average": fill_moving_average,
}
SOURCE = (
    *("source", "lake", "time", "value", "id", "wide", "extra", "zone", "time_format"),
    *("start", "end", "lookback", "reading", "max_failed_share"),
)


class Read(NamedTuple):
    """The tasks that bring raw observations in: one valid row an instant."""

    raw: dsl.PipelineTask
    metadata: dsl.PipelineTask
    validated: dsl.PipelineTask
    unique: dsl.PipelineTask


class Prepared(NamedTuple):
    """The tasks whose results later parts of a pipeline read."""

    read: Read
    described: dsl.PipelineTask
    regularity: dsl.PipelineTask
    split: dsl.PipelineTask
    irregular_flags: dsl.PipelineTask
    fills: dict[str, dsl.PipelineTask]
    pooled: dsl.PipelineTask
    resampled: dsl.PipelineTask
    handled: Handled
    joined: dsl.PipelineTask


def read(given: dict[str, Any]) -> Read:
    """Add the tasks that read, validate and deduplicate to the pipeline that is being built.

    Args:
        given: The pipeline's arguments by name: those of `SourceParameters`, `duplicates` and `max_failed_share`.
    """
    raw = ingest(**_some(given, *SOURCE))
    metadata = sync_metadata(uri=given["metadata"], settings=given["catalogue"])
    validated = validate(
        raw=raw.outputs["raw"], metadata=metadata.outputs["metadata"], zone=given["zone"], **interval_of(raw)
    )
    unique = drop_duplicates(observations=validated.outputs["observations"], policy=given["duplicates"])
    return Read(raw, metadata, validated, unique)


def interval_of(raw: dsl.PipelineTask) -> dict[str, Any]:
    """Give the interval that the steps behind `ingest` keep to: that of a source, or what is read of a lake."""
    return {name: raw.outputs[name] for name in ("start", "end")}


def prepare(given: dict[str, Any]) -> Prepared:
    """Add the tasks of preparation to the pipeline that is being built.

    Args:
        given: The pipeline's arguments by name: those of `PreparationParameters`, and `split`.
    """
    came = read(given)
    rows = came.unique.outputs["unique"]
    described = describe(
        observations=rows, settings=given["statistics"], **_some(given, "split", "zone", "season_length", "period")
    )
    found = detect_regularity(
        observations=rows, **_some(given, "zone", "split", "period", "season_length", "past", "lake")
    )
    profile = found.outputs["profile"]
    ways = split_by_regularity(observations=rows, profile=profile)
    flags = {way: _flags(given, ways.outputs[way], described, way) for way in ("regular", "irregular")}
    marked = mark_gaps(
        observations=ways.outputs["regular"],
        flags=flags["regular"].outputs["flags"],
        profile=profile,
        **interval_of(came.raw),
        **_some(given, "zone", "preserve_last"),
        settings=given["filling"],
    )
    fills, pooled = _fill(given, marked, profile, came.validated.outputs["limits"])
    resampled = resample(
        observations=marked.outputs["marked"],
        filled=pooled.outputs["filled"],
        profile=profile,
        zone=given["zone"],
        settings=given["resampling"],
    )
    handled = handle_anomalies(given, resampled)
    grid = resample_irregular(
        observations=ways.outputs["irregular"],
        flags=flags["irregular"].outputs["flags"],
        profile=profile,
        settings=given["resampling"],
    )
    joined = join_series(
        regular=resampled.outputs["resampled"],
        anomalies=handled.flagged.outputs["anomalies"],
        handled=handled.pooled.outputs["handled"],
        irregular=grid.outputs["grid"],
        profile=resampled.outputs["resampled_profile"],
        grid_profile=grid.outputs["grid_profile"],
    )
    return Prepared(came, described, found, ways, flags["irregular"], fills, pooled, resampled, handled, joined)


def _some(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names}


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
    given: dict[str, Any], marked: dsl.PipelineTask, profile: Any, limits: Any
) -> tuple[dict[str, dsl.PipelineTask], dsl.PipelineTask]:
    rows = marked.outputs["marked"]
    reached = {"edge": given["fill_edge"], "max_gap_points": given["max_gap_points"]}
    more = {"moving_average": {"settings": given["filling"]}}
    tasks = {
        name: fill(observations=rows, profile=profile, **reached, **more.get(name, {})) for name, fill in FILLS.items()
    }
    layers = {f"{name}_fill": task.outputs["filled"] for name, task in tasks.items()}
    scores = {f"{name}_scores": task.outputs["scores"] for name, task in tasks.items()}
    chosen = {"choice": given["fill"], "settings": given["filling"]}
    pooled = pool_fills(observations=rows, limits=limits, **chosen, **layers, **scores)
    return tasks, pooled
