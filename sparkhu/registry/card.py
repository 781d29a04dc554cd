"""The model card: what a model is, what it was made from, how good it is, and where its limits are."""

from collections.abc import Mapping
from typing import Any

from sparkhu.evaluation.gate import Gate
from sparkhu.lineage import Trail
from sparkhu.registry.promotion import Decision

WHAT = {
    "linear": "A linear map from the last input_size points to the horizon, one per group of series, fitted in closed "
    "form by ridge regression.",
    "seasonal_naive": "Each forecast repeats the value of one season ago, or the last value where the input holds no "
    "season.",
}
LIMITS = (
    "It forecasts the series that it was trained on. Errors were measured with weights fitted on the training part "
    "alone; the weights that forecast were fitted on all windows at the same ridge strength."
)
BIAS = (
    "These windows also tuned the models of the run, and were new to the champion: the comparison favours the run. "
    "`promotion.min_improvement` is the share by which it must do better."
)
COLUMNS = {
    "mse": "MSE",
    "mae": "MAE",
    "smape": "sMAPE",
    "mase": "MASE",
    "coverage_80": "in 80 %",
    "coverage_95": "in 95 %",
}


def model_card(name: str, gate: Gate, decision: Decision | None, metrics: Mapping[str, Any], trail: Trail) -> str:
    """Write the card of the best model of a run as Markdown.

    Args:
        name: Name of the registered model.
        gate: Which model it is, and what it was compared on.
        decision: Whether it is the champion, and why; None: the registry was away.
        metrics: Content of `metrics.json`.
        trail: History and ledger up to the model.
    """
    models = [model for model in metrics if isinstance(metrics[model], Mapping) and "mse" in metrics[model]]
    rows = [_row(model, [_number(metrics[model][column]) for column in COLUMNS]) for model in models]
    sources = [source for record in trail.history for source in record.sources]
    left_out = trail.entries.filter(trail.entries["status"] == "failed")["unique_id"].n_unique()
    return "\n".join(
        [
            f"# {name}, {'not registered' if decision is None else f'version {decision.best}'}: {gate.champion}",
            "",
            WHAT.get(gate.champion, gate.champion),
            "",
            f"{_standing(decision)}.",
            "",
            "## Chosen by",
            "",
            *_chosen_by(gate),
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


def _standing(decision: Decision | None) -> str:
    if decision is None:
        return "Not registered: the registry was away; `sparkhu register RESULTS` registers it and compares it then"
    return f"{'Champion' if decision.champion == decision.best else 'Not champion'}: {decision.reason}"


def _chosen_by(gate: Gate) -> list[str]:
    """Say what the candidates were compared on, and how the best does beside seasonal naive."""
    if not gate.scores:
        return ["No validation window scores every model."]
    against = gate.reigning
    metric = gate.metric.upper()
    sizes = f"{gate.points:,} observed points of {gate.windows:,} windows of {gate.series:,} series"
    rule = f"The least wins; it must be better than that of a champion by {gate.min_improvement:.2%}."
    lines = [
        f"{metric} over {sizes}: {gate.window}. {rule}",
        "",
        _row("candidate", [metric]),
        _row("---", ["---:"]),
        *[_row(name, [_number(score)]) for name, score in gate.scores.items()],
        "",
        f"Pooled, over seasonal naive's: {_number(gate.ratio)} here, {_number(gate.test_ratio)} on the test part.",
    ]
    if against.note:
        return [*lines, "", f"{against.note[0].upper()}{against.note[1:]}."]
    return lines if against.score is None else [*lines, "", *_duel(gate)]


def _duel(gate: Gate) -> list[str]:
    """Say how the best of the run stands beside the champion, where both could forecast, and whom that favours."""
    against = gate.reigning
    return [
        f"Beside the champion, on the {against.windows:,} windows of {against.series:,} series that it can forecast:",
        "",
        _row("candidate", [gate.metric.upper()]),
        _row("---", ["---:"]),
        _row(gate.champion, [_number(against.challenger)]),
        _row(f"champion {against.version}, of an earlier run", [_number(against.score)]),
        "",
        BIAS,
    ]


def _row(first: str, cells: list[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
