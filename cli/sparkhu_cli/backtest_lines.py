"""What `sparkhu backtest` says: a line a fold, then the table of errors."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sparkhu_cli.terminal import OK, Terminal, number_text, seconds_text

if TYPE_CHECKING:
    from sparkhu.backtesting.running import Backtest, Progress
    from sparkhu.stages.backtesting import Asked

MEASURES: Final = {
    "mse": "MSE",
    "mae": "MAE",
    "smape": "sMAPE",
    "mase": "MASE",
    "owa": "OWA",
    "relative_mae": "MAE/naive",
    "coverage_80": "in 80 %",
    "coverage_95": "in 95 %",
}


class BacktestLines:
    """Turns what a backtest tells into lines.

    Args:
        terminal: Where to write.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._seconds: dict[tuple[str, int], dict[str, float]] = {}

    def reading(self, source: str) -> None:
        """Say that the source is being read."""
        from sparkhu.sources import redacted

        self._terminal.passing(f"  reading {redacted(source)}")

    def read(self, asked: "Asked") -> None:
        """Say what was read."""
        series = asked.rows["unique_id"].n_unique()
        self._terminal.marked(OK, f"{series:,} series with {asked.rows.height:,} rows")
        for note in asked.notes:
            self._terminal.aside(f"    {note}")

    def on_progress(self, progress: "Progress") -> None:
        """Take one thing that a backtest tells; a fold becomes a line when its scores are made."""
        fold = progress.fold
        place = f"{fold.group} fold {fold.number} of {progress.of}"
        took = self._seconds.setdefault((fold.group, fold.number), {})
        if progress.seconds is not None:
            took[progress.at] = progress.seconds
        elif progress.at == "scores":
            parts = [f"from {fold.cutoff:%Y-%m-%d %H:%M}", *[f"{at} {seconds_text(took[at])}" for at in took]]
            self._terminal.marked(OK, f"{place}: {', '.join(parts)}")
            self._terminal.passing(f"  {place}: scores")
        else:
            self._terminal.passing(f"  {place}: {progress.at}")

    def finished(self, done: "Backtest", out: Path) -> None:
        """Show the errors of every model, and what needs attention."""
        metrics, terminal = done.metrics, self._terminal
        overall = {name: metrics[name] for name in _models(metrics)}
        shown = [name for name in MEASURES if any(errors[name] is not None for errors in overall.values())]
        groups = dict(metrics["groups"])
        tables = {"all": overall, **groups} if len(groups) > 1 else {next(iter(groups)): overall}
        rows = [
            [group if number == 0 else "", _crowned(name, metrics["best"]), *_cells(errors, shown)]
            for group, models in tables.items()
            for number, (name, errors) in enumerate(models.items())
        ]
        terminal.clear()
        terminal.line()
        sides = ("<", "<", *[">" for _ in shown])
        terminal.table(("group", "model", *[MEASURES[name] for name in shown]), rows, sides)  # type: ignore[arg-type]
        pooled = "; of a group over its points" if len(groups) > 1 else ""
        terminal.aside(f"* lowest {MEASURES[metrics['best_by']]}; means over {metrics['series']:,} series{pooled}")
        terminal.aside(f"MSE and MAE in {metrics['units']}")
        _attention(metrics, overall, terminal)
        terminal.line(f"{out / 'metrics.json'} holds the errors, {out / 'series.parquet'} those of each series")


def _attention(metrics: dict[str, Any], overall: dict[str, Any], terminal: Terminal) -> None:
    if metrics["leaks"]["status"] == "none found":
        terminal.marked(OK, "no forecast that was compared changes with what lies behind its cutoff")
        if unchecked := [name for name in overall if name not in metrics["leaks"]["models"]]:
            terminal.marked("!", f"not compared, as they forecast nothing there: {', '.join(unchecked)}")
    else:
        terminal.marked("!", "nobody looked for leaks")
    if metrics["left_out"]:
        terminal.marked("!", f"{metrics['left_out']:,} series left out of a fold or of all; ledger.parquet says why")
    for name, errors in overall.items():
        if errors["stood_in"]:
            many = f"{errors['stood_in']:,} of {errors['windows']:,} windows"
            terminal.marked("!", f"seasonal naive stood in for {name} in {many}")


def _models(metrics: dict[str, Any]) -> list[str]:
    return [name for name, value in metrics.items() if isinstance(value, dict) and "mse" in value]


def _crowned(name: str, best: str) -> str:
    return f"{name} *" if name == best else name


def _cells(errors: dict[str, Any], shown: list[str]) -> list[str]:
    return [number_text(errors[name]) for name in shown]
