"""Component: Forecast every series with the champion, from its newest points."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from sparkhu_components.images import TRAINING


@dsl.component(base_image=TRAINING, install_kfp_package=False)
def make_forecasts(
    sequences: Input[Dataset],
    inputs: Input[Dataset],
    champion: Input[Model],
    forecasts: Output[Dataset],
    zone: str = "UTC",
) -> None:
    """Forecast every series with the champion, from its newest points.

    Args:
        sequences: Evenly spaced observations of all series.
        inputs: Layer of what forecasters are given: y, available_at, fill_strategy, anomaly_strategy.
        champion: All that forecasting needs.
        forecasts: Point forecasts with 80 % and 95 % intervals.
        zone: Zone in which days, months and quarters begin.
    """
    from sparkhu.stages.forecasting import forecast_series

    forecasts.metadata.update(
        forecast_series(sequences=[sequences.path, inputs.path], champion=champion.path, out=forecasts.path, zone=zone)
    )
