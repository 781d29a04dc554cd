"""Component: Set up the seasonal naive forecast: the value of one season ago."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def train_seasonal_naive(
    plan: Input[Dataset],
    model: Output[Model],
) -> None:
    """Set up the seasonal naive forecast: the value of one season ago.

    Args:
        plan: One row a series: its group, input size, horizon, borders of the split.
        model: Season and horizon per group.
    """
    from sparkhu.stages.training import train_seasonal_naive as train

    model.metadata.update(train(plan=plan.path, out=model.path))
