"""Serve a bundle: new observations in, forecasts out, cleaned and scaled as the bundle says.

MLflow loads registered models through `_load_pyfunc`, so this works wherever `sparkhu` is installed:

    >>> model = mlflow.pyfunc.load_model("models:/forecaster@champion")   # doctest: +SKIP
    >>> forecasts = model.predict(observations)                           # doctest: +SKIP
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.errors import InputError
from sparkhu.forecasting import forecast
from sparkhu.frame import accepts_pandas
from sparkhu.models.bundle import Bundle, read_bundle
from sparkhu.steps.deduplication import resolve_duplicates
from sparkhu.steps.filling import fill_last, fill_linear, fill_mean, fill_median, fill_next
from sparkhu.steps.gaps import mark_gaps
from sparkhu.steps.joining import join_series
from sparkhu.steps.resampling import resample_irregular

ZONE = "mark_gaps.zone"


class Served:
    """A bundle that answers with forecasts; the interface of MLflow's `pyfunc`."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002 - MLflow's name
        """Forecast H points of every series after its last known one.

        Args:
            model_input: Pandas (or Polars) frame with `unique_id, ds, y`: what was observed last, at least the
                model's `input_size` points of every series. Times may be ISO 8601 text, as JSON requests have them.
            params: Not used.

        Returns:
            `unique_id, cutoff, ds, model, y_hat, lo_80, hi_80, lo_95, hi_95, available_at`, H rows a series.

        Raises:
            InputError: A series is unknown to the model, or a column is missing or cannot be read.
        """
        return forecast_new(_with_times(model_input), self.bundle)


def _with_times(observations: Any) -> Any:
    """Read times that came as text, as in a request to an MLflow server."""
    import pandas as pd

    if not isinstance(observations, pd.DataFrame) or "ds" not in observations:
        return observations
    if not pd.api.types.is_string_dtype(observations["ds"]):
        return observations
    try:
        return observations.assign(ds=pd.to_datetime(observations["ds"], utc=True, format="ISO8601"))
    except ValueError as error:
        raise InputError(f"column 'ds' holds text that is no ISO 8601 time: {error}") from error


@accepts_pandas
def forecast_new(observations: pl.DataFrame, bundle: Bundle) -> pl.DataFrame:
    """Forecast new observations with a bundle; nothing is fitted.

    Args:
        observations: Sorted rows of series that the bundle knows.
        bundle: The bundle.

    Returns:
        As `sparkhu.forecasting.forecast` gives them.

    Raises:
        InputError: A series is unknown to the model.
    """
    known = bundle.profile["unique_id"]
    unknown = observations.filter(~pl.col("unique_id").is_in(known.implode()))["unique_id"].unique().sort()
    if len(unknown):
        raise InputError(
            f"series '{unknown[0]}' is unknown to model '{bundle.name}' ({len(unknown)} such). "
            "Leave it out, or train with it."
        )
    sequences, zone = prepare(observations, bundle), bundle.params.get(ZONE, "UTC")
    given = pl.col("unique_id").is_in(sequences["unique_id"].unique().implode())
    profile, scalers = bundle.profile.filter(given), bundle.scalers.filter(given)
    return forecast(
        sequences, profile, scalers, bundle.intervals, models=bundle.models, champion=bundle.flavor, zone=zone
    ).frames["forecasts"]


def prepare(observations: pl.DataFrame, bundle: Bundle) -> pl.DataFrame:
    """Bring new observations to the even spacing that the models were trained on.

    Args:
        observations: Rows of series that the bundle knows.
        bundle: Says period and fill strategy of each series. Values are taken as they are: no outlier is flagged.

    Returns:
        `sequences`, as `join_series` gives them.
    """
    rows = resolve_duplicates(observations.with_columns(pl.when(pl.col("y").is_finite()).then("y").alias("y")))
    present = pl.col("unique_id").is_in(rows["unique_id"].unique().implode())
    profile = bundle.profile.filter(present).sort("unique_id")
    regular = profile.filter(pl.col("decision") == "regular")
    ways = pl.col("unique_id").is_in(regular["unique_id"].implode())
    marked = mark_gaps(rows.filter(ways), regular, zone=bundle.params.get(ZONE, "UTC")).frames["observations"]
    grid = resample_irregular(rows.filter(~ways), profile.filter(~ways)).frames
    joined = join_series(_filled(marked, bundle), grid["observations"], profile, grid["profile"])
    return joined.frames["sequences"]


def _filled(rows: pl.DataFrame, bundle: Bundle) -> pl.DataFrame:
    """Fill each series with the strategy that was chosen for it in training."""
    parts = []
    chosen = rows.join(bundle.choices.select("unique_id", "strategy"), on="unique_id", how="left")
    for (strategy,), part in chosen.sort("unique_id", "ds").partition_by("strategy", as_dict=True).items():
        frame = part.drop("strategy")
        edge = bundle.params.get(f"fill_{strategy}.edge", "leave")
        limit = bundle.params.get(f"fill_{strategy}.max_gap_points", 0)
        match strategy:
            case "mean":
                parts.append(fill_mean(frame, max_gap_points=limit))
            case "median":
                parts.append(fill_median(frame, max_gap_points=limit))
            case "last":
                parts.append(fill_last(frame, edge=edge, max_gap_points=limit))
            case "next":
                parts.append(fill_next(frame, edge=edge, max_gap_points=limit))
            case "linear":
                parts.append(fill_linear(frame, edge=edge, max_gap_points=limit))
            case _:
                parts.append(frame)
    return pl.concat([rows.clear(), *parts], how="diagonal").sort("unique_id", "ds")


def _load_pyfunc(data_path: str) -> Served:
    """Open the bundle of a registered model; MLflow calls it by this name."""
    return Served(read_bundle(Path(data_path)))
