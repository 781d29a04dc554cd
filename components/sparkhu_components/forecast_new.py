"""Component: Forecast new observations with a trained model: prepared as in training, nothing is fitted."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def forecast_new(
    observations: Input[Dataset],
    champion: Input[Model],
    forecasts: Output[Dataset],
    sequences: Output[Dataset],
) -> None:
    """Forecast new observations with a trained model: prepared as in training, nothing is fitted.

    Args:
        observations: Observations, one row an instant.
        champion: All that forecasting needs.
        forecasts: Point forecasts with 80 % and 95 % intervals.
        sequences: Evenly spaced observations that the forecasts were made from.
    """
    from sparkhu.stages.serving import forecast_observations

    forecasts.metadata.update(
        forecast_observations(
            observations=observations.path, champion=champion.path, forecasts=forecasts.path, sequences=sequences.path
        )
    )
