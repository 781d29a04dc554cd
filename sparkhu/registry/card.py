"""The model card: what a model is, what it was made from, how good it is, and where its limits are."""

from collections.abc import Mapping
from typing import Any

from sparkhu.lineage import Trail
from sparkhu.registry.promotion import Decision
from sparkhu.registry.versions import ModelVersion

WHAT = {
    "linear": "A linear map from the last input_size points to the horizon, one per group of series, fitted in closed "
    "form by ridge regression.",
    "seasonal_naive": "Each forecast repeats the value of one season ago.",
}
LIMITS = (
    "It forecasts the series that it was trained on. Errors were measured with weights fitted on the training part "
    "alone; the weights that forecast were fitted on all windows at the same ridge strength."
)
COLUMNS = {
    "mse": "MSE",
    "mae": "MAE",
    "smape": "sMAPE",
    "mase": "MASE",
    "coverage_80": "in 80 %",
    "coverage_95": "in 95 %",
}


def model_card(version: ModelVersion, flavor: str, decision: Decision, metrics: Mapping[str, Any], trail: Trail) -> str:
    """Write the card of a registered model as Markdown.

    Args:
        version: The version.
        flavor: Kind of forecaster.
        decision: Whether it is the champion, and why.
        metrics: Content of `metrics.json`.
        trail: History and ledger up to the model.
    """
    models = [model for model in metrics if isinstance(metrics[model], Mapping) and "mse" in metrics[model]]
    rows = [_row(model, [_number(metrics[model][column]) for column in COLUMNS]) for model in models]
    sources = [source for record in trail.history for source in record.sources]
    left_out = trail.entries.filter(trail.entries["status"] == "failed")["unique_id"].n_unique()
    return "\n".join(
        [
            f"# {version.name}, version {version.version}: {flavor}",
            "",
            WHAT.get(flavor, flavor),
            "",
            f"{'Champion' if decision.champion == version.version else 'Not champion'}: {decision.reason}.",
            "",
            "## Errors on the test part",
            "",
            f"Against observed values only; MSE and MAE {metrics['units']}.",
            "",
            _row("model", list(COLUMNS.values())),
            _row("---", ["---:"] * len(COLUMNS)),
            *rows,
            "",
            "## Made from",
            "",
            *[f"- `{source['uri']}`: {source['rows']:,} rows, SHA-256 `{source['sha256']}`" for source in sources],
            f"- {len(metrics['series']):,} series scored, {left_out:,} left out",
            f"- code `{trail.history[-1].code}`",
            "",
            "## Limits",
            "",
            LIMITS,
            "",
        ]
    )


def _row(first: str, cells: list[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
