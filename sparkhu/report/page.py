"""Assemble the page and write it."""

import uuid
from pathlib import Path
from string import Template
from typing import IO

from sparkhu.report.accuracy import Accuracy, read_accuracy
from sparkhu.report.drawing import choose_series, drawings
from sparkhu.report.embedding import asset, content_policy, packed_chart_library, packed_json, page_script
from sparkhu.report.guard import guard_section, judgements
from sparkhu.report.markup import absent, escape, plural
from sparkhu.report.overview import Overview, build_overview
from sparkhu.report.quality import quality_section
from sparkhu.report.reading import Results, read_results
from sparkhu.report.sections import (
    accuracy_section,
    counted_section,
    ledger_section,
    lineage_section,
    pipeline_section,
    table_host,
)
from sparkhu.report.strategies import strategies_section
from sparkhu.report.summary import source_name, summary_section
from sparkhu.report.tables import (
    Table,
    duplicates_table,
    ledger_table,
    quarantine_table,
    series_table,
    trials_table,
)
from sparkhu.report.trials import study_document
from sparkhu.report.tuning import read_tuning, trials_of, tuned_line, tuning_section
from sparkhu.tuning.document import Tuning

DATA = "<!-- data -->"
OPENED = '<div id="opened" aria-live="polite"></div>'
TITLES = {"quality": "Quality of the data", "cleaning": "Was cleaning worth it?"}
"""Titles of the parts that are called otherwise than in the links."""
LEDGER_NOTE = (
    '<p class="note">What became of every series at every step. A series that failed is left out from there on; a '
    "skipped step does not apply and the series goes on.</p>"
)
QUARANTINE_NOTE = '<p class="note">Source rows that validation set aside, with the text as it was read.</p>'
DUPLICATES_NOTE = '<p class="note">Instants that the source holds more than once.</p>'
TOLD_BY_TRAINING = {
    "accuracy": ("metrics",),
    "cleaning": ("cleaning",),
    "strategies": ("scores", "choices", "handling", "handling_scores"),
    "tuning": ("tuning", "trials"),
}
"""Parts by the tables and documents, any of which fills them."""


def write_report(results: Path, out: Path) -> None:
    """Write the report of a run: one HTML file that needs nothing else, neither network nor server.

    Up to 100 series are all drawn; of more, the 50 worst beside seasonal naive and 50 evenly spread over the others.
    The table lists all of them. What the results folder lacks is left out of the report, which says so.

    Args:
        results: The folder that a run wrote.
        out: The file to write; it appears whole or not at all.

    Raises:
        InputError: The folder does not exist, holds no result, or a file in it cannot be read.

    Example:
        >>> write_report(Path("out"), Path("out/report.html"))  # doctest: +SKIP
    """
    opened = read_results(results)
    accuracy = read_accuracy(opened.metrics)
    overview = build_overview(opened, accuracy)
    tuning = read_tuning(opened)
    tables = [ledger_table(opened), quarantine_table(opened), duplicates_table(opened), trials_table(opened)]
    worst, sample = choose_series(overview)
    head, tail = _page(opened, accuracy, overview, tables, (worst, sample), tuning=tuning).split(DATA)
    draft = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(head)
            _write_data(file, opened, accuracy, [series_table(overview), *tables], (worst, sample))
            _write_studies(file, opened, tuning)
            file.write(packed_chart_library())
            file.write(tail)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _write_data(
    file: IO[str],
    results: Results,
    accuracy: Accuracy,
    tables: list[Table | None],
    chosen: tuple[list[str], list[str]],
) -> None:
    """Write what the scripts unpack: the tables, and one block a drawn series."""
    for table in tables:
        if table is not None and table.total:
            file.write(packed_json(f"data-{table.name}", table.document))
    worst, sample = chosen
    drawn = [*worst, *sample]
    settings = {
        "drawn": drawn,
        "worst": len(worst),
        "champion": accuracy.champion,
        "lead": accuracy.lead,
        "value": results.parameters.get("value") or None,
    }
    file.write(packed_json("settings", settings))
    for number, (card, parts) in enumerate(drawings(results, accuracy, drawn)):
        file.write(packed_json(f"drawn-{number}", card))
        if parts is not None:
            file.write(packed_json(f"parts-{number}", parts))


def _write_studies(file: IO[str], results: Results, tuning: Tuning | None) -> None:
    """Write the trials of each tuned model and group."""
    if tuning is None:
        return
    for number, group in enumerate(tuning.groups):
        trials = trials_of(results, group)
        if trials is not None:
            file.write(packed_json(f"study-{number}", study_document(group, tuning, trials)))


def _page(
    results: Results,
    accuracy: Accuracy,
    overview: Overview,
    tables: list[Table | None],
    chosen: tuple[list[str], list[str]],
    *,
    tuning: Tuning | None,
) -> str:
    """Fill the template; all but the data stands in it."""
    ledger, quarantine, duplicates, trials = tables
    left_out = results.left_out()
    parts = {
        "quality": quality_section(results, overview),
        "accuracy": accuracy_section(accuracy, overview),
        "cleaning": guard_section(judgements(results)),
        "strategies": strategies_section(results, overview),
        "tuning": tuning_section(tuning, results, trials),
        "series": f"{table_host(series_table(overview), 'stats.parquet', 'No series in this run.')}{OPENED}",
        "charts": _charts(results, chosen),
        "pipeline": pipeline_section(results),
        "ledger": LEDGER_NOTE + ledger_section(results, ledger),
        "quarantine": QUARANTINE_NOTE + counted_section(results, quarantine, "reason", "No row was set aside."),
        "duplicates": DUPLICATES_NOTE
        + counted_section(results, duplicates, "kind", "No instant stands more than once."),
        "lineage": lineage_section(results),
    }
    shown = [name for name in parts if name not in of_training(results)]
    return Template(asset("report.html")).substitute(
        policy=content_policy(),
        title=escape(source_name(results)),
        style=asset("report.css"),
        script=page_script(),
        data=DATA,
        links="".join(f'<a href="#{name}">{name.capitalize()}</a>' for name in shown),
        summary=summary_section(results, accuracy, overview, tuned_line(tuning)),
        sections="\n".join(
            f'<section id="{name}"><h2>{TITLES.get(name, name.capitalize())}</h2>{parts[name]}</section>'
            for name in shown
        ),
        left_out=f"Not in this run: {escape(', '.join(left_out))}." if left_out else "",
    )


def of_training(results: Results) -> set[str]:
    """Name the parts that a forecast with a model that is there has nothing for: what its training would have told."""
    if not results.is_forecast:
        return set()
    known = {*results.tables, *results.documents}
    return {name for name, told_by in TOLD_BY_TRAINING.items() if not known & set(told_by)}


def _charts(results: Results, chosen: tuple[list[str], list[str]]) -> str:
    """Say what is drawn and give the place for it."""
    worst, sample = chosen
    if "clean" not in results.tables and "forecasts" not in results.tables:
        return absent("No clean.parquet in this run: there is nothing to draw.")
    if not sample:
        note = f"All {plural(len(worst), 'series', 'series')}, worst beside seasonal naive first."
    else:
        note = f"The {len(worst)} worst beside seasonal naive, and {len(sample)} evenly spread over the others."
    return f'<p class="note">{note} Times are UTC.</p><div id="cards"></div>'
