"""The predict pipeline: new observations of known series forecast by the champion; nothing is trained anew."""

from typing import Any, NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Dataset

from sparkhu.sections import DEFAULTS
from sparkhu_components.forecast_new import forecast_new
from sparkhu_components.learn_new import learn_new
from sparkhu_components.load_champion import load_champion
from sparkhu_components.publish_forecasts import publish_forecasts
from sparkhu_components.render_report import render_report
from sparkhu_pipelines.preparation import all_rows, bring_in, check


class Outputs(NamedTuple):
    """What the pipeline gives: the results folder and the report."""

    results: Dataset
    report: HTML


@dsl.pipeline(name="sparkhu-predict", description="Forecast new observations with the champion, without training.")
def predict_pipeline(
    source: str = "",
    lake: str = "",
    time: str = "",
    value: str = "",
    id: str = "",
    wide: bool = False,
    extra: str = "",
    zone: str = "UTC",
    time_format: str = "",
    start: str = "",
    end: str = "",
    lookback: str = "",
    reading: dict[str, Any] = DEFAULTS["reading"],
    metadata: str = "",
    catalogue: dict[str, Any] = DEFAULTS["catalogue"],
    duplicates: str = "last",
    model_name: str = "forecaster",
    learn: bool = False,
    max_failed_share: float = 0.5,
) -> Outputs:
    """Forecast new observations of known series with the champion.

    Args:
        source: File, folder, glob, database URL or other URI of the observations; empty: a lake is read.
        lake: Lake whose observations are read instead.
        time: Column of the observation times; empty: found from the data.
        value: Column of the values; empty: found from the data.
        id: Column of the series' names; empty: found from the data.
        wide: Every column but the time column is a series.
        extra: Further columns that travel along: names with commas between, or all.
        zone: Time zone of times without an offset.
        time_format: strptime format of the times, where the data alone cannot tell.
        start: First instant of the run's interval.
        end: First instant after the run's interval.
        lookback: How far before start a lake is read, such as 60d, or all; empty: what the seasons of its series want.
        reading: How the source is read: table, query, delimiter, encoding, decimal.
        metadata: File or database URL with the type, unit and ranges of each series.
        catalogue: How the metadata are read: table, query, id, encoding, name.
        duplicates: What stands where one instant has several values: last, first, mean, median or error.
        model_name: Name of the model in the registry.
        learn: The champion takes the new observations in before it forecasts, and is registered as a new version.
        max_failed_share: Largest share of failed series that the run goes on with.

    Returns:
        The results folder and the report.
    """
    given: dict[str, Any] = {name: argument for name, argument in locals().items() if name != "given"}
    champion = load_champion(model_name=model_name)
    came = check(given, all_rows(bring_in(given)))
    unique = came.unique.outputs["unique"]
    fetched = champion.outputs["champion"]
    learnt = learn_new(observations=unique, champion=fetched, model_name=model_name, learn=learn).outputs["learnt"]
    made = forecast_new(observations=unique, champion=learnt)
    results = publish_forecasts(
        sequences=made.outputs["sequences"],
        forecasts=made.outputs["forecasts"],
        duplicates=came.unique.outputs["duplicates"],
        quarantine=came.validated.outputs["quarantine"],
    )
    report = render_report(results=results.outputs["results"])
    return Outputs(results=results.outputs["results"], report=report.outputs["report"])
