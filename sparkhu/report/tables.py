"""The large tables that the browser sorts, filters and saves: plain values by column, capped where they may be huge."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from sparkhu.report.columns import Format
from sparkhu.report.overview import STATUS_ORDER, Overview
from sparkhu.report.reading import Results

CAP = 5000
DIGITS = 6

Field = tuple[str, str, Format]


@dataclass(frozen=True)
class Table:
    """A table for the browser.

    Attributes:
        name: Its name, which is that of the CSV file it is saved as.
        document: `columns` (key, label, format, views) and `data`, one list a column.
        shown: Rows in it.
        total: Rows that there are.
    """

    name: str
    document: dict[str, Any]
    shown: int
    total: int


def series_table(overview: Overview) -> Table:
    """Give the table of all series."""
    columns = [
        {"key": column.key, "label": column.label, "format": column.format, "views": list(column.views)}
        for column in overview.columns
    ]
    data = [_plain(overview.frame[column.key]) for column in overview.columns]
    count = overview.frame.height
    return Table("series", {"columns": columns, "data": data}, count, count)


def ledger_table(results: Results) -> Table | None:
    """Give the ledger's entries, failed ones first, then skipped ones, then as many others as fit."""
    ledger = results.table("ledger")
    if ledger is None:
        return None
    rank = pl.col("status").replace_strict(STATUS_ORDER, default=0, return_dtype=pl.Int8)
    fields: tuple[Field, ...] = (
        ("unique_id", "Series", "text"),
        ("step", "Step", "text"),
        ("status", "Status", "text"),
        ("reason", "Reason", "text"),
        ("counts", "Counts", "text"),
    )
    ranked = ledger.sort(rank, maintain_order=True).head(CAP)
    readable = pl.col("counts").map_elements(counts_text, return_dtype=pl.String)
    total = int(ledger.select(pl.len()).collect().item())
    return _capped("ledger", ranked.with_columns(readable), fields, total)


def counts_text(document: str) -> str:
    """Write the counts of a ledger entry, which are JSON, as people read them; noughts only where there is no else.

    Example:
        >>> counts_text('{"missing": 1071, "filled": 71, "left_out": 0}')
        'missing 1,071, filled 71'
    """
    try:
        counts = json.loads(document)
    except ValueError:
        return document
    if not isinstance(counts, dict):
        return document
    told = {name: count for name, count in counts.items() if count} or counts
    return ", ".join(f"{name.replace('_', ' ')} {_count(count)}" for name, count in told.items())


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def quarantine_table(results: Results) -> Table | None:
    """Give the rows that validation set aside, in the order of the source."""
    quarantine = results.table("quarantine")
    fields: tuple[Field, ...] = (
        ("unique_id", "Series", "text"),
        ("source_row", "Source row", "count"),
        ("ds_text", "Time as read", "text"),
        ("y_text", "Value as read", "text"),
        ("reason", "Reason", "text"),
        ("detail", "Detail", "text"),
    )
    return None if quarantine is None else _capped("quarantine", quarantine.sort("source_row", "unique_id"), fields)


def duplicates_table(results: Results) -> Table | None:
    """Give the instants that the source held more than once: conflicts first."""
    duplicates = results.table("duplicates")
    fields: tuple[Field, ...] = (
        ("unique_id", "Series", "text"),
        ("ds", "Time, UTC", "time"),
        ("kind", "Kind", "text"),
        ("rows", "Rows", "count"),
        ("distinct_values", "Distinct values", "count"),
        ("kept", "Kept", "number"),
    )
    if duplicates is None:
        return None
    exact_last = pl.col("kind") == "exact"
    return _capped("duplicates", duplicates.sort(exact_last, "unique_id", "ds"), fields)


def trials_table(results: Results) -> Table | None:
    """Give every trial of the tuning: what it was given, what it reached, how it ended."""
    trials = results.table("trials")
    if trials is None:
        return None
    given = [name for name in trials.collect_schema().names() if name.startswith("param.")]
    fields: tuple[Field, ...] = (
        ("model", "Model", "text"),
        ("group", "Group", "text"),
        ("trial", "Trial", "count"),
        ("status", "Status", "text"),
        ("objective", "Objective", "number"),
        *((name, name.removeprefix("param."), "number") for name in given),
        ("seconds", "Seconds", "number"),
        ("message", "Message", "text"),
    )
    if "message" in trials.collect_schema().names():
        trials = _with_messages(trials)
    return _capped("trials", trials, fields)


def _with_messages(trials: pl.LazyFrame) -> pl.LazyFrame:
    """Keep what is said of trials that did not succeed; where nothing is, no column says so."""
    message = pl.when(pl.col("status") != "Succeeded").then("message").fill_null("")
    told = trials.with_columns(message=message)
    return told if told.select((pl.col("message") != "").any()).collect().item() else trials.drop("message")


def count_by(frame: pl.LazyFrame | None, column: str) -> list[tuple[str, int]]:
    """Count the rows of a table by the values of one column, the most frequent first."""
    if frame is None:
        return []
    counts = frame.group_by(pl.col(column).cast(pl.String).fill_null("not said")).agg(pl.len()).sort("len", column)
    return [(str(value), int(count)) for value, count in reversed(counts.collect().rows())]


def _capped(name: str, frame: pl.LazyFrame, fields: Iterable[Field], total: int | None = None) -> Table:
    """Give the first rows of a table; `total` where the frame holds these only."""
    schema = frame.collect_schema()
    total = int(frame.select(pl.len()).collect().item()) if total is None else total
    rows = frame.head(CAP).collect()
    present = [(key, label, kind) for key, label, kind in fields if key in schema.names()]
    columns = [
        {"key": key, "label": label, "format": kind if schema[key].is_numeric() or kind == "time" else "text"}
        for key, label, kind in present
    ]
    return Table(name, {"columns": columns, "data": [_plain(rows[key]) for key, _, _ in present]}, rows.height, total)


def _plain(values: pl.Series) -> list[Any]:
    """Turn a column into what JSON knows: finite numbers, text, null; times as ISO text without the zone."""
    if isinstance(values.dtype, pl.Datetime):
        fraction = bool((values.dt.microsecond() != 0).any())
        return values.dt.to_string("%Y-%m-%d %H:%M:%S%.3f" if fraction else "%Y-%m-%d %H:%M:%S").to_list()
    if values.dtype.is_float():
        return pl.select(pl.when(values.is_finite()).then(values.round_sig_figs(DIGITS))).to_series().to_list()
    return values.to_list() if values.dtype.is_integer() else values.cast(pl.String).to_list()
