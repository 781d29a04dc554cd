"""Component: Fetch the champion of a registered model from MLflow."""

from kfp import dsl
from kfp.dsl import Model, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def load_champion(
    champion: Output[Model],
    model_name: str = "forecaster",
) -> None:
    """Fetch the champion of a registered model from MLflow.

    Args:
        champion: All that forecasting needs: weights, scalers, plan, intervals.
        model_name: Name of the model in the registry.
    """
    from sparkhu.stages.serving import fetch_champion

    champion.metadata.update(fetch_champion(model_name, out=champion.path))
