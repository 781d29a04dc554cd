"""The predict pipeline: new observations of known series forecast by the champion; nothing is trained."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Dataset

from sparkhu_components.drop_duplicates import drop_duplicates
from sparkhu_components.forecast_new import forecast_new
from sparkhu_components.ingest import ingest
from sparkhu_components.load_champion import load_champion
from sparkhu_components.publish_forecasts import publish_forecasts
from sparkhu_components.render_report import render_report
from sparkhu_components.validate import validate


class Outputs(NamedTuple):
    """What the pipeline gives: the results folder and the report."""

    results: Dataset
    report: HTML


@dsl.pipeline(name="sparkhu-predict", description="Forecast new observations with the champion, without training.")
def predict_pipeline(
    source: str,
    time: str = "",
    value: str = "",
    id: str = "",
    wide: bool = False,
    zone: str = "UTC",
    time_format: str = "",
    start: str = "",
    end: str = "",
    duplicates: str = "last",
    model_name: str = "forecaster",
    max_failed_share: float = 0.5,
) -> Outputs:
    """Forecast new observations of known series with the champion.

    Args:
        source: File, folder, glob or URI of the observations.
        time: Column of the observation times; empty: found from the data.
        value: Column of the values; empty: found from the data.
        id: Column of the series' names; empty: found from the data.
        wide: Every column but the time column is a series.
        zone: Time zone of times without an offset.
        time_format: strptime format of the times, where the data alone cannot tell.
        start: First instant of the run's interval.
        end: First instant after the run's interval.
        duplicates: What stands where one instant has several values: last, first, mean, median or error.
        model_name: Name of the model in the registry.
        max_failed_share: Largest share of failed series that the run goes on with.

    Returns:
        The results folder and the report.
    """
    champion = load_champion(model_name=model_name)
    raw = ingest(
        source=source,
        time=time,
        value=value,
        id=id,
        wide=wide,
        zone=zone,
        time_format=time_format,
        max_failed_share=max_failed_share,
    )
    validated = validate(raw=raw.outputs["raw"], start=start, end=end, zone=zone)
    unique = drop_duplicates(observations=validated.outputs["observations"], policy=duplicates)
    made = forecast_new(observations=unique.outputs["unique"], champion=champion.outputs["champion"])
    results = publish_forecasts(
        sequences=made.outputs["sequences"],
        forecasts=made.outputs["forecasts"],
        duplicates=unique.outputs["duplicates"],
        quarantine=validated.outputs["quarantine"],
    )
    report = render_report(results=results.outputs["results"])
    return Outputs(results=results.outputs["results"], report=report.outputs["report"])
