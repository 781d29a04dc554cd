"""The answer first: what the run did, how good it is beside seasonal naive, and what needs attention."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

import polars as pl

from sparkhu.report.accuracy import BASELINES, NAIVE, Accuracy
from sparkhu.report.markup import absent, escape, number, percent, plural
from sparkhu.report.overview import CHANGED, Overview
from sparkhu.report.reading import Results
from sparkhu.report.tables import count_by

LOW_COVERAGE = 0.7
NOT_MEASURED = (
    "A forecast of new observations with a model that was there. How good it is, the report of the run that trained it "
    "says."
)
NOTHING_BESIDE = "No errors of models in this run, so nothing stands beside seasonal naive."
READABLE = {"seasonal_naive": "seasonal naive", "last_value": "last value"}


@dataclass(frozen=True)
class Attention:
    """Something to look at.

    Attributes:
        level: `bad`: lost; `warn`: worth a look.
        text: What it is, with its count.
        target: The part of the page that shows it.
        query: The filter to put on the table there.
    """

    level: Literal["bad", "warn"]
    text: str
    target: str
    query: str = ""


def model_name(name: str | None) -> str:
    """Write a model's name as people say it."""
    return READABLE.get(name or "", (name or "no model").replace("_", " "))


def source_name(results: Results) -> str:
    """Name the source of the run, as short as it is clear: its file name; else the results folder's."""
    source = results.run.get("source") or results.parameters.get("source")
    return PurePath(str(source)).name if source else results.folder.resolve().name


def verdict(accuracy: Accuracy, overview: Overview) -> str:
    """Say in one sentence how the model compares with seasonal naive, as HTML."""
    mae, naive = accuracy.overall("mae")
    lead = escape(model_name(accuracy.lead))
    if mae is None or accuracy.lead == NAIVE:
        return "No model was held against seasonal naive in this run."
    if not naive:
        return f"The <b>{lead}</b> model has a mean absolute error of <b>{number(mae)}</b>."
    ratios = overview.frame["ratio"].drop_nulls()
    change = percent(abs(1 - mae / naive))
    word = "lower" if mae < naive else "higher"
    state = "good" if mae < naive else "poor"
    share = f" It is better on <b>{(ratios < 1).sum():,} of {len(ratios):,}</b> series." if len(ratios) else ""
    stayed = " The baseline forecasts in its place." if accuracy.champion in BASELINES else ""
    return (
        f'<b>{lead[:1].upper()}{lead[1:]}</b> forecasts with <b class="{state}">{change} {word} error</b> than '
        f"seasonal naive: a mean absolute error of {number(mae)} against {number(naive)}.{share}{stayed}"
    )


def attention(results: Results, overview: Overview) -> list[Attention]:
    """List what needs a look, lost things first; empty when all is well."""
    return [*_lost(results), *_doubtful(overview)]


def _lost(results: Results) -> Iterator[Attention]:
    if failed := _series_with(results, "failed"):
        yield Attention("bad", f"{plural(failed, 'series', 'series')} failed and left out", "ledger", "status=failed")
    if skipped := _series_with(results, "skipped"):
        text = f"{plural(skipped, 'series', 'series')} skipped by a step that does not apply"
        yield Attention("warn", text, "ledger", "status=skipped")
    quarantine = results.table("quarantine")
    rows = 0 if quarantine is None else int(quarantine.select(pl.len()).collect().item())
    if rows:
        yield Attention("warn", f"{plural(rows, 'source row')} in quarantine", "quarantine")
    conflicts = sum(count for kind, count in count_by(results.table("duplicates"), "kind") if kind != "exact")
    if conflicts:
        yield Attention("warn", f"{plural(conflicts, 'instant')} with more than one value", "duplicates")


def _doubtful(overview: Overview) -> Iterator[Attention]:
    frame = overview.frame
    worse = int((frame["ratio"] > 1).sum())
    if worse:
        yield Attention("warn", f"{plural(worse, 'series', 'series')} worse than seasonal naive", "series", "ratio>1")
    low = int((frame["coverage_80"] < LOW_COVERAGE).sum()) if "coverage_80" in frame.columns else 0
    if low:
        text = f"{plural(low, 'series', 'series')} with under {percent(LOW_COVERAGE)} of values in the 80 % interval"
        yield Attention("warn", text, "series", f"coverage_80<{LOW_COVERAGE}")
    undecided = int((frame["decision"] == "no_decision").sum()) if "decision" in frame.columns else 0
    if undecided:
        text = f"{plural(undecided, 'series', 'series')} too short to decide on a period"
        yield Attention("warn", text, "series", "decision=no_decision")
    alerting = overview.having("alerts")
    if alerting:
        points = plural(overview.total("alerts") or 0, "point")
        text = f"{plural(alerting, 'series', 'series')} at an alert level, {points} in all"
        yield Attention("warn", text, "series", "alerts>0")
    changed = frame["decision_change"].count() if "decision_change" in frame.columns else 0
    if changed:
        text = f"{plural(changed, 'series', 'series')} whose regularity is now judged otherwise"
        yield Attention("warn", text, "series", f"decision_change={CHANGED}")


def _series_with(results: Results, status: str) -> int:
    ledger = results.table("ledger")
    if ledger is None:
        return 0
    return int(ledger.filter(pl.col("status") == status).select(pl.col("unique_id").n_unique()).collect().item())


def summary_section(results: Results, accuracy: Accuracy, overview: Overview, tuned: str) -> str:
    """Give the top of the page as HTML: figures, verdict, what tuning brought (`tuned`), and what needs attention."""
    figures = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in _figures(accuracy, overview))
    items = attention(results, overview)
    listed = "".join(
        f'<li class="{item.level}"><a href="#{item.target}" data-query="{escape(item.query)}">'
        f"{escape(item.text)}</a></li>"
        for item in items
    )
    calm = '<p class="calm">Nothing needs attention.</p>'
    unknown = absent("No ledger in this run, so whether a series failed is not known.")
    todo = (f'<ul class="attention">{listed}</ul>' if items else "") or (
        calm if "ledger" in results.tables else unknown
    )
    started = str(results.history[0].get("started", ""))[:16].replace("T", " ") if results.history else ""
    when = f'<p class="when">Run of {escape(started)} UTC</p>' if started else ""
    body = (
        f'<p class="verdict">{verdict(accuracy, overview)}</p>'
        if accuracy.models
        else absent(NOT_MEASURED if results.is_forecast else NOTHING_BESIDE)
    )
    return f'<h1>{escape(source_name(results))}</h1>{when}{body}{tuned}<dl class="figures">{figures}</dl>{todo}'


def _figures(accuracy: Accuracy, overview: Overview) -> list[tuple[str, str]]:
    frame = overview.frame
    figures = [("Series", f"{frame.height:,}")]
    if accuracy.models and "model_mae" in frame.columns:
        figures.append(("Evaluated", f"{frame['model_mae'].count():,}"))
    if "points" in frame.columns:
        figures.append(("Points", f"{int(frame['points'].sum()):,}"))
    kinds = (("filled", "Filled"), ("outliers", "Outliers"), ("anomalies", "Anomalies"))
    figures += [(label, f"{int(frame[key].sum()):,}") for key, label in kinds if key in frame.columns]
    for part, ratio in zip(("where it was chosen", "on the test part"), accuracy.gate, strict=True):
        if ratio is not None:
            figures.append((f"Error over seasonal naive's, {part}", number(ratio)))
    champion: dict[str, Any] = accuracy.models.get(accuracy.champion or "", {})
    for level in (80, 95):
        if champion.get(f"coverage_{level}") is not None:
            figures.append((f"In the {level} % interval", percent(champion[f"coverage_{level}"])))
    return figures
