"""What was tuned, where the values come from, and how much better they are than the defaults."""

from collections.abc import Sequence
from datetime import UTC

import polars as pl

from sparkhu.report.markup import LEAST_SHARE, absent, escape, number, percent, plural, share_bar
from sparkhu.report.reading import Results
from sparkhu.report.sections import table_host
from sparkhu.report.summary import model_name
from sparkhu.report.tables import Table
from sparkhu.tuning.document import TunedGroup, Tuning, parse_tuning

MEASURES = {"mse": "MSE", "mae": "MAE", "rmse": "RMSE", "smape": "sMAPE", "mase": "MASE", "wape": "WAPE"}
ENDED = {
    "Succeeded": "succeeded",
    "EarlyStopped": "stopped early",
    "Failed": "failed",
    "MetricsUnavailable": "without the metric",
    "Killed": "killed",
    "Running": "unfinished",
}
REASONS = {
    "ExperimentMaxTrialsReached": "all trials were made",
    "ExperimentGoalReached": "the goal was reached",
    "ExperimentSuggestionEndReached": "nothing was left to try",
    "ExperimentFailed": "too many trials failed",
}
"""Katib's reasons for the end of a search, in words."""
DIGITS = 4
FINGERPRINT = 12
LONG = 9


def read_tuning(results: Results) -> Tuning | None:
    """Read `tuning.json`; None where the run has none.

    Raises:
        InputError: It has another schema, or does not follow it.
    """
    document = results.documents.get("tuning")
    if document is None:
        return None
    return parse_tuning(document, results.folder / "tuning.json")


def trials_of(results: Results, tuned: TunedGroup) -> pl.DataFrame | None:
    """Give the trials of a model and group, in their order; None where the run has none of it."""
    trials = results.table("trials")
    own = (pl.col("model") == tuned.model) & (pl.col("group") == tuned.group)
    rows = None if trials is None else trials.filter(own).collect()
    return None if rows is None or rows.is_empty() else rows.sort("trial")


def metric_name(tuning: Tuning) -> str:
    """Write the objective's name as people say it, such as "validation MSE"."""
    return " ".join(MEASURES.get(word, word) for word in tuning.objective.metric.split("_"))


def gain(group: TunedGroup, tuning: Tuning) -> float | None:
    """Give the share by which the chosen values are better than the defaults; None where that is not known.

    It is nought where the defaults stay.
    """
    if group.chosen == "defaults":
        return 0.0
    before = group.defaults.objective
    if group.best is None or not before:
        return None
    change = (before - group.best.objective) / abs(before)
    return change if tuning.objective.direction == "minimize" else -change


def tuned_line(tuning: Tuning | None) -> str:
    """Say in a line for each model, as HTML, what tuning brought; empty where nothing was tuned."""
    return "" if tuning is None else "".join(_line(tuning, model, groups) for model, groups in _models(tuning).items())


def _models(tuning: Tuning) -> dict[str, list[TunedGroup]]:
    """Give the groups by model."""
    names = dict.fromkeys(group.model for group in tuning.groups)
    return {name: [group for group in tuning.groups if group.model == name] for name in names}


def _line(tuning: Tuning, model: str, groups: Sequence[TunedGroup]) -> str:
    trials = sum(group.trials for group in groups)
    here = sum(group.trials for group in groups if group.origin == "search")
    some = "" if here == trials else ", none of them in this run" if not here else f", {here:,} of them in this run"
    worked = f'<a href="#tuning">{_capital(model_name(model))}</a> was tuned with {plural(trials, "trial")}{some}'
    return f'<p class="tuned">{worked}: {_brought(tuning, groups)}.</p>'


def tuning_section(tuning: Tuning | None, results: Results, table: Table | None) -> str:
    """Give for each model the answer in a sentence and the values of each group of series, and all trials.

    Of several groups the one that gained most is open, and holds the place of its pictures. `table` is that of all
    trials; None where the run has none.
    """
    if tuning is None:
        return absent("Not tuned in this run: there is no tuning.json.")
    if not tuning.groups:
        return '<p class="calm">Not tuned in this run: models are trained with their defaults.</p>'
    told = "".join(_model(tuning, model, groups, results) for model, groups in _models(tuning).items())
    return f"{told}<h3>All trials</h3>{table_host(table, 'trials.parquet', 'No trial was made.')}"


def _model(tuning: Tuning, model: str, groups: Sequence[TunedGroup], results: Results) -> str:
    verdict = f'<p class="verdict"><b>{_capital(model_name(model))}</b>: {_brought(tuning, groups)}.</p>'
    bodies = [_group(group, tuning, results) for group in groups]
    if len(bodies) == 1:
        return verdict + bodies[0]
    gains = [gain(group, tuning) or 0.0 for group in groups]
    first = gains.index(max(gains))
    folded = [
        f'<details class="tuned-group"{" open" if place == first else ""}><summary><b>{escape(group.group)}</b> '
        f"{_brought(tuning, [group])}</summary>{body}</details>"
        for place, (group, body) in enumerate(zip(groups, bodies, strict=True))
    ]
    return f'{verdict}<p class="note">Each group of series (period/season) by itself.</p>{"".join(folded)}'


def _capital(text: str) -> str:
    return escape(text[:1].upper() + text[1:])


def _brought(tuning: Tuning, groups: Sequence[TunedGroup]) -> str:
    """Say how the objective changes from the defaults to the chosen values, over some groups."""
    tuned = [group for group in groups if group.chosen == "best"]
    if not any(group.best for group in groups):
        return "no trial gave a result, so the defaults stay"
    if not tuned:
        return "no trial was better than the defaults, which stay"
    metric = escape(metric_name(tuning))
    on = "" if "validation" in metric else " on validation"
    gains = sorted(change for group in tuned if (change := gain(group, tuning)) is not None)
    if not gains:
        return f"the values of the best trial are used; {metric} of the defaults is not known"
    least, most = (_precise(change) for change in (gains[0], gains[-1]))
    spread = most if least == most else f"{least.removesuffix(' %')} to {most}"
    word = "lower" if tuning.objective.direction == "minimize" else "higher"
    brought = f'{metric} <b class="good">{spread} {word}</b>{on} than with the defaults'
    if len(tuned) == len(groups):
        return brought
    return f"{brought} in {len(tuned):,} of {len(groups):,} groups; the defaults stay in the others"


def _precise(share: float) -> str:
    """Write a gain, which is seldom large: with one decimal under a tenth."""
    return f"{100 * share:.1f} %" if LEAST_SHARE <= share < 0.1 else percent(share)


def _group(group: TunedGroup, tuning: Tuning, results: Results) -> str:
    trials, place = trials_of(results, group), tuning.groups.index(group)
    drawn = "" if trials is None else f' data-study="{place}"'
    reached = _reached(group, tuning) if group.trials else ""
    told, origin = f"{reached}{_values(group)}", f'<p class="note">{_origin(group, trials)}</p>'
    return f'{origin}<div class="study"{drawn}><div class="told">{told}</div></div>' if told or drawn else origin


def _origin(group: TunedGroup, trials: pl.DataFrame | None) -> str:
    """Say where the values come from: trials of this run, or what is stored."""
    if not group.trials:
        return f"Not searched. {_sentence(group.reason)}"
    short = f'<code title="{escape(group.fingerprint)}">{escape(group.fingerprint[:FINGERPRINT])}</code>'
    found = f"{group.found_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    searched = f"{plural(group.trials, 'trial')} by {escape(group.algorithm)}{_endings(trials)}"
    if group.origin == "store":
        return (
            f"Found {found} with {searched}, stored under the fingerprint {short} and reused, for data, model, search "
            "space and objective are the same: <b>no trial was run</b>."
        )
    kept = f"Stored under the fingerprint {short}." if group.best else "Nothing is stored of it; the next run searches."
    return f"Searched in this run: {searched}. {_sentence(group.reason)} {kept}"


def _endings(trials: pl.DataFrame | None) -> str:
    """Count how the trials ended, where not all succeeded."""
    if trials is None:
        return ""
    counts = dict(trials["status"].value_counts().rows())
    if set(counts) <= {"Succeeded"}:
        return ""
    told = [f"{counts[status]:,} {words}" for status, words in ENDED.items() if status in counts]
    return f" ({', '.join(told)})"


def _sentence(text: str) -> str:
    ended, mark, more = text.partition("; ")
    text = f"{REASONS.get(ended, ended)}{mark}{more}".strip().rstrip(".")
    return f"{_capital(text)}." if text else ""


def _reached(group: TunedGroup, tuning: Tuning) -> str:
    """Give the objective of the defaults and of the best trial, as figures."""
    metric = escape(metric_name(tuning))
    best = None if group.best is None else group.best.objective
    which = "" if group.best is None else f", trial {group.best.trial}"
    pairs = [
        (f"Best {metric}{which}", best),
        (f"{metric[:1].upper()}{metric[1:]} of the defaults", group.defaults.objective),
    ]
    shown = "".join(f"<div><dt>{label}</dt><dd>{number(value, DIGITS)}</dd></div>" for label, value in pairs)
    return f'<dl class="figures">{shown}</dl>'


def _values(group: TunedGroup) -> str:
    """Give the chosen value of every parameter beside its default, and how much it matters, as a table."""
    importance = group.importance
    if not group.assignment:
        return ""
    names = sorted({*group.assignment, *group.defaults.assignment}, key=lambda name: (-importance.get(name, 0), name))
    rows = "".join(_parameter(name, group) for name in names)
    heads = '<th scope="col">Parameter</th>'
    heads += '<th scope="col" class="num">Used</th>'
    heads += f'<th scope="col" class="num">{"Default" if group.chosen == "best" else "Best trial"}</th>'
    note = "Too few trials succeeded, or the objective does not vary: how much each parameter matters is not known."
    if importance:
        heads += '<th scope="col" colspan="2" class="matters">Importance</th>'
        note = (
            "Importance: the share of each parameter, by itself, in the variance of the objective over the search "
            "space (functional ANOVA)."
        )
    table = f'<table class="grid parameters"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    about = f'tabindex="0" role="region" aria-label="Parameters of {escape(group.group)}"'
    return f'<div class="wide" {about}>{table}</div><p class="note">{note}</p>'


def _parameter(name: str, group: TunedGroup) -> str:
    """Give a parameter's line: what is used, and beside it what is not."""
    beside = (
        group.defaults.assignment if group.chosen == "best" else {} if group.best is None else group.best.assignment
    )
    used, other = group.assignment.get(name), beside.get(name)
    cells = f'<td class="num">{_value(used)}</td><td class="num">{_value(other)}</td>'
    if group.importance:
        share = group.importance.get(name)
        bar = share_bar(share, max(group.importance.values()))
        cells += f'<td class="num">{percent(share)}</td><td class="share">{bar}</td>'
    return f'<tr{" class=same" if used == other else ""}><th scope="row">{escape(name)}</th>{cells}</tr>'


def _value(text: str | None) -> str:
    """Write a value; a long number is rounded, and keeps all its digits as a title."""
    if text is None:
        return "–"
    if len(text) <= LONG:
        return escape(text)
    try:
        return f'<span title="{escape(text)}">{float(text):.{DIGITS}g}</span>'
    except ValueError:
        return escape(text)
