"""Component: Gather the results of a run in one folder of files that other programs read."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def publish(
    regular: Input[Dataset],
    filled: Input[Dataset],
    irregular: Input[Dataset],
    irregular_flags: Input[Dataset],
    stats: Input[Dataset],
    profile: Input[Dataset],
    choices: Input[Dataset],
    duplicates: Input[Dataset],
    quarantine: Input[Dataset],
    forecasts: Input[Dataset],
    evaluation: Input[Dataset],
    mean_scores: Input[Dataset],
    median_scores: Input[Dataset],
    last_scores: Input[Dataset],
    next_scores: Input[Dataset],
    linear_scores: Input[Dataset],
    results: Output[Dataset],
) -> None:
    """Gather the results of a run in one folder of files that other programs read.

    Args:
        regular: Regular series with marked gaps.
        filled: Layer of filled values.
        irregular: Irregular series as observed.
        irregular_flags: Layer of their outlier flags.
        stats: Descriptive statistics.
        profile: One row a series: its group, input size, horizon, borders of the split.
        choices: The chosen way of filling each series.
        duplicates: Instants that had several rows.
        quarantine: Refused rows.
        forecasts: Forecasts.
        evaluation: Errors of the models.
        mean_scores: Masked errors of mean.
        median_scores: Masked errors of median.
        last_scores: Masked errors of last.
        next_scores: Masked errors of next.
        linear_scores: Masked errors of linear.
        results: clean, stats, forecasts, ledger, quarantine and more as Parquet; metrics.json.
    """
    from pathlib import Path

    from sparkhu.stages.publishing import publish_results

    results.metadata.update(
        publish_results(
            clean={"regular": [regular.path, filled.path], "irregular": [irregular.path, irregular_flags.path]},
            tables={
                "stats": [stats.path],
                "profile": [profile.path],
                "choices": [choices.path],
                "scores": [
                    mean_scores.path,
                    median_scores.path,
                    last_scores.path,
                    next_scores.path,
                    linear_scores.path,
                ],
                "duplicates": [duplicates.path],
                "quarantine": [quarantine.path],
                "forecasts": [forecasts.path],
            },
            documents={"metrics.json": Path(evaluation.path) / "metrics.json"},
            out=results.path,
        )
    )
