"""The parts of the page below the summary, as HTML. A part that a results folder lacks says so."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from sparkhu.report.accuracy import NAIVE, Accuracy
from sparkhu.report.graph import draw_graph
from sparkhu.report.markup import absent, escape, facts, grid, number, percent, plural, seconds
from sparkhu.report.overview import Overview
from sparkhu.report.reading import Results
from sparkhu.report.summary import model_name
from sparkhu.report.tables import Table, count_by

MEASURES = (
    ("mae", "MAE"),
    ("mse", "MSE"),
    ("rmse", "RMSE"),
    ("smape", "sMAPE, %"),
    ("mase", "MASE"),
    ("wape", "WAPE"),
    ("coverage_80", "In 80 %"),
    ("coverage_95", "In 95 %"),
    ("windows", "Windows"),
    ("points", "Points"),
)
BINS = 24
MOST_KINDS = 12
MOST_SOURCES = 50


def accuracy_section(accuracy: Accuracy, overview: Overview) -> str:
    """Give the models beside each other, the spread over the series, and the groups."""
    if not accuracy.models:
        return absent("No metrics.json in this run: models were not evaluated.")
    units = f" Errors are {escape(accuracy.units)}, the mean over series." if accuracy.units else ""
    lead = escape(model_name(accuracy.lead))
    caption = f'<p class="note">On the test interval, against observed values only; lower is better.{units}</p>'
    spread = _spread(overview.frame["ratio"].drop_nulls().to_numpy(), lead)
    return caption + _models(accuracy) + spread + _groups(accuracy)


def _models(accuracy: Accuracy) -> str:
    models = accuracy.models.values()
    shown = [(key, label) for key, label in MEASURES if any(model.get(key) is not None for model in models)]
    best = {
        key: min(value for model in models if (value := model.get(key)) is not None)
        for key, _ in shown
        if key not in ("windows", "points") and not key.startswith("coverage")
    }
    rows = []
    for name, model in accuracy.models.items():
        badge = ' <span class="badge">champion</span>' if name == accuracy.champion else ""
        cells = [_measure(key, model.get(key), best.get(key)) for key, _ in shown]
        rows.append([f"{escape(model_name(name))}{badge}", *cells])
    return grid(["Model", *[label for _, label in shown]], rows)


def _measure(key: str, value: float | None, best: float | None) -> str:
    if key.startswith("coverage"):
        return percent(value)
    text = number(value) if key not in ("windows", "points") or value is None else f"{value:,.0f}"
    return f"<b>{text}</b>" if value is not None and value == best else text


def _spread(ratios: np.ndarray[Any, np.dtype[np.float64]], lead: str) -> str:
    """Give how the series spread around seasonal naive: a histogram of the ratio of errors, in doublings."""
    if len(ratios) < 2:
        return ""
    reach = float(np.clip(np.abs(np.log2(np.maximum(ratios, 1e-9))).max(), 0.25, 2))
    places = np.clip(np.log2(np.maximum(ratios, 1e-9)) / reach, -1, 1)
    counts, borders = np.histogram(places, bins=BINS, range=(-1, 1))
    bars = []
    for count, left, right in zip(counts.tolist(), borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        low, high = 2 ** (left * reach), 2 ** (right * reach)
        title = f"{plural(count, 'series', 'series')} with {number(low)}–{number(high)} × the error of seasonal naive"
        height = 100 * count / counts.max()
        bars.append(f'<i class="{"good" if right <= 0 else "poor"}" style="height:{height:.1f}%" title="{title}"></i>')
    ends = (number(2**-reach, 2), number(2**reach, 2))
    better, worse = int((ratios < 1).sum()), int((ratios > 1).sum())
    shown = plural(len(ratios), "series", "series")
    return (
        f'<figure class="spread"><figcaption>MAE of {lead} ÷ MAE of seasonal naive, {shown}</figcaption>'
        f'<div class="sides"><span>← better on {better:,}</span><span>worse on {worse:,} →</span></div>'
        f'<div class="bars">{"".join(bars)}</div>'
        f'<div class="scale"><span>{ends[0]}×{"" if reach < 2 else " or less"}</span><span>1×</span>'
        f"<span>{ends[1]}×{'' if reach < 2 else ' or more'}</span></div></figure>"
    )


def _groups(accuracy: Accuracy) -> str:
    if len(accuracy.groups) < 2:
        return ""
    rows = []
    for group, models in accuracy.groups.items():
        mae, naive = models.get(accuracy.lead or "", {}).get("mae"), models.get(NAIVE, {}).get("mae")
        ratio = mae / naive if mae is not None and naive else None
        rows.append([escape(group), number(mae), number(naive), "–" if ratio is None else f"{number(ratio)}×"])
    heads = ["Group (period/season)", f"MAE {escape(model_name(accuracy.lead))}", "MAE seasonal naive", "Ratio"]
    return f'<h3>By group</h3><p class="note">Over all points of the series of a group.</p>{grid(heads, rows)}'


def pipeline_section(results: Results) -> str:
    """Give the graph of steps with times."""
    history = results.history
    if not history:
        return absent("No history.json in this run: its steps are not known.")
    total = sum(float(record.get("seconds") or 0) for record in history)
    note = "A bar shows when a step ran; lines lead to the steps that used its result."
    return f'<p class="note">{plural(len(history), "step")}, {seconds(total)} of work. {note}</p>{draw_graph(history)}'


def table_host(table: Table | None, file: str, empty: str) -> str:
    """Give the place where the browser builds a large table, or say why there is none."""
    if table is None:
        return absent(f"No {file} in this run.")
    if table.total == 0:
        return f'<p class="calm">{escape(empty)}</p>'
    capped = (
        f'<p class="note">The first {table.shown:,} of {table.total:,} rows; all of them are in {escape(file)}.</p>'
        if table.shown < table.total
        else ""
    )
    return f'{capped}<div class="table" data-table="{escape(table.name)}"></div>'


def ledger_section(results: Results, table: Table | None) -> str:
    """Give what became of the series, step by step, and the entries."""
    host = table_host(table, "ledger.parquet", "The ledger is empty.")
    ledger = results.table("ledger")
    if ledger is None or table is None or not table.total:
        return host
    tallies = [(pl.col("status") == status).sum().alias(status) for status in ("ok", "skipped", "failed")]
    by_step = ledger.group_by("step", maintain_order=True).agg(tallies).collect()
    rows = [
        [escape(step), f"{passed:,}", _tally(skipped, "warn"), _tally(failed, "bad")]
        for step, passed, skipped, failed in by_step.rows()
    ]
    heads = ["Step", "ok", "skipped", "failed"]
    return f"<details><summary>Counts by step</summary>{grid(heads, rows)}</details>{host}"


def _tally(count: int, kind: str) -> str:
    return f'<b class="{kind}">{count:,}</b>' if count else f"{count:,}"


def counted_section(results: Results, table: Table | None, column: str, empty: str) -> str:
    """Give a table of rows under the counts of its kinds or reasons."""
    if table is None or not table.total:
        name = "quarantine" if column == "reason" else "duplicates"
        return table_host(table, f"{name}.parquet", empty)
    counts = count_by(results.table(table.name), column)[:MOST_KINDS]
    items = "".join(f"<li><b>{count:,}</b> {escape(value)}</li>" for value, count in counts)
    return f'<ul class="tallies">{items}</ul>' + table_host(table, f"{table.name}.parquet", empty)


def lineage_section(results: Results) -> str:
    """Give what the results were made from and how: source, fingerprints, parameters, code, notes."""
    if not results.run and not results.history:
        return absent("No run.json and no history.json in this run: its source and parameters are not known.")
    history = results.history
    notes = [*_texts(results.run.get("notes")), *[note for record in history for note in _texts(record.get("notes"))]]
    listed = "".join(f"<li>{escape(note)}</li>" for note in dict.fromkeys(notes))
    found = f"<h3>Found from the data or chosen by default</h3><ul>{listed}</ul>" if notes else ""
    return found + facts(_run_facts(results)) + _parameters(history)


def _run_facts(results: Results) -> dict[str, Any]:
    """Give the facts of `run.json`, and from the history those that it lacks."""
    shown = {"steps", "notes", "parameters", "sources", "inputs"}
    stated = {name: value for name, value in results.run.items() if name not in shown}
    codes = dict.fromkeys(str(record["code"]) for record in results.history if record.get("code"))
    if codes and not {"code", "code_version"} & stated.keys():
        stated["code"] = ", ".join(codes)
    sources = results.sources
    more = [f"and {len(sources) - MOST_SOURCES:,} more"] if len(sources) > MOST_SOURCES else []
    return {"sources": [*sources[:MOST_SOURCES], *more], "parameters": results.parameters, **stated}


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _parameters(history: Iterable[Mapping[str, Any]]) -> str:
    steps = [(str(record["step"]), record["params"]) for record in history if record.get("params")]
    if not steps:
        return ""
    listed = "".join(f"<h4>{escape(step)}</h4>{facts(params)}" for step, params in steps)
    return f"<details><summary>Parameters of every step</summary>{listed}</details>"
