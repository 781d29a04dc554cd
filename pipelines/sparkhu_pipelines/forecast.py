"""The forecast pipeline: from raw observations to clean series, a champion, forecasts and a report.

from kfp import local
from sparkhu_pipelines.forecast import forecast_pipeline

local.init(runner=local.SubprocessRunner(use_venv=False))
task = forecast_pipeline(source="observations.csv")
"""

from typing import Any, NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Dataset, Markdown, Metrics, Model

from sparkhu_components.evaluate import evaluate
from sparkhu_components.fit_scalers import fit_scalers
from sparkhu_components.index_windows import index_windows
from sparkhu_components.make_forecasts import make_forecasts
from sparkhu_components.promote import promote
from sparkhu_components.publish import publish
from sparkhu_components.render_report import render_report
from sparkhu_components.train_linear import train_linear
from sparkhu_components.train_seasonal_naive import train_seasonal_naive
from sparkhu_pipelines.preparation import Prepared, prepare


class Outputs(NamedTuple):
    """What the pipeline gives: the results folder, the champion, its scores and card, and the report."""

    results: Dataset
    champion: Model
    scores: Metrics
    card: Markdown
    report: HTML


def _publish(
    prepared: Prepared, indexed: dsl.PipelineTask, scored: dsl.PipelineTask, forecasts: dsl.PipelineTask
) -> dsl.PipelineTask:
    return publish(
        regular=prepared.marked.outputs["marked"],
        filled=prepared.pooled.outputs["filled"],
        irregular=prepared.split.outputs["irregular"],
        irregular_flags=prepared.irregular_flags.outputs["flags"],
        stats=prepared.described.outputs["stats"],
        profile=indexed.outputs["plan"],
        choices=prepared.pooled.outputs["choices"],
        duplicates=prepared.unique.outputs["duplicates"],
        quarantine=prepared.validated.outputs["quarantine"],
        forecasts=forecasts.outputs["forecasts"],
        evaluation=scored.outputs["evaluation"],
        **{f"{name}_scores": task.outputs["scores"] for name, task in prepared.fills.items()},
    )


@dsl.pipeline(name="sparkhu-forecast", description="Clean, analyse and forecast many time series.")
def forecast_pipeline(
    source: str,
    time: str = "",
    value: str = "",
    id: str = "",
    wide: bool = False,
    zone: str = "UTC",
    time_format: str = "",
    start: str = "",
    end: str = "",
    split: str = "0.7/0.1/0.2",
    duplicates: str = "last",
    period: str = "",
    season_length: int = 0,
    stationarity_points: int = 1000,
    outlier_width: float = 1.5,
    outlier_action: str = "flag",
    max_outlier_share: float = 0.05,
    preserve_last: bool = False,
    fill: str = "",
    fill_edge: str = "leave",
    max_gap_points: int = 0,
    scaler: str = "standard",
    horizon: int = 0,
    input_size: int = 0,
    stride: int = 1,
    model_name: str = "forecaster",
    max_failed_share: float = 0.5,
) -> Outputs:
    """Clean, analyse and forecast the series of a source.

    Args:
        source: File, folder, glob or URI of the observations.
        time: Column of the observation times; empty: found from the data.
        value: Column of the values; empty: found from the data.
        id: Column of the series' names; empty: found from the data.
        wide: Every column but the time column is a series.
        zone: Time zone of times without an offset, and of days and months.
        time_format: strptime format of the times, where the data alone cannot tell.
        start: First instant of the run's interval.
        end: First instant after the run's interval.
        split: Training, validation and test part: shares of each series, or numbers of its rows.
        duplicates: What stands where one instant has several values: last, first, mean, median or error.
        period: Period of every series, such as 15min, 1h, 1mo or 1bd; empty: found from the data.
        season_length: Points in a season; 0: from the calendar.
        stationarity_points: Latest points that the costly tests look at; 0: no tests.
        outlier_width: Distance of the fences from the quartiles, in interquartile ranges.
        outlier_action: What becomes of outliers: flag, flag_only, null or clip.
        max_outlier_share: Largest share of a series' points that this is done to; what goes beyond is marked and kept.
        preserve_last: Mark no gap in the last period before `end`.
        fill: Strategy of gap filling for every series; empty: the best on masked known points.
        fill_edge: Missing points before the first or after the last known one: leave or nearest.
        max_gap_points: Longest run of missing points that is filled; 0: any.
        scaler: How series are scaled: standard, minmax, robust or power.
        horizon: Steps to forecast; 0: from the period.
        input_size: Points that a forecast looks back on; 0: from period and horizon.
        stride: Rows from one window's start to the next.
        model_name: Name of the model in the registry.
        max_failed_share: Largest share of failed series that the run goes on with.

    Returns:
        The results folder, the champion, its scores and card, and the report.
    """
    given: dict[str, Any] = {name: argument for name, argument in locals().items() if name != "given"}
    prepared = prepare(given)
    sequences, profile = prepared.joined.outputs["sequences"], prepared.joined.outputs["series_profile"]
    scaled = fit_scalers(sequences=sequences, profile=profile, scaler=scaler)
    indexed = index_windows(
        sequences=sequences, profile=profile, horizon=horizon, input_size=input_size, stride=stride, zone=zone
    )
    data = {
        "sequences": sequences,
        "plan": indexed.outputs["plan"],
        "windows": indexed.outputs["windows"],
        "scalers": scaled.outputs["scalers"],
    }
    linear = train_linear(**data)
    naive = train_seasonal_naive(plan=indexed.outputs["plan"])
    models = {"linear": linear.outputs["model"], "seasonal_naive": naive.outputs["model"]}
    scored = evaluate(**data, **models)
    chosen = promote(
        evaluation=scored.outputs["evaluation"],
        plan=indexed.outputs["plan"],
        scalers=scaled.outputs["scalers"],
        stats=prepared.described.outputs["stats"],
        choices=prepared.pooled.outputs["choices"],
        model_name=model_name,
        **models,
    )
    champion = chosen.outputs["champion"]
    forecasts = make_forecasts(sequences=sequences, champion=champion, zone=zone)
    results = _publish(prepared, indexed, scored, forecasts)
    report = render_report(results=results.outputs["results"])
    return Outputs(
        results=results.outputs["results"],
        champion=champion,
        scores=scored.outputs["scores"],
        card=chosen.outputs["card"],
        report=report.outputs["report"],
    )
