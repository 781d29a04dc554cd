"""Component: Plan each group's input size and horizon, and index the windows of every series."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def index_windows(
    sequences: Input[Dataset],
    inputs: Input[Dataset],
    versions: Input[Dataset],
    profile: Input[Dataset],
    plan: Output[Dataset],
    windows: Output[Dataset],
    horizon: int = 0,
    input_size: int = 0,
    stride: int = 1,
    zone: str = "UTC",
) -> None:
    """Plan each group's input size and horizon, and index the windows of every series.

    Args:
        sequences: Evenly spaced observations of all series.
        inputs: Layer of what forecasters are given: y, available_at, fill_strategy, anomaly_strategy.
        versions: The versions of points that were revised.
        profile: One profile row a series.
        plan: One row a series: its group, input size, horizon, borders of the split.
        windows: Index of the windows: which can be used, and from when.
        horizon: Steps to forecast; 0: from the period.
        input_size: Points that a forecast looks back on; 0: from period and horizon.
        stride: Rows from one window's start to the next.
        zone: Zone in which days, months and quarters begin.
    """
    from sparkhu.stages.planning import plan_windows

    plan.metadata.update(
        plan_windows(
            sequences=[sequences.path, inputs.path],
            versions=versions.path,
            profile=profile.path,
            plan=plan.path,
            windows=windows.path,
            horizon=horizon,
            input_size=input_size,
            stride=stride,
            zone=zone,
        )
    )
