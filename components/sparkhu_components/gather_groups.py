"""Component: Lay the results of all groups of shards beside each other."""

from typing import List  # noqa: UP035 - a list of artifacts as Kubeflow Pipelines takes it

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def gather_groups(
    packed: Input[List[Dataset]],  # noqa: UP006
    metadata: Input[Dataset],
    sequences: Output[Dataset],
    profile: Output[Dataset],
    source_profile: Output[Dataset],
    estimates: Output[Dataset],
    stats: Output[Dataset],
    categories: Output[Dataset],
    duplicates: Output[Dataset],
    quarantine: Output[Dataset],
    irregular: Output[Dataset],
    irregular_flags: Output[Dataset],
    choices: Output[Dataset],
    scores: Output[Dataset],
    regular: Output[Dataset],
    parts: Output[Dataset],
    seasons: Output[Dataset],
    anomalies: Output[Dataset],
    limits: Output[Dataset],
    level_changes: Output[Dataset],
    handled: Output[Dataset],
    handling: Output[Dataset],
    handling_scores: Output[Dataset],
    past: str = "",
    lake: str = "",
) -> None:
    """Lay the results of all groups of shards beside each other, and say what only all series together show.

    Args:
        packed: What the steps made of each group.
        metadata: Type, unit, group and ranges of the series.
        sequences: Evenly spaced observations of all series, observed and cleaned values side by side.
        profile: One row a series of these: way, period, season, borders of the split.
        source_profile: One row a series of the data as they came, before resampling.
        estimates: The five latest estimates of each series' period.
        stats: Descriptive statistics.
        categories: Shares of the categories of each series.
        duplicates: Instants that had several rows.
        quarantine: Refused rows.
        irregular: Irregular series as observed.
        irregular_flags: Layer of their outlier flags.
        choices: The chosen way of filling each series.
        scores: Masked errors of the ways of filling.
        regular: Regular series with filled gaps.
        parts: Layer of trend, season and remainder.
        seasons: How each series was decomposed.
        anomalies: Layer of anomaly scores and flags.
        limits: Limits beyond which a remainder is an anomaly.
        level_changes: Shifts and drifts of the level.
        handled: Layer of values after anomalies were handled.
        handling: The chosen way of handling each series' anomalies.
        handling_scores: What each way recovers of injected spikes.
        past: Results of an earlier run, whose estimates of series that this run lacks are carried on.
        lake: Lake that was read, whose estimates are carried on where `past` is empty.
    """
    from sparkhu.stages.grouping import gather_groups as gather

    outputs = {
        "sequences": sequences.path,
        "profile": profile.path,
        "source_profile": source_profile.path,
        "estimates": estimates.path,
        "stats": stats.path,
        "categories": categories.path,
        "duplicates": duplicates.path,
        "quarantine": quarantine.path,
        "irregular": irregular.path,
        "irregular_flags": irregular_flags.path,
        "choices": choices.path,
        "scores": scores.path,
        "regular": regular.path,
        "parts": parts.path,
        "seasons": seasons.path,
        "anomalies": anomalies.path,
        "limits": limits.path,
        "level_changes": level_changes.path,
        "handled": handled.path,
        "handling": handling.path,
        "handling_scores": handling_scores.path,
    }
    told = gather([folder.path for folder in packed], known=metadata.path, outputs=outputs, past=past, lake=lake)
    sequences.metadata.update(told)
