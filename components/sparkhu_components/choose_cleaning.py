"""Component: Keep each cleaning step for the series whose backtest error on observed values it lowers."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def choose_cleaning(
    sequences: Input[Dataset],
    profile: Input[Dataset],
    inputs: Output[Dataset],
    cleaning: Output[Dataset],
    horizon: int = 0,
    input_size: int = 0,
    stride: int = 1,
    zone: str = "UTC",
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Keep each cleaning step for the series whose backtest error on observed values it lowers.

    Args:
        sequences: Evenly spaced observations of all series, observed and cleaned values side by side.
        profile: One profile row a series.
        inputs: Layer of what forecasters are given: y, available_at, fill_strategy, anomaly_strategy.
        cleaning: One row a series: what was kept, the validation error of every variant and of what was kept
            (error_kept, in a training with each series as chosen), the gain by that, the windows, and why.
        horizon: Steps to forecast; 0: from the period.
        input_size: Points that a forecast looks back on; 0: from period and horizon.
        stride: Rows from one window's start to the next.
        zone: Zone in which days, months and quarters begin.
        settings: mode (measured, always or never) and min_gain, the least share by which the error must fall.
    """
    from sparkhu.sections import Guard
    from sparkhu.stages.cleaning import keep_cleaning

    inputs.metadata.update(
        keep_cleaning(
            sequences=sequences.path,
            profile=profile.path,
            inputs=inputs.path,
            cleaning=cleaning.path,
            horizon=horizon,
            input_size=input_size,
            stride=stride,
            zone=zone,
            guard=Guard.of(settings),
        )
    )
