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


class Source(NamedTuple):
    """The tasks that bring in what a run is about."""

    raw: dsl.PipelineTask
    metadata: dsl.PipelineTask


class Rows(NamedTuple):
    """What is prepared: all rows that were read, or a group of their shards."""

    rows: Any
    """The dataset."""
    start: Any
    """The interval that the steps keep to: that of a source, or what is read of a lake."""
    end: Any
    metadata: Any

    @property
    def interval(self) -> dict[str, Any]:
        """The interval, as steps take it."""
        return {"start": self.start, "end": self.end}


class Checked(NamedTuple):
    """The tasks that bring raw observations to one valid row an instant."""

    validated: dsl.PipelineTask
    unique: dsl.PipelineTask


class Prepared(NamedTuple):
    """The datasets that later parts of a pipeline read: outputs of tasks, whichever those are."""

    sequences: Any
    profile: Any
    source_profile: Any
    estimates: Any
    stats: Any
    categories: Any
    duplicates: Any
    quarantine: Any
    irregular: Any
    irregular_flags: Any
    choices: Any
    scores: Any
    regular: Any
    parts: Any
    seasons: Any
    anomalies: Any
    limits: Any
    level_changes: Any
    handled: Any
    handling: Any
    handling_scores: Any


def bring_in(given: dict[str, Any]) -> Source:
    """Add the tasks that read observations and metadata to the pipeline that is being built.

    Args:
        given: The pipeline's arguments by name, those of `SourceParameters` among them.
    """
    raw = ingest(**_some(given, *SOURCE))
    return Source(raw, sync_metadata(uri=given["metadata"], settings=given["catalogue"]))


def all_rows(source: Source) -> Rows:
    """Give all rows of a source to be prepared."""
    read = {name: source.raw.outputs[name] for name in ("start", "end")}
    return Rows(source.raw.outputs["raw"], **read, metadata=source.metadata.outputs["metadata"])


def check(given: dict[str, Any], came: Rows) -> Checked:
    """Add the tasks that validate and deduplicate to the pipeline that is being built.

    Args:
        given: The pipeline's arguments by name, `zone` and `duplicates` among them.
        came: The rows.
    """
    validated = validate(raw=came.rows, metadata=came.metadata, zone=given["zone"], **came.interval)
    unique = drop_duplicates(observations=validated.outputs["observations"], policy=given["duplicates"])
    return Checked(validated, unique)


def prepare(given: dict[str, Any], came: Rows) -> Prepared:
    """Add the tasks of preparation to the pipeline that is being built.

    Args:
        given: The pipeline's arguments by name: those of `PreparationParameters`, and `split`.
        came: The rows.
    """
    checked = check(given, came)
    rows = checked.unique.outputs["unique"]
    described = describe(
        observations=rows, settings=given["statistics"], **_some(given, "split", "zone", "season_length", "period")
    )
    found = detect_regularity(
        observations=rows, **_some(given, "zone", "split", "period", "season_length", "past", "lake")
    )
    profile = found.outputs["profile"]
    ways = split_by_regularity(observations=rows, profile=profile)
    flags = {way: _flags(given, ways.outputs[way], described, way) for way in ("regular", "irregular")}
    seen = {way: {"observations": ways.outputs[way], "flags": task.outputs["flags"]} for way, task in flags.items()}
    marked = mark_gaps(
        **seen["regular"],
        profile=profile,
        **came.interval,
        **_some(given, "zone", "preserve_last"),
        settings=given["filling"],
    )
    pooled = _fill(given, marked, profile, checked.validated.outputs["limits"])
    resampled = resample(
        observations=marked.outputs["marked"],
        filled=pooled.outputs["filled"],
        profile=profile,
        zone=given["zone"],
        settings=given["resampling"],
    )
    handled = handle_anomalies(given, resampled)
    grid = resample_irregular(**seen["irregular"], profile=profile, settings=given["resampling"])
    return Prepared(
        **_join(resampled, handled, grid),
        source_profile=profile,
        **_outputs(checked.validated, "quarantine"),
        **_outputs(checked.unique, "duplicates"),
        **_outputs(described, "stats", "categories"),
        **_outputs(found, "estimates"),
        **_outputs(ways, "irregular"),
        **_outputs(flags["irregular"], irregular_flags="flags"),
        **_outputs(pooled, "choices", "scores"),
    )


def _join(resampled: dsl.PipelineTask, handled: Handled, grid: dsl.PipelineTask) -> dict[str, Any]:
    """Join both ways of the split; give that, and what was found of the regular series."""
    joined = join_series(
        regular=resampled.outputs["resampled"],
        anomalies=handled.flagged.outputs["anomalies"],
        handled=handled.pooled.outputs["handled"],
        irregular=grid.outputs["grid"],
        profile=resampled.outputs["resampled_profile"],
        grid_profile=grid.outputs["grid_profile"],
    )
    return {
        **_outputs(joined, "sequences", profile="series_profile"),
        **_outputs(resampled, regular="resampled"),
        **_outputs(handled.decomposed, "parts", "seasons"),
        **_outputs(handled.flagged, "anomalies", "limits"),
        **_outputs(handled.changes, "level_changes"),
        **_outputs(handled.pooled, "handled", "handling", handling_scores="scores"),
    }


def _outputs(task: dsl.PipelineTask, *names: str, **renamed: str) -> dict[str, Any]:
    """Give some outputs of a task, under their own names or others."""
    return {name: task.outputs[output] for name, output in {**dict(zip(names, names, strict=True)), **renamed}.items()}


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


def _fill(given: dict[str, Any], marked: dsl.PipelineTask, profile: Any, limits: Any) -> dsl.PipelineTask:
    rows = marked.outputs["marked"]
    reached = {"edge": given["fill_edge"], "max_gap_points": given["max_gap_points"]}
    more = {"moving_average": {"settings": given["filling"]}}
    tasks = {
        name: fill(observations=rows, profile=profile, **reached, **more.get(name, {})) for name, fill in FILLS.items()
    }
    layers = {f"{name}_fill": task.outputs["filled"] for name, task in tasks.items()}
    scores = {f"{name}_scores": task.outputs["scores"] for name, task in tasks.items()}
    chosen = {"choice": given["fill"], "settings": given["filling"]}
    return pool_fills(observations=rows, limits=limits, **chosen, **layers, **scores)
