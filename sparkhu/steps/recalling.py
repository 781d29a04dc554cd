"""Prepare new data as a trained model saw its own: with its periods, its quartiles and its ways of filling."""

from dataclasses import dataclass

import polars as pl

from sparkhu import ledger
from sparkhu.frame import TIME, check_frame
from sparkhu.steps.cleaning import clean_inputs
from sparkhu.steps.filled_rows import Edge
from sparkhu.steps.gaps import mark_gaps
from sparkhu.steps.irregular_grid import resample_irregular
from sparkhu.steps.joining import join_series
from sparkhu.steps.outliers import Action, flag_outliers
from sparkhu.steps.own_periods import by_period, with_periods
from sparkhu.steps.refilling import fill_as_chosen
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import Segments
from sparkhu.steps.strategies import WINDOW

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
    """

    zone: str = "UTC"
    outlier_width: float = 1.5
    outlier_action: Action = "flag"
    max_outlier_share: float = 0.05
    fill_edge: Edge = "leave"
    max_gap_points: int = 0
    fill_window: int = WINDOW


def prepare_new(
    observations: pl.DataFrame,
    *,
    profile: pl.DataFrame,
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
        stats: The model's quartiles: `unique_id`, `fit_q1`, `fit_q3`, `fit_until`; and `fit_level` and `fit_points`, as
            `sparkhu.steps.description.fit_quartiles` gives them. Rows behind `fit_until` count one by one.
        choices: The model's ways of filling: `unique_id`, `strategy`, `fit_value`, `fit_available_at`.
        cleaning: Which cleaning steps were kept for each series: `unique_id`, `kept`, as
            `sparkhu.steps.cleaning.choose_variants` gives them; outliers of a series that is not there stay.
        how: Parameters of the preparation in training.
        model: The model's name, for messages.

    Returns:
        `sequences` and `profile`, as `join_series` gives them. A series that the model does not know, or whose points
        stand closer than half of the model's period, is `failed` in the ledger and left out.
    """
    check_frame(observations, "unique_id", "ds", "y", "available_at")
    check_frame(stats, "unique_id", "fit_q1", "fit_q3", "fit_until")
    entries = _usable(observations, profile, how, model)
    known = pl.col("unique_id").is_in(entries.filter(pl.col("status") == "ok")["unique_id"].implode())
    rows = observations.filter(known)
    present = pl.col("unique_id").is_in(rows["unique_id"].unique().implode())
    plan = profile.filter(present).sort("unique_id").with_columns(pl.lit(None, TIME).alias(name) for name in BORDERS)
    flags = flag_outliers(
        rows,
        stats.filter(present),
        width=how.outlier_width,
        action=how.outlier_action,
        max_share=how.max_outlier_share,
    )
    flagged = rows.with_columns(flags.frames["flags"].get_columns())
    way = pl.col("unique_id").is_in(plan.filter(pl.col("decision") == "regular")["unique_id"].implode())
    regular = _without_gaps(flagged.filter(way), plan.filter(way), choices, how)
    grid = resample_irregular(flagged.filter(~way), plan.filter(~way)).frames
    joined = join_series(regular, grid["observations"], plan, grid["profile"]).frames
    sequences, joined_profile = joined["sequences"], joined["profile"]
    sequences = sequences.with_columns(clean_inputs(sequences, joined_profile, cleaning).get_columns())
    return StepResult({"sequences": sequences, "profile": joined_profile}, entries)


def _without_gaps(rows: pl.DataFrame, plan: pl.DataFrame, choices: pl.DataFrame, how: Preparation) -> pl.DataFrame:
    """Mark and fill the gaps of regular series."""
    marked = mark_gaps(rows, plan, zone=how.zone).frames["observations"]
    limits = {"max_gap_points": how.max_gap_points, "window": how.fill_window}
    filled = fill_as_chosen(marked, choices, plan, edge=how.fill_edge, **limits)
    return marked.with_columns(filled.frames["filled"].get_columns())


def _usable(observations: pl.DataFrame, profile: pl.DataFrame, how: Preparation, model: str) -> pl.DataFrame:
    """Say of each series whether the model can forecast it, and if not, why."""
    owner = Segments.of(observations)
    denser = _denser(observations, profile.filter(pl.col("decision") == "regular"), how.zone)
    table = owner.ids.to_frame("unique_id").join(denser, on="unique_id", how="left", maintain_order="left")
    known = pl.col("unique_id").is_in(profile["unique_id"].implode())
    too_dense = pl.format("its points stand closer than every {}, the model's period; bring it to that first", "label")
    reason = (
        pl.when(~known)
        .then(pl.lit(f"model '{model}' does not know it; train with it first"))
        .when(pl.col("label").is_not_null())
        .then(too_dense)
    )
    table = table.with_columns(reason=reason)
    status = table.select(pl.when(pl.col("reason").is_null()).then(pl.lit("ok")).otherwise(pl.lit("failed")))
    return ledger.entries(table["unique_id"], status=status.to_series(), reason=table["reason"])


def _denser(observations: pl.DataFrame, regular: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Find the regular series whose points stand closer than half of the model's period: it was resampled, they not.

    Returns:
        `unique_id`, `label` of the period.
    """
    gaps = observations.group_by("unique_id").agg(gap=pl.col("ds").diff().median().dt.total_microseconds())
    parts = [pl.DataFrame(schema={"unique_id": pl.String, "label": pl.String})]
    for period, part in by_period(with_periods(regular, zone)):
        close = gaps.filter(2 * pl.col("gap") < period.nominal_us).join(part, on="unique_id", how="semi")
        parts.append(close.select("unique_id", label=pl.lit(period.label)))
    return pl.concat(parts)
