"""What a backtest says: `metrics.json` and the table of the series, from sums of errors."""

import math
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any, Final

import polars as pl

from sparkhu.backtesting.fitting import NAIVE2
from sparkhu.backtesting.schema import BacktestMetrics, BacktestScores
from sparkhu.evaluation.metrics import owa
from sparkhu.evaluation.summary import with_metrics
from sparkhu.models.candidates import SEASONAL_NAIVE

UNITS: Final = "standard deviations of what each series held before the cutoff; under the preset ett before validation"
METRICS: Final = ("mse", "mae", "rmse", "smape", "mase", "wape", "pinball", "coverage_80", "coverage_95")
BEST: Final = ("owa", "mae")
"""What the best model is the lowest in: the first of these that every model has."""


def document(
    scores: pl.DataFrame,
    *,
    folds: Sequence[dict[str, Any]],
    protocol: object,
    checked: Sequence[str] | None,
    left_out: int,
    notes: Sequence[str],
) -> dict[str, Any]:
    """Make the content of `metrics.json`.

    Args:
        scores: Sums of errors, as `Scorer.scores` gives them.
        folds: Every fold, described.
        protocol: A dataclass that says how the backtest asked.
        checked: Models that were checked for leaks; None: nobody looked.
        left_out: How many series a fold left out.
        notes: What was chosen, and why.

    Returns:
        Per model over all: the mean over series (rmse: the root of the mean mse). Per group: pooled over all points.
        `relative_mae` is pooled in both. A metric that is not defined is None.
    """
    per_series = series_table(scores)
    pooled = _with_all(_summed(scores, "group"), "group")
    overall = _over_all(per_series, scores)
    by = next((name for name in BEST if all(each[name] is not None for each in overall.values())), "mae")
    best = min(overall, key=lambda name: (overall[name][by], name))
    parameters = asdict(protocol) if is_dataclass(protocol) and not isinstance(protocol, type) else {}
    made = {
        "schema_version": 1,
        "protocol": {"name": type(protocol).__name__.lower(), **parameters},
        "units": UNITS,
        "best": best,
        "best_by": by,
        "leaks": {"status": "not looked for" if checked is None else "none found", "models": list(checked or [])},
        "series": per_series["unique_id"].n_unique(),
        "left_out": left_out,
        "folds": list(folds),
        "groups": {
            str(group): {row.pop("model"): row for row in part.select("model", *_NAMES).iter_rows(named=True)}
            for (group,), part in sorted(pooled.partition_by("group", as_dict=True).items())
        },
        "notes": list(notes),
        **overall,
    }
    BacktestMetrics.model_validate(made)
    return made


def series_table(scores: pl.DataFrame) -> pl.DataFrame:
    """Give the errors of every model on every series, over all folds: one row a series and model.

    Args:
        scores: Sums of errors, as `Scorer.scores` gives them.
    """
    summed = _summed(scores, "unique_id", "group")
    return _with_all(summed, "unique_id").select("unique_id", "group", "model", *_NAMES)


_NAMES: Final = tuple(BacktestScores.model_fields)


def _summed(scores: pl.DataFrame, *keys: str) -> pl.DataFrame:
    sums = pl.exclude("unique_id", "group", "fold", "model").sum()
    return scores.group_by(*keys, "model", maintain_order=True).agg(sums)


def _with_all(summed: pl.DataFrame, key: str) -> pl.DataFrame:
    """Add every metric, those beside other models among them."""
    points = pl.col("pinball_points")
    found = with_metrics(summed).with_columns(pinball=pl.when(points > 0).then(pl.col("pinball") / points))
    yardsticks = found.filter(pl.col("model") == NAIVE2).select(key, smape2="smape", mase2="mase")
    seasonal = found.filter(pl.col("model") == SEASONAL_NAIVE).select(key, seasonal="absolute")
    beside = found.join(yardsticks, on=key, how="left", maintain_order="left")
    beside = beside.join(seasonal, on=key, how="left", maintain_order="left")
    defined = (pl.col("smape2") > 0) & (pl.col("mase2") > 0)
    named = {"smape": "smape", "mase": "mase", "naive2_smape": "smape2", "naive2_mase": "mase2"}
    weighted = owa(**{name: pl.col(column) for name, column in named.items()})
    # Polars multiplies by the inverse of a column that holds one value, and seasonal naive would be .9999 of itself.
    relative = pl.Series(beside["absolute"].to_numpy() / beside["seasonal"].to_numpy())
    return beside.with_columns(
        owa=pl.when(defined).then(weighted), relative_mae=pl.when(pl.col("seasonal") > 0).then(relative)
    )


def _over_all(per_series: pl.DataFrame, scores: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Give the mean over series of every metric, and what is made of these means."""
    means: dict[str, dict[str, Any]] = {}
    for name in per_series["model"].unique(maintain_order=True):
        rows = per_series.filter(pl.col("model") == name)
        means[name] = {metric: rows[metric].mean() for metric in METRICS}
        means[name] |= {count: int(rows[count].sum()) for count in ("windows", "points", "stood_in")}
        means[name]["rmse"] = math.sqrt(means[name]["mse"])
    naive2 = means.get(NAIVE2, {})
    absolute = dict(scores.group_by("model").agg(pl.col("absolute").sum()).iter_rows())
    for name, errors in means.items():
        errors["owa"] = _owa(errors, naive2)
        whole = absolute.get(SEASONAL_NAIVE, 0.0)
        errors["relative_mae"] = absolute[name] / whole if whole > 0 else None
    return {name: {metric: errors[metric] for metric in _NAMES} for name, errors in means.items()}


def _owa(errors: dict[str, Any], naive2: dict[str, Any]) -> float | None:
    if not naive2 or not naive2["smape"] or not naive2["mase"] or errors["mase"] is None:
        return None
    beside: dict[str, float] = {"naive2_smape": naive2["smape"], "naive2_mase": naive2["mase"]}
    return owa(smape=float(errors["smape"]), mase=float(errors["mase"]), **beside)
