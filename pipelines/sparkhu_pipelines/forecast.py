"""The forecast pipeline: from raw observations to clean series, a champion, forecasts and a report.

from kfp import local
from sparkhu_pipelines.forecast import forecast_pipeline

local.init(runner=local.SubprocessRunner(use_venv=False))
task = forecast_pipeline(source="observations.csv")
"""

from typing import Any, NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Dataset, Markdown, Metrics, Model

from sparkhu.sections import DEFAULTS
from sparkhu_components.choose_cleaning import choose_cleaning
from sparkhu_components.evaluate import evaluate
from sparkhu_components.fit_scalers import fit_scalers
from sparkhu_components.index_windows import index_windows
from sparkhu_components.make_forecasts import make_forecasts
from sparkhu_components.promote import promote
from sparkhu_components.publish import publish
from sparkhu_components.publish_interval import publish_interval
from sparkhu_components.render_report import render_report
from sparkhu_components.store_features import store_features
from sparkhu_components.store_sequences import store_sequences
from sparkhu_components.train_linear import train_linear
from sparkhu_components.train_models import train_models
from sparkhu_components.train_seasonal_naive import train_seasonal_naive
from sparkhu_components.tune import tune
from sparkhu_pipelines.preparation import Prepared, Source, all_rows, bring_in, prepare

NAME, DESCRIPTION = "sparkhu-forecast", "Clean, analyse and forecast many time series."
NOT_PUBLISHED = {"sequences", "profile", "source_profile"}
"""What only the steps in between read: results hold series as they are, and the profile as training planned it."""


class Outputs(NamedTuple):
    """What the pipeline gives: results, the champion, its scores and card, the report, what was published to a lake."""

    results: Dataset
    champion: Model
    scores: Metrics
    card: Markdown
    report: HTML
    published: Dataset


def forecast(given: dict[str, Any], source: Source, prepared: Prepared) -> Outputs:
    """Add the tasks behind preparation, which work on all series together, to the pipeline that is being built.

    Args:
        given: The pipeline's arguments by name.
        source: Where the observations came from.
        prepared: What preparation made of all of them.
    """
    zone, lake, profile = given["zone"], given["lake"], prepared.profile
    sizes = {"horizon": given["horizon"], "input_size": given["input_size"], "stride": given["stride"], "zone": zone}
    guarded = choose_cleaning(sequences=prepared.sequences, profile=profile, settings=given["guard"], **sizes)
    cleaning = guarded.outputs["cleaning"]
    seen = {"sequences": prepared.sequences, "inputs": guarded.outputs["inputs"]}
    scaled = fit_scalers(**seen, profile=profile, scaler=given["scaler"])
    versions = source.raw.outputs["versions"]
    indexed = index_windows(**seen, versions=versions, profile=profile, **sizes)
    plan, scalers = indexed.outputs["plan"], scaled.outputs["scalers"]
    stored = store_sequences(**seen, versions=versions)
    data = {"table": stored.outputs["table"], "plan": plan, "windows": indexed.outputs["windows"], "scalers": scalers}
    trained = _train(given, data)
    scored = evaluate(**data, **trained.models, model_name=given["model_name"], settings=given["promotion"])
    about = {"evaluation": scored.outputs["evaluation"], "scalers": scalers, "cleaning": cleaning}
    chosen = promote(
        plan=plan,
        windows=data["windows"],
        profile=prepared.source_profile,
        stats=prepared.stats,
        choices=prepared.choices,
        model_name=given["model_name"],
        **about,
        **trained.models,
    )
    champion = chosen.outputs["champion"]
    made = make_forecasts(**seen, champion=champion, zone=zone)
    about |= {"profile": plan, "tuned": trained.tuned, "forecasts": made.outputs["forecasts"]}
    results = _publish(source, prepared, **about).outputs["results"]
    report = render_report(results=results)
    interval = {"start": given["start"], "end": given["end"], "zone": zone}
    published = publish_interval(results=results, lake=lake, **interval).outputs["published"]
    store_features(results=results, lake=lake, published=published)
    return Outputs(
        results=results,
        champion=champion,
        scores=scored.outputs["scores"],
        card=chosen.outputs["card"],
        report=report.outputs["report"],
        published=published,
    )


class _Trained(NamedTuple):
    """What training gives: the parameters that tuning found, and the models by name."""

    tuned: Any
    models: dict[str, Any]


def _train(given: dict[str, Any], data: dict[str, Any]) -> _Trained:
    tuned = tune(**data, settings=given["tuning"], training=given["training"]).outputs["tuned"]
    linear = train_linear(**data, tuned=tuned, settings=given["training"]).outputs["model"]
    naive = train_seasonal_naive(plan=data["plan"]).outputs["model"]
    further = train_models(**data, tuned=tuned, settings=given["training"]).outputs["models"]
    return _Trained(tuned, {"linear": linear, "seasonal_naive": naive, "further": further})


def _publish(source: Source, prepared: Prepared, **about: Any) -> dsl.PipelineTask:
    kept = {name: dataset for name, dataset in prepared._asdict().items() if name not in NOT_PUBLISHED}
    history, metadata = source.raw.outputs["history"], source.metadata.outputs["metadata"]
    return publish(**kept, history=history, metadata=metadata, **about)


@dsl.pipeline(name=NAME, description=DESCRIPTION)
def forecast_pipeline(
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
    split: str = "0.7/0.1/0.2",
    duplicates: str = "last",
    period: str = "",
    season_length: int = 0,
    past: str = "",
    statistics: dict[str, Any] = DEFAULTS["statistics"],
    outlier_width: float = 1.5,
    outlier_action: str = "flag",
    max_outlier_share: float = 0.05,
    preserve_last: bool = False,
    fill: str = "",
    filling: dict[str, Any] = DEFAULTS["filling"],
    fill_edge: str = "leave",
    max_gap_points: int = 0,
    resampling: dict[str, Any] = DEFAULTS["resampling"],
    decomposition: dict[str, Any] = DEFAULTS["decomposition"],
    anomalies: dict[str, Any] = DEFAULTS["anomalies"],
    level_changes: dict[str, Any] = DEFAULTS["level_changes"],
    handling: dict[str, Any] = DEFAULTS["handling"],
    guard: dict[str, Any] = DEFAULTS["guard"],
    scaler: str = "standard",
    horizon: int = 0,
    input_size: int = 0,
    stride: int = 1,
    tuning: dict[str, Any] = DEFAULTS["tuning"],
    training: dict[str, Any] = DEFAULTS["training"],
    promotion: dict[str, Any] = DEFAULTS["promotion"],
    model_name: str = "forecaster",
    max_failed_share: float = 0.5,
) -> Outputs:
    """Clean, analyse and forecast the series of a source.

    Args:
        source: File, folder, glob, database URL or other URI of the observations; empty: a lake is read.
        lake: Lake whose observations are read instead, and that the results of the interval are published to.
        time: Column of the observation times; empty: found from the data.
        value: Column of the values; empty: found from the data.
        id: Column of the series' names; empty: found from the data.
        wide: Every column but the time column is a series.
        extra: Further columns that travel along: names with commas between, or all.
        zone: Time zone of times without an offset, and of days and months.
        time_format: strptime format of the times, where the data alone cannot tell.
        start: First instant of the run's interval.
        end: First instant after the run's interval.
        lookback: How far before start a lake is read, such as 60d, or all; empty: what the seasons of its series want.
        reading: How the source is read: table, query, delimiter, encoding, decimal.
        metadata: File or database URL with the type, unit and ranges of each series.
        catalogue: How the metadata are read: table, query, id, encoding, name.
        split: Training, validation and test part: shares of each series, or numbers of its rows.
        duplicates: What stands where one instant has several values: last, first, mean, median or error.
        period: Period of every series, such as 15min, 1h, 1mo or 1bd; empty: found from the data.
        season_length: Points in a season; 0: from the calendar.
        past: Results of an earlier run, whose estimates of the periods count as well.
        statistics: How series are described: stationarity_points, sample_start, sample_end.
        outlier_width: Distance of the fences from the quartiles, in interquartile ranges.
        outlier_action: What becomes of outliers: flag, flag_only, null or clip.
        max_outlier_share: Largest share of a series' points that this is done to; what goes beyond is marked and kept.
        preserve_last: Mark no gap in the last period before `end`.
        fill: Strategy of gap filling for every series; empty: the best on masked known points.
        filling: What the best strategy is chosen from: variants, window.
        fill_edge: Missing points before the first or after the last known one: leave or nearest.
        max_gap_points: Longest run of missing points that is filled; 0: any.
        resampling: Whether regular series are brought to another period: to, how, up, edges.
        decomposition: How trend and season are taken out: method, seasons, robust, fast.
        anomalies: Which remainders are anomalies: limits, width, low, high.
        level_changes: From where on shifts and drifts of the level are told: window, shift_width, drift_width.
        handling: What becomes of anomalies: choice, variants, alpha.
        guard: Whether cleaning is kept for forecasting: mode, min_gain.
        scaler: How series are scaled: standard, minmax, robust or power.
        horizon: Steps to forecast; 0: from the period.
        input_size: Points that a forecast looks back on; 0: from period and horizon.
        stride: Rows from one window's start to the next.
        tuning: How the parameters of models are searched for: trials, algorithm, engine.
        training: Which models are fitted beside the linear one, and how: models, distribution, workers, seed.
        promotion: When a model takes the place of the champion: metric, min_improvement.
        model_name: Name of the model in the registry.
        max_failed_share: Largest share of failed series that the run goes on with.

    Returns:
        The results folder, the champion, its scores and card, the report, and what was published to the lake.
    """
    given: dict[str, Any] = {name: argument for name, argument in locals().items() if name != "given"}
    came = bring_in(given)
    return forecast(given, came, prepare(given, all_rows(came)))
