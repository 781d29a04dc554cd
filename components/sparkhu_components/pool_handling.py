"""Component: Choose what becomes of each series' anomalies by what it recovers of injected spikes."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def pool_handling(
    observations: Input[Dataset],
    parts: Input[Dataset],
    anomalies: Input[Dataset],
    clip_handled: Input[Dataset],
    ema_handled: Input[Dataset],
    ema_flagged_handled: Input[Dataset],
    seasonal_mean_handled: Input[Dataset],
    clip_scores: Input[Dataset],
    ema_scores: Input[Dataset],
    ema_flagged_scores: Input[Dataset],
    seasonal_mean_scores: Input[Dataset],
    handled: Output[Dataset],
    handling: Output[Dataset],
    scores: Output[Dataset],
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Choose what becomes of each series' anomalies by what it recovers of injected spikes.

    Args:
        observations: Evenly spaced observations, gaps filled.
        parts: Layer: trend, seasonal, resid, parts_available_at.
        anomalies: Layer: anomaly_score, is_anomaly.
        clip_handled: Layer of values pulled to the limits.
        ema_handled: Layer of smoothed values.
        ema_flagged_handled: Layer of averages of what came before.
        seasonal_mean_handled: Layer of means of the phase.
        clip_scores: Errors at injected spikes of clip.
        ema_scores: Errors at injected spikes of ema.
        ema_flagged_scores: Errors at injected spikes of ema_flagged.
        seasonal_mean_scores: Errors at injected spikes of seasonal_mean.
        handled: Layer: handled, handled_available_at, anomaly_strategy.
        handling: The chosen strategy, its error, the runner-up, and why.
        scores: Errors at injected spikes of all strategies, one row a series and strategy.
        settings: choice: strategy for every series, empty for the best by score; variants: those to choose from.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Handling
    from sparkhu.steps.handling_pooling import pool_handling as step

    given = Handling.of(settings)
    handled.metadata.update(
        run_step(
            step,
            name="pool_handling",
            inputs={
                "observations": [
                    observations.path,
                    parts.path,
                    anomalies.path,
                    clip_handled.path,
                    ema_handled.path,
                    ema_flagged_handled.path,
                    seasonal_mean_handled.path,
                ],
                "scores": [
                    clip_scores.path,
                    ema_scores.path,
                    ema_flagged_scores.path,
                    seasonal_mean_scores.path,
                ],
            },
            outputs={
                "handled": (handled.path, "columns"),
                "handling": (handling.path, "series"),
                "scores": (scores.path, "series"),
            },
            params={"choice": given.choice, "variants": list(given.variants)},
        )
    )
