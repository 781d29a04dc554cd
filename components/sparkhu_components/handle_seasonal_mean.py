"""Component: Put the mean of the same phase in place of anomalies, and score that on injected spikes."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def handle_seasonal_mean(
    observations: Input[Dataset],
    parts: Input[Dataset],
    anomalies: Input[Dataset],
    profile: Input[Dataset],
    limits: Input[Dataset],
    handled: Output[Dataset],
    scores: Output[Dataset],
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Put the mean of the same phase in place of anomalies, and score that on injected spikes.

    Args:
        observations: Evenly spaced observations, gaps filled.
        parts: Layer: trend, seasonal, resid, parts_available_at.
        anomalies: Layer: anomaly_score, is_anomaly.
        profile: One row a series: way, period, season, borders of the split.
        limits: Limits of the remainder, one row a series.
        handled: Layer: seasonal_mean, seasonal_mean_available_at, null where the point stays as it is.
        scores: Mean absolute errors at injected spikes and beside them, one row a series.
        settings: Weight of the newest point in the exponential average (alpha).
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Handling
    from sparkhu.steps.handling import handle as step

    handled.metadata.update(
        run_step(
            step,
            name="handle_seasonal_mean",
            inputs={
                "observations": [observations.path, parts.path, anomalies.path],
                "profile": profile.path,
                "limits": limits.path,
            },
            outputs={
                "handled": (handled.path, "columns"),
                "scores": (scores.path, "series"),
            },
            params={"strategy": "seasonal_mean", "alpha": Handling.of(settings).alpha},
        )
    )
