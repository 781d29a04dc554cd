"""Component: Fit the models that compete with the linear one, in one process or on several workers."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def train_models(
    table: Input[Dataset],
    plan: Input[Dataset],
    windows: Input[Dataset],
    scalers: Input[Dataset],
    tuned: Input[Dataset],
    models: Output[Model],
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Fit the models that compete with the linear one, in one process or on several workers.

    Args:
        table: What forecasters are given and what they are judged by; windows are looked up in it.
        plan: One row a series: its group, input size, horizon, borders of the split.
        windows: Index of the windows: which can be used, and from when.
        scalers: One versioned scaler a series.
        tuned: The parameters per model and group.
        models: The fitted models by name and group; none where the settings name none.
        settings: models (such as trees and lstm), distribution (single, torch or horovod), workers, seed, engine (local
            or kubernetes), and for kubernetes namespace, storage, secret, image, service_account.
    """
    from sparkhu.sections import Training
    from sparkhu.stages.training_models import train_models as train

    models.metadata.update(
        train(
            table=table.path,
            plan=plan.path,
            windows=windows.path,
            scalers=scalers.path,
            tuned=tuned.path,
            out=models.path,
            settings=Training.of(settings),
        )
    )
