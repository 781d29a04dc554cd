"""Component: Find the parameters of the linear model per group of series: those stored for it, else by a search."""

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
) -> None:
    """Find the parameters of the linear model per group of series: those stored for it, else by a search.

    Args:
        table: What forecasters are given and what they are judged by; windows are looked up in it.
        plan: One row a series: its group, input size, horizon, borders of the split.
        windows: Index of the windows: which can be used, and from when.
        scalers: One versioned scaler a series.
        tuned: The parameters per group, where they come from, and every trial.
        settings: trials, algorithm, parallel, engine (local or katib), and for Katib namespace, storage, secret, image.
    """
    from sparkhu.sections import Tuning
    from sparkhu.stages.tuning import tune as search

    tuned.metadata.update(
        search(
            table=table.path,
            plan=plan.path,
            windows=windows.path,
            scalers=scalers.path,
            out=tuned.path,
            settings=Tuning.of(settings),
        )
    )
