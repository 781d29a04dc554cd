"""Component: Put what the steps made of a group of shards into one folder."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def pack_group(
    sequences: Input[Dataset],
    profile: Input[Dataset],
    source_profile: Input[Dataset],
    estimates: Input[Dataset],
    stats: Input[Dataset],
    categories: Input[Dataset],
    duplicates: Input[Dataset],
    quarantine: Input[Dataset],
    irregular: Input[Dataset],
    irregular_flags: Input[Dataset],
    choices: Input[Dataset],
    scores: Input[Dataset],
    regular: Input[Dataset],
    parts: Input[Dataset],
    seasons: Input[Dataset],
    anomalies: Input[Dataset],
    limits: Input[Dataset],
    level_changes: Input[Dataset],
    handled: Input[Dataset],
    handling: Input[Dataset],
    handling_scores: Input[Dataset],
    packed: Output[Dataset],
) -> None:
    """Put what the steps made of a group of shards into one folder, which leaves the loop over groups.

    Args:
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
        packed: All of these, a folder each.
    """
    from sparkhu.stages.grouping import pack_group as pack

    datasets = {
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
    packed.metadata.update(pack(datasets, out=packed.path))
