"""Prepare new data as a trained model saw its own: with its periods, its quartiles and its ways of filling.

Where training brought regular series to another period, new data are brought there in the same way: gaps are marked and
filled at the period that the data came with, and the buckets are made of that. New data that have the model's period
already (`sparkhu.steps.told_periods` states how that is told) are taken as they are: quartiles and fill values of the
source's points say nothing of them, so none of their points is an outlier, and their gaps are filled by lines.
"""

from dataclasses import dataclass

import polars as pl

from sparkhu import ledger
from sparkhu.frame import TIME, check_frame
from sparkhu.steps.bucket_values import How
from sparkhu.steps.cleaning import clean_inputs
from sparkhu.steps.filled_rows import Edge
from sparkhu.steps.gaps import mark_gaps
from sparkhu.steps.irregular_grid import resample_irregular
from sparkhu.steps.joining import join_series
from sparkhu.steps.outliers import Action, flag_outliers
from sparkhu.steps.refilling import fill_as_chosen
from sparkhu.steps.resampling import Edges, resample_regular
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import Segments
from sparkhu.steps.strategies import WINDOW
from sparkhu.steps.told_periods import tell_periods
from sparkhu.steps.upsampling import Up

BORDERS = ("train_end", "valid_end", "test_end")


@dataclass(frozen=True)
class Preparation:
    """How the training data were prepared; the names are those of the pipeline's parameters.

    Attributes:
        zone: Zone in which days, months and quarters begin.
        outlier_width: Distance of the fences, in interquartile ranges.
        outlier_action: What became of outliers.
        max_outlier_share: Largest share of a series' points that it was done to.
        fill_edge: What became of missing points before the first or after the last known one.
        max_gap_points: Longest run of missing points that was filled; 0: any.
        fill_window: Known points on each side that the moving average looked at.
        resample_to: Period that regular series were brought to; empty: none.
        resample_how: What stood for the points of a longer period.
        resample_up: What stood in the rows inserted for a shorter one.
        resample_edges: What became of a first or last period that a series covers in part.
        stride: Rows from one window's start to the next.
    """

    zone: str = "UTC"
    outlier_width: float = 1.5
    outlier_action: Action = "flag"
    max_outlier_share: float = 0.05
    fill_edge: Edge = "leave"
    max_gap_points: int = 0
    fill_window: int = WINDOW
    resample_to: str = ""
    resample_how: How = "mean"
    resample_up: Up = "last"
    resample_edges: Edges = "drop"
    stride: int = 1


def prepare_new(
    observations: pl.DataFrame,
    *,
    profile: pl.DataFrame,
    source_profile: pl.DataFrame,
    stats: pl.DataFrame,
    choices: pl.DataFrame,
    cleaning: pl.DataFrame,
    how: Preparation,
    model: str,
) -> StepResult:
    """Bring new observations to the even spacing that a model was trained on. Nothing is fitted.

    Gaps are filled as in training, past outliers; where cleaning them was not kept for a series, what was observed
    stands all the same. Anomalies are handled in training parts alone, so nothing is handled here.

    Args:
        observations: Sorted rows, one an instant.
        profile: The model's profile, one row a series: way, period, median gap.
        source_profile: The profile of its data as they came, before any resampling: the same, and the season.
        stats: The model's quartiles: `unique_id`, `fit_q1`, `fit_q3`, `fit_until`; and `fit_level` and `fit_points`, as
            `sparkhu.steps.description.fit_quartiles` gives them. Rows behind `fit_until` count one by one.
        choices: The model's ways of filling: `unique_id`, `strategy`, `fit_value`, `fit_available_at`.
        cleaning: Which cleaning steps were kept for each series: `unique_id`, `kept`, as
            `sparkhu.steps.cleaning.choose_variants` gives them; outliers of a series that is not there stay.
        how: Parameters of the preparation in training.
        model: The model's name, for messages.

    Returns:
        `sequences` and `profile`, as `join_series` gives them. A series that the model does not know, whose period
        cannot be told or is shorter than that of the model's data, or that cannot be resampled, is `failed` in the
        ledger and left out.

    Raises:
        InputError: A column is missing.
    """
    check_frame(observations, "unique_id", "ds", "y", "available_at")
    check_frame(stats, "unique_id", "fit_q1", "fit_q3", "fit_until")
    told = tell_periods(observations, source_profile, profile, zone=how.zone)
    entries = _usable(observations, profile, told, model)
    rows = observations.filter(_among(entries.filter(pl.col("status") == "ok")))
    plan, source_plan = (_without_borders(table.filter(_among(rows))) for table in (profile, source_profile))
    brought = _among(told.filter("brought"))
    flags = flag_outliers(
        rows,
        stats.filter(_among(rows) & ~brought),
        width=how.outlier_width,
        action=how.outlier_action,
        max_share=how.max_outlier_share,
    )
    flagged = rows.with_columns(flags.frames["flags"].get_columns())
    is_regular = _among(plan.filter(pl.col("decision") == "regular"))
    periods = pl.concat([source_plan.filter(~brought), plan.filter(brought)], how="diagonal").filter(is_regular)
    filled = _without_gaps(flagged.filter(is_regular), periods, choices.filter(~brought), how)
    resampled = _resampled(filled, periods, how)
    grid = resample_irregular(flagged.filter(~is_regular), plan.filter(~is_regular)).frames
    regular = resampled.frames["observations"]
    joined = join_series(regular, grid["observations"], plan, grid["profile"]).frames
    sequences, joined_profile = joined["sequences"], joined["profile"]
    sequences = sequences.with_columns(clean_inputs(sequences, joined_profile, cleaning).get_columns())
    frames = {"sequences": sequences, "profile": joined_profile}
    return StepResult(frames, _with_failures(entries, resampled.ledger))


def _among(table: pl.DataFrame) -> pl.Expr:
    return pl.col("unique_id").is_in(table["unique_id"].unique().implode())


def _without_borders(profile: pl.DataFrame) -> pl.DataFrame:
    """Forget the parts of the training data, which lie before the new rows."""
    return profile.sort("unique_id").with_columns(pl.lit(None, TIME).alias(name) for name in BORDERS)


def _without_gaps(rows: pl.DataFrame, plan: pl.DataFrame, choices: pl.DataFrame, how: Preparation) -> pl.DataFrame:
    """Mark and fill the gaps of regular series, at the period of the plan."""
    marked = mark_gaps(rows, plan, zone=how.zone).frames["observations"]
    limits = {"max_gap_points": how.max_gap_points, "window": how.fill_window}
    filled = fill_as_chosen(marked, choices, plan, edge=how.fill_edge, **limits)
    return marked.with_columns(filled.frames["filled"].get_columns())


def _resampled(rows: pl.DataFrame, plan: pl.DataFrame, how: Preparation) -> StepResult:
    """Bring regular series to the period of the model; those that have it stay."""
    ways = {"how": how.resample_how, "up": how.resample_up, "edges": how.resample_edges}
    return resample_regular(rows, plan, to=how.resample_to, zone=how.zone, **ways)  # type: ignore[arg-type]


def _usable(observations: pl.DataFrame, profile: pl.DataFrame, told: pl.DataFrame, model: str) -> pl.DataFrame:
    """Say of each series whether the model can forecast it, and if not, why."""
    known = _among(profile)
    table = Segments.of(observations).align(told, "reason")
    unknown = pl.lit(f"model '{model}' does not know it; train with it first")
    reason = table.select("unique_id", reason=pl.when(~known).then(unknown).otherwise("reason"))
    failed = pl.when(pl.col("reason").is_null()).then(pl.lit("ok")).otherwise(pl.lit("failed"))
    return ledger.entries(reason["unique_id"], status=reason.select(failed).to_series(), reason=reason["reason"])


def _with_failures(entries: pl.DataFrame, resampling: pl.DataFrame) -> pl.DataFrame:
    """Take over the series that could not be resampled."""
    failed = resampling.filter(pl.col("status") == "failed").select("unique_id", "status", "reason")
    found = entries.join(failed, on="unique_id", how="left", suffix="_late", maintain_order="left")
    late = [pl.coalesce(f"{name}_late", name).alias(name) for name in ("status", "reason")]
    return found.with_columns(late).select(entries.columns)
