"""Component: Find the parameters of models per group of series: those stored for them, else by a search."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def tune(
    table: Input[Dataset],
    plan: Input[Dataset],
    windows: Input[Dataset],
    scalers: Input[Dataset],
    tuned: Output[Dataset],
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
    training: dict[str, Any] = {},  # noqa: B006
) -> None:
    """Find the parameters of models per group of series: those stored for them, else by a search.

    Args:
        table: What forecasters are given and what they are judged by; windows are looked up in it.
        plan: One row a series: its group, input size, horizon, borders of the split.
        windows: Index of the windows: which can be used, and from when.
        scalers: One versioned scaler a series.
        tuned: The parameters per model and group, where they come from, and every trial.
        settings: models, trials, algorithm, parallel, engine (local or katib), and for Katib namespace, storage,
            secret, image.
        training: The settings of training: a model that is tuned is among its models, and fitted from its seed.
    """
    from sparkhu.sections import Training, Tuning
    from sparkhu.stages.tuning import tune as search

    tuned.metadata.update(
        search(
            table=table.path,
            plan=plan.path,
            windows=windows.path,
            scalers=scalers.path,
            out=tuned.path,
            settings=Tuning.of(settings),
            training=Training.of(training),
        )
    )
