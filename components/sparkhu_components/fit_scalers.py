"""Component: Fit every series' scaler on its training part."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def fit_scalers(
    sequences: Input[Dataset],
    inputs: Input[Dataset],
    profile: Input[Dataset],
    scalers: Output[Dataset],
    scaler: str = "standard",
) -> None:
    """Fit every series' scaler on its training part.

    Args:
        sequences: Evenly spaced observations of all series.
        inputs: Layer of what forecasters are given: y, available_at, fill_strategy, anomaly_strategy.
        profile: One row a series: way, period, season, borders of the split.
        scalers: One versioned scaler a series.
        scaler: standard, minmax, robust or power.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.normalisation import fit_scalers as step

    scalers.metadata.update(
        run_step(
            step,
            name="fit_scalers",
            inputs={
                "sequences": [sequences.path, inputs.path],
                "profile": profile.path,
            },
            outputs={
                "scalers": (scalers.path, "series"),
            },
            params={"scaler": scaler},
        )
    )
