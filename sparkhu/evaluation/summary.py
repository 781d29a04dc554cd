"""Metrics of a run from the sums of its series."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from sparkhu.evaluation.backtest import COUNTS, SUMS

UNITS = "standardised by each series' training interval"
METRICS = ("mse", "mae", "rmse", "smape", "mase", "wape", "coverage_80", "coverage_95")


def metrics_document(
    scores: pl.DataFrame, *, champion: str | None, models: Sequence[str], gate: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Make the content of `metrics.json`.

    Args:
        scores: `score_shard(part="test")` of all shards.
        champion: The model that forecasts.
        models: Names of the models to report.
        gate: What the champion was chosen by, as `sparkhu.evaluation.gate.Gate` gives it.

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
        "gate": None if gate is None else dict(gate),
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


def pooled_metric(sums: pl.DataFrame, metric: str) -> float | None:
    """Give a metric over all points of some rows of sums; None where it is not defined."""
    value = with_metrics(sums.select(pl.col(*COUNTS, *SUMS).sum()))[metric][0]
    return float(value) if value is not None and math.isfinite(value) else None


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
