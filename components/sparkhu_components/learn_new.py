"""Component: Let the champion learn from new observations, without those that it was trained on."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def learn_new(
    observations: Input[Dataset],
    champion: Input[Model],
    learnt: Output[Model],
    model_name: str = "forecaster",
    learn: bool = False,
) -> None:
    """Let the champion learn from new observations, without those that it was trained on.

    Args:
        observations: Observations, one row an instant.
        champion: All that forecasting needs.
        learnt: The champion, with what it learnt.
        model_name: Name of the model in the registry.
        learn: Whether it learns; else it goes on as it is.
    """
    from sparkhu.stages.learning import learn_new as take_in

    learnt.metadata.update(
        take_in(
            observations=observations.path,
            champion=champion.path,
            model_name=model_name,
            learn=learn,
            out=learnt.path,
        )
    )
