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
from sparkhu.steps.result import StepResult


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
    finite = observations.with_columns(y=pl.when(pl.col("y").is_finite()).then("y"))
    return serve(resolve_duplicates(finite), bundle=bundle).frames["forecasts"]


def serve(observations: pl.DataFrame, *, bundle: Bundle) -> StepResult:
    """Prepare the new rows of a shard as training did its own, and forecast each series.

    Args:
        observations: Sorted rows, one an instant.
        bundle: The bundle.

    Returns:
        `forecasts`, as `sparkhu.forecasting.forecast` gives them, and `sequences`, the rows that they were made from. A
        series that the bundle does not know, or that cannot be brought to its period, is `failed` in the ledger.
    """
    prepared = bundle.prepare(observations)
    sequences, profile = prepared.frames["sequences"], prepared.frames["profile"]
    scalers = bundle.scalers.join(profile.select("unique_id"), on="unique_id", how="semi")
    made = forecast(
        sequences,
        profile,
        scalers,
        bundle.intervals,
        models=bundle.models,
        champion=bundle.flavor,
        zone=bundle.preparation.zone,
    )
    unknown = prepared.ledger.filter(pl.col("status") == "failed")
    frames = {"forecasts": made.frames["forecasts"], "sequences": sequences}
    return StepResult(frames, pl.concat([unknown, made.ledger]))


def _load_pyfunc(data_path: str) -> Served:
    """Open the bundle of a registered model; MLflow calls it by this name."""
    return Served(read_bundle(Path(data_path)))
