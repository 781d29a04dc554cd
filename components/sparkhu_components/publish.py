"""Component: Gather the results of a run in one folder of files that other programs read."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def publish(
    regular: Input[Dataset],
    parts: Input[Dataset],
    anomalies: Input[Dataset],
    handled: Input[Dataset],
    irregular: Input[Dataset],
    irregular_flags: Input[Dataset],
    stats: Input[Dataset],
    history: Input[Dataset],
    categories: Input[Dataset],
    estimates: Input[Dataset],
    profile: Input[Dataset],
    choices: Input[Dataset],
    scores: Input[Dataset],
    scalers: Input[Dataset],
    seasons: Input[Dataset],
    limits: Input[Dataset],
    level_changes: Input[Dataset],
    handling: Input[Dataset],
    handling_scores: Input[Dataset],
    cleaning: Input[Dataset],
    metadata: Input[Dataset],
    duplicates: Input[Dataset],
    quarantine: Input[Dataset],
    forecasts: Input[Dataset],
    evaluation: Input[Dataset],
    tuned: Input[Dataset],
    results: Output[Dataset],
) -> None:
    """Gather the results of a run in one folder of files that other programs read.

    Args:
        regular: Regular series with filled gaps.
        parts: Layer of trend, season and remainder.
        anomalies: Layer of anomaly scores and flags.
        handled: Layer of values after anomalies were handled.
        irregular: Irregular series as observed.
        irregular_flags: Layer of their outlier flags.
        stats: Descriptive statistics.
        history: What was known of the series of a lake by the end.
        categories: Shares of the categories of each series.
        estimates: Latest estimates of each series' period, which the next run can take into account.
        profile: One row a series: its group, input size, horizon, borders of the split.
        choices: The chosen way of filling each series.
        scores: Masked errors of the ways of filling.
        scalers: One versioned scaler a series.
        seasons: How each series was decomposed, and the strength of its trend and season.
        limits: Limits beyond which a remainder is an anomaly.
        level_changes: Shifts and drifts of the level.
        handling: The chosen way of handling each series' anomalies.
        handling_scores: What each way recovers of injected spikes.
        cleaning: Which cleaning steps forecasting keeps, and what they bring.
        metadata: Type, unit, group and ranges of the series.
        duplicates: Instants that had several rows.
        quarantine: Refused rows.
        forecasts: Forecasts.
        evaluation: Errors of the models.
        tuned: The tuned parameters per group, and every trial.
        results: clean, stats, forecasts, ledger, quarantine and more as Parquet; metrics.json.
    """
    from pathlib import Path

    from sparkhu.stages.publishing import publish_results

    tables = {
        "stats": stats,
        "history": history,
        "categories": categories,
        "estimates": estimates,
        "profile": profile,
        "choices": choices,
        "scores": scores,
        "scalers": scalers,
        "seasons": seasons,
        "limits": limits,
        "level_changes": level_changes,
        "handling": handling,
        "handling_scores": handling_scores,
        "cleaning": cleaning,
        "metadata": metadata,
        "duplicates": duplicates,
        "quarantine": quarantine,
        "forecasts": forecasts,
    }
    results.metadata.update(
        publish_results(
            clean={
                "regular": [regular.path, parts.path, anomalies.path, handled.path],
                "irregular": [irregular.path, irregular_flags.path],
            },
            tables={name: [table.path] for name, table in tables.items()},
            documents={
                "metrics.json": Path(evaluation.path) / "metrics.json",
                **{name: Path(tuned.path) / name for name in ("tuning.json", "trials.parquet")},
            },
            out=results.path,
        )
    )
