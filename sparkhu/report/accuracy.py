"""The models' errors, read from `metrics.json`: over all series, per group, and per series beside seasonal naive."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

NAIVE = "seasonal_naive"
BASELINES = (NAIVE, "last_value")
MEASURES = ("mse", "mae", "rmse", "smape", "mase", "wape", "coverage_80", "coverage_95")


@dataclass(frozen=True)
class Accuracy:
    """How good the models are.

    Attributes:
        models: Errors by model, over all series; the lead first, the baselines last.
        champion: The model that forecasts, or None where nothing was evaluated.
        lead: The model that is held against seasonal naive: the champion, or where a baseline stayed
            champion the first model that is none.
        groups: Errors by group, then by model.
        units: What the errors are measured in, in words.
        per_series: One row a series: unique_id, group, `mae_model`, `mae_naive`, `ratio` of the two, and
            the lead's other measures.
        by_series: Errors by series, then by model.
        gate: The champion's error over that of seasonal naive, pooled: on the windows that it was chosen by, and on
            the test part; None where there is none.
    """

    models: dict[str, dict[str, float | None]]
    champion: str | None
    lead: str | None
    groups: dict[str, dict[str, dict[str, float | None]]]
    units: str
    per_series: pl.DataFrame
    by_series: dict[str, dict[str, dict[str, float | None]]]
    gate: tuple[float | None, float | None] = (None, None)

    def overall(self, measure: str) -> tuple[float | None, float | None]:
        """Give a measure of the lead and of seasonal naive, over all series."""
        return self.models.get(self.lead or "", {}).get(measure), self.models.get(NAIVE, {}).get(measure)


def read_accuracy(metrics: Mapping[str, Any]) -> Accuracy:
    """Read the errors out of the document `metrics.json`; an empty document gives no models."""
    found = _models(metrics)
    champion = metrics.get("champion")
    lead = _lead(found, champion)
    ranked = sorted(found, key=lambda name: (name != lead, name in BASELINES, name != NAIVE, name))
    series, gate = metrics.get("series") or [], metrics.get("gate") or {}
    by_series = {str(entry["unique_id"]): _models(entry.get("models", entry)) for entry in series}
    groups = {str(name): _models(models) for name, models in (metrics.get("groups") or {}).items()}
    return Accuracy(
        models={name: found[name] for name in ranked},
        champion=None if champion is None else str(champion),
        lead=lead,
        groups={name: models for name, models in groups.items() if models},
        units=str(metrics.get("units") or ""),
        per_series=_per_series(series, by_series, lead),
        by_series=by_series,
        gate=(gate.get("ratio"), gate.get("test_ratio")),
    )


def _models(document: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Keep the entries that hold a model's measures: objects with at least one of them."""
    return {
        str(name): {key: _finite(value) for key, value in entry.items() if isinstance(value, (int, float))}
        for name, entry in document.items()
        if isinstance(entry, dict) and any(measure in entry for measure in MEASURES)
    }


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _lead(models: Mapping[str, object], champion: object) -> str | None:
    if champion in models and champion not in BASELINES:
        return str(champion)
    challengers = sorted(name for name in models if name not in BASELINES)
    return challengers[0] if challengers else next(iter(models), None)


def _per_series(
    series: list[dict[str, Any]], by_series: Mapping[str, Mapping[str, Mapping[str, float | None]]], lead: str | None
) -> pl.DataFrame:
    schema = {"unique_id": pl.String(), "group": pl.String(), "mae_naive": pl.Float64()}
    rows = []
    for entry in series:
        models = by_series[str(entry["unique_id"])]
        group = entry.get("group")
        measures = {f"model_{name}": models.get(lead or "", {}).get(name) for name in MEASURES}
        identity = {"unique_id": str(entry["unique_id"]), "group": None if group is None else str(group)}
        rows.append({**identity, "mae_naive": models.get(NAIVE, {}).get("mae"), **measures})
    measured = {f"model_{name}": pl.Float64() for name in MEASURES}
    frame = pl.DataFrame(rows, schema={**schema, **measured}, orient="row")
    ratio = pl.when(pl.col("mae_naive") > 0).then(pl.col("model_mae") / pl.col("mae_naive"))
    return frame.with_columns(ratio=ratio).unique("unique_id", keep="first", maintain_order=True)
