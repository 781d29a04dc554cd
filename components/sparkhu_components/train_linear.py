"""Component: Fit a linear model per group of series, with the parameters that tuning found."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def train_linear(
    table: Input[Dataset],
    plan: Input[Dataset],
    windows: Input[Dataset],
    scalers: Input[Dataset],
    tuned: Input[Dataset],
    model: Output[Model],
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Fit a linear model per group of series, with the parameters that tuning found.

    Args:
        table: What forecasters are given and what they are judged by; windows are looked up in it.
        plan: One row a series: its group, input size, horizon, borders of the split.
        windows: Index of the windows: which can be used, and from when.
        scalers: One versioned scaler a series.
        tuned: The parameters per group.
        model: Weights per group: one fit for evaluation, one on all windows for forecasts.
        settings: On how many workers it is fitted, and where: distribution, workers, engine (local or kubernetes), and
            for kubernetes namespace, storage, secret, image, service_account.
    """
    from sparkhu.sections import Training
    from sparkhu.stages.training import train_linear as train

    model.metadata.update(
        train(
            table=table.path,
            plan=plan.path,
            windows=windows.path,
            scalers=scalers.path,
            tuned=tuned.path,
            out=model.path,
            settings=Training.of(settings),
        )
    )
