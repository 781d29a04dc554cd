"""The table at the end of a run: how good each model is, beside seasonal naive."""

from collections.abc import Mapping
from typing import Any, Final

from sparkhu_cli.terminal import Terminal, number_text

MEASURES: Final = ("mse", "mae", "smape", "mase")
TITLES: Final = ("MSE", "MAE", "sMAPE", "MASE")


def show_accuracy(metrics: Mapping[str, Any], terminal: Terminal) -> None:
    """Show the errors of every model over all series, as the report does, and where there are several, per group.

    Over all series an error is the mean over series; of a group it is that over all points of its series.

    Args:
        metrics: The document `metrics.json`.
        terminal: Where to.
    """
    from sparkhu.report.accuracy import read_accuracy

    accuracy = read_accuracy(metrics)
    if not accuracy.models:
        return
    sizes = accuracy.per_series["group"].value_counts() if accuracy.per_series.height else None
    counts: dict[str, int] = dict(sizes.iter_rows()) if sizes is not None else {}
    groups = dict(accuracy.groups)
    several = len(groups) != 1
    label = "all" if several else next(iter(groups))
    groups[label] = accuracy.models
    if several:
        counts[label] = sum(counts.values())
    rows = []
    for group, models in groups.items():
        for number, model in enumerate(name for name in accuracy.models if name in models):
            crowned = f"{model} *" if model == accuracy.champion else model
            measures = [number_text(models[model].get(measure)) for measure in MEASURES]
            head = (group, f"{counts[group]:,}" if group in counts else "") if number == 0 else ("", "")
            rows.append([*head, crowned, *measures])
    terminal.line()
    terminal.table(("group", "series", "model", *TITLES), rows, ("<", ">", "<", ">", ">", ">", ">"))
    pooled = "; of a group over its points, of all the mean over series" if several else ", the mean over series"
    terminal.aside(f"* champion; MSE and MAE {accuracy.units}".rstrip() + pooled)
    chosen, tested = accuracy.gate
    if chosen is not None:
        terminal.aside(
            f"pooled over all points, its error is {number_text(chosen)} of seasonal naive's where it was chosen, "
            f"{number_text(tested)} on the test part"
        )
