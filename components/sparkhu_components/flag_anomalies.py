"""Component: Flag observed points whose remainder lies beyond its limits."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def flag_anomalies(
    observations: Input[Dataset],
    parts: Input[Dataset],
    profile: Input[Dataset],
    anomalies: Output[Dataset],
    limits: Output[Dataset],
    zone: str = "UTC",
    settings: dict[str, Any] = {},  # noqa: B006
) -> None:
    """Flag observed points whose remainder lies beyond its limits.

    Args:
        observations: Filled observations: whole series, sorted by series and time.
        parts: Layer of their decomposition.
        profile: Training part of each series.
        anomalies: Layer: anomaly_score, is_anomaly.
        limits: Limits of each series' remainder, and the interval that they were fitted on.
        zone: Zone of `fit_start` and `fit_end` where they name none.
        settings: Where the limits lie beyond which a remainder is an anomaly: limits, width, low, high; fit_start and
            fit_end: the interval of the training part that they are fitted on, all of it where empty.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Anomalies
    from sparkhu.steps.anomalies import flag_anomalies as step

    anomalies.metadata.update(
        run_step(
            step,
            name="flag_anomalies",
            inputs={"observations": [observations.path, parts.path], "profile": profile.path},
            outputs={"anomalies": (anomalies.path, "columns"), "limits": (limits.path, "series")},
            params={"zone": zone, **Anomalies.of(settings).model_dump()},
        )
    )
