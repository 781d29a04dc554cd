"""Metrics of a run from the sums of its series, and the choice of the champion."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from sparkhu.evaluation.backtest import COUNTS, SUMS
from sparkhu.models.candidates import SEASONAL_NAIVE

UNITS = "standardised by each series' training interval"
METRICS = ("mse", "mae", "rmse", "smape", "mase", "wape", "coverage_80", "coverage_95")


class Champion(NamedTuple):
    """Which model forecasts.

    Attributes:
        name: The model.
        note: The sentence that says why.
        scores: Mean absolute error of each model, over the series that all were scored on; empty without any.
    """

    name: str
    note: str
    scores: dict[str, float]


def choose_champion(scores: pl.DataFrame, *, models: Sequence[str]) -> Champion:
    """Choose the model with the lowest mean absolute error, in standardised units, as a mean over series.

    Args:
        scores: `score_shard(part="choose")` of all shards: the choosing half of validation, never the test part.
        models: Names, the simplest last: it wins ties.

    Only series that every model could be scored on are compared; where there are none, seasonal naive forecasts, and
    the note says so.
    """
    errors = scores.with_columns(mae=pl.col("absolute") / pl.col("points"))
    complete = errors.filter(pl.col("model").n_unique().over("unique_id") == len(models))
    if complete.is_empty():
        return Champion(SEASONAL_NAIVE, f"{SEASONAL_NAIVE} forecasts: no validation window scores every model", {})
    means = {name: _mean(complete.filter(pl.col("model") == name)["mae"]) or 0.0 for name in models}
    best = min(reversed(models), key=lambda name: means[name])
    series = complete["unique_id"].n_unique()
    told = ", ".join(f"{name} {means[name]:.4g}" for name in models)
    return Champion(
        best, f"{best} forecasts: mean absolute error on the validation of {series:,} series: {told}", means
    )


def metrics_document(scores: pl.DataFrame, *, champion: str | None, models: Sequence[str]) -> dict[str, Any]:
    """Make the content of `metrics.json`.

    Args:
        scores: `score_shard(part="test")` of all shards.
        champion: The model that forecasts.
        models: Names of the models to report.

    Returns:
        Per model over all: the mean over series (rmse: the root of the mean mse). Per group: pooled over all
        points. Per series: pooled over its points. A metric that is not defined is None.
    """
    per_series = with_metrics(scores)
    pooled = with_metrics(scores.group_by("group", "model").agg(pl.col(*COUNTS, *SUMS).sum()))
    return {
        "schema_version": 1,
        "units": UNITS,
        "champion": champion,
        **{name: _over_all(per_series.filter(pl.col("model") == name)) for name in models},
        "groups": {
            str(group): _by_model(part) for (group,), part in sorted(pooled.partition_by("group", as_dict=True).items())
        },
        "series": [
            {"unique_id": series, "group": group, **_by_model(part)}
            for (series, group), part in per_series.partition_by(
                "unique_id", "group", as_dict=True, maintain_order=True
            ).items()
        ],
    }


def with_metrics(sums: pl.DataFrame) -> pl.DataFrame:
    """Add the metrics that the sums of a row give; null where they are not defined."""
    points, own = pl.col("points"), pl.col("actual_own")
    mse = pl.col("squared") / points
    return sums.with_columns(
        mse=mse,
        mae=pl.col("absolute") / points,
        rmse=mse.sqrt(),
        smape=pl.col("percentage") / points,
        mase=_ratio(pl.col("scaled"), pl.col("scaled_points")),
        wape=_ratio(pl.col("absolute_own"), own),
        coverage_80=_ratio(pl.col("inside_80"), pl.col("interval_points_80")),
        coverage_95=_ratio(pl.col("inside_95"), pl.col("interval_points_95")),
    )


def _ratio(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    return pl.when(below > 0).then(above / below)


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return float(mean) if isinstance(mean, float) else None


def _over_all(rows: pl.DataFrame) -> dict[str, Any]:
    means: dict[str, Any] = {name: _mean(rows[name]) for name in METRICS}
    means["rmse"] = None if means["mse"] is None else math.sqrt(means["mse"])
    return {**means, "windows": int(rows["windows"].sum()), "points": int(rows["points"].sum())}


def _by_model(rows: pl.DataFrame) -> Mapping[str, Any]:
    names = ("model", *METRICS, "windows", "points")
    return {row.pop("model"): row for row in rows.sort("model").select(names).iter_rows(named=True)}
