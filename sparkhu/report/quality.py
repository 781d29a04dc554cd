"""What was wrong with the data, and what was done about it."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from sparkhu.report.markup import absent, escape, percent, plural, share_bar
from sparkhu.report.overview import CHANGED, Overview
from sparkhu.report.reading import Results

KEPT = "marked, and kept as observed"
MOST_STRATEGIES = 3
MOST_REASONS = 6
LEAST_SCALE = 0.05
"""The longest bar of a group stands for at least this share, so that a rare thing does not look large."""
DECISIONS = (
    ("irregular", "Irregular", "no gap marked; put on a grid to be forecast"),
    ("no_decision", "Without decision", "too few points; treated as irregular"),
)
STATUSES = (
    ("failed", "Failed", "left out from there on"),
    ("skipped", "Skipped by a step", "the step does not apply; the series goes on"),
)
LEVEL_CHANGES = (
    ("shifts", "With level shifts", "marked in the charts; no value is changed"),
    ("drifts", "With drift", "marked in the charts; no value is changed"),
)
KINDS = {"exact": "the same value again", "conflict": "another value"}


@dataclass(frozen=True)
class Finding:
    """A line of the summary.

    Attributes:
        label: What was found.
        count: How often; None where the run does not tell.
        share: The count as a share of all rows, points or series.
        series: How many series it concerns; None where that says nothing.
        target: The part of the page that shows it, with `query` as the filter of the table there.
        done: What was done about it.
        inner: Whether it is a part of the line above.
    """

    label: str
    count: int | None
    share: float | None = None
    series: int | None = None
    target: str = ""
    query: str = ""
    done: str = ""
    inner: bool = False


def quality_section(results: Results, overview: Overview) -> str:
    """Give the summary of the data's quality as HTML: rows read, points, series."""
    groups = (
        ("Rows of the source", list(_rows(results, overview))),
        ("Points", list(_points(overview))),
        ("Series", list(_series(results, overview))),
    )
    bodies = "".join(_body(title, findings) for title, findings in groups if findings)
    if not bodies:
        return absent("No table of this run tells of the quality of its data.")
    heads = "".join(
        f'<th scope="col"{kind}>{label}</th>'
        for label, kind in (
            ("Found", ""),
            ("Count", ' class="num"'),
            ("Share", ' class="num"'),
            ('<span class="unseen">Share as a bar</span>', ""),
            ("Series", ' class="num"'),
            ("What was done", ' class="done"'),
        )
    )
    return f'<table class="grid quality"><thead><tr>{heads}</tr></thead>{bodies}</table>'


def _body(title: str, findings: list[Finding]) -> str:
    longest = max([LEAST_SCALE, *(finding.share or 0.0 for finding in findings)])
    lines = "".join(_line(finding, longest) for finding in findings)
    return f'<tbody><tr class="kind"><th scope="rowgroup" colspan="6">{title}</th></tr>{lines}</tbody>'


def _line(finding: Finding, longest: float) -> str:
    count = "–" if finding.count is None else f"{finding.count:,}"
    where = "" if finding.series is None or not finding.count else plural(finding.series, "series", "series")
    if where and finding.target:
        where = f'<a href="#{finding.target}" data-query="{escape(finding.query)}">{where}</a>'
    share = "" if finding.share is None else percent(finding.share)
    classes = " ".join(name for name, holds in (("inner", finding.inner), ("none", not finding.count)) if holds)
    return (
        f'<tr class="{classes}"><th scope="row">{escape(finding.label)}</th><td class="num">{count}</td>'
        f'<td class="num">{share}</td><td class="share">{share_bar(finding.share, longest)}</td>'
        f'<td class="num where">{where}</td><td class="done">{escape(finding.done) if finding.count else ""}</td></tr>'
    )


def _rows(results: Results, overview: Overview) -> Iterator[Finding]:
    """What became of the rows that were read."""
    read = next((int(record.get("rows_out") or 0) for record in results.history if record.get("step") == "ingest"), 0)
    if read:
        yield Finding("Read", read, done="sorted by series and time")
    quarantine = results.table("quarantine")
    if quarantine is not None:
        reasons = _by(quarantine, "reason", pl.len())
        total, done = sum(count for _, count, _ in reasons), "set aside with the reason, see Quarantine"
        affected = overview.having("quarantined")
        yield Finding("Refused", total, _share(total, read), affected, "series", "quarantined>0", done)
        for reason, count, series in reasons[:MOST_REASONS]:
            share, query = _share(count, read), f"reason={reason}"
            yield Finding(reason.replace("_", " "), count, share, series, "quarantine", query, inner=True)
    if (duplicates := results.table("duplicates")) is not None:
        yield from _repeated(duplicates, read)


def _repeated(duplicates: pl.LazyFrame, read: int) -> Iterator[Finding]:
    counted = "rows" in duplicates.collect_schema().names()
    surplus = (pl.col("rows") - 1).sum() if counted else pl.len()
    kinds = _by(duplicates, "kind", surplus)
    total = sum(count for _, count, _ in kinds)
    series = int(duplicates.select(pl.col("unique_id").n_unique()).collect().item())
    yield Finding(
        "Repeated times", total, _share(total, read), series, "series", "duplicates>0", "one row stays for each instant"
    )
    for kind, count, affected in kinds:
        label = KINDS.get(kind, kind.replace("_", " "))
        yield Finding(label, count, _share(count, read), affected, "duplicates", f"kind={kind}", inner=True)


def _points(overview: Overview) -> Iterator[Finding]:
    """What was found at the points of the series."""
    points = overview.total("points")
    if not points:
        return
    frame = overview.frame
    yield Finding("Points, gaps marked", points, series=frame["points"].count())
    yield _flagged(overview, "Missing", "gaps", _filled(overview))
    longest = frame.filter(pl.col("gaps") > 0).sort("longest_gap", descending=True, nulls_last=True).head(1)
    for name, length in longest.select("unique_id", "longest_gap").rows():
        yield Finding(f"longest gap, in {name}", length, inner=True)
    yield _flagged(overview, "Outliers", "outliers", _outliers(overview))
    yield _flagged(overview, "Anomalies", "anomalies", _strategies(overview, "handling", "anomalies") or KEPT)
    if "unit" in overview.frame.columns or overview.total("alerts"):
        yield _flagged(overview, "Alerts", "alerts", "real, so kept; they reach an alert level of the catalogue")


def _flagged(overview: Overview, label: str, name: str, done: str) -> Finding:
    """Tell of points that carry a flag, counted in the column `name` of the table of series."""
    count = overview.total(name)
    share = _share(count, overview.total("points") or 0)
    return Finding(label, count, share, overview.having(name), "series", f"{name}>0", done)


def _outliers(overview: Overview) -> str:
    found, filled = overview.total("outliers") or 0, overview.total("outliers_filled") or 0
    if not filled:
        return KEPT
    rest = f", {found - filled:,} kept as observed" if found > filled else ""
    return f"{filled:,} counted as missing and filled{rest}"


def _filled(overview: Overview) -> str:
    filled = overview.total("filled") or 0
    ways = _strategies(overview, "strategy", "filled")
    return f"{filled:,} points filled{': ' if ways else ''}{ways}" if filled else "marked, not filled"


def _strategies(overview: Overview, column: str, count: str) -> str:
    """Say which strategy stands in how many of the series that it changed something in; empty where none does."""
    frame = overview.frame
    if column not in frame.columns or count not in frame.columns:
        return ""
    used = frame.filter(pl.col(count) > 0)[column].drop_nulls().value_counts().sort("count", column, descending=True)
    named = [f"{str(name).replace('_', ' ')} in {series:,}" for name, series in used.head(MOST_STRATEGIES).rows()]
    more = used.height - MOST_STRATEGIES
    others = [f"{plural(more, 'other way')}"] if more > 0 else []
    return f"{', '.join([*named, *others])} series" if named else ""


def _series(results: Results, overview: Overview) -> Iterator[Finding]:
    """Which series were out of the ordinary."""
    frame = overview.frame
    all_of_them = frame.height
    if not all_of_them:
        return

    def found(label: str, count: int, target: str, query: str, done: str) -> Finding:
        return Finding(label, count, _share(count, all_of_them), count, target, query, done)

    yield Finding("Series", all_of_them)
    if "decision" in frame.columns:
        for decision, label, done in DECISIONS:
            yield found(label, int((frame["decision"] == decision).sum()), "series", f"decision={decision}", done)
    for column, label, done in LEVEL_CHANGES:
        if column in frame.columns:
            yield found(label, overview.having(column), "series", f"{column}>0", done)
    if "decision_change" in frame.columns:
        done = "the latest estimates outvote what stood before"
        changed = frame["decision_change"].count()
        yield found("Regularity now judged otherwise", changed, "series", f"decision_change={CHANGED}", done)
    if (ledger := results.table("ledger")) is not None:
        for status, label, done in STATUSES:
            count = int(ledger.filter(pl.col("status") == status).select(_SERIES).collect().item())
            yield found(label, count, "ledger", f"status={status}", done)


_SERIES = pl.col("unique_id").n_unique()


def _share(count: int | None, total: int) -> float | None:
    """Give a count as a share of a total; None where either is not known."""
    return None if count is None or not total else count / total


def _by(frame: pl.LazyFrame, column: str, count: pl.Expr) -> list[tuple[str, int, int]]:
    """Count rows and series by the values of one column, the most frequent first."""
    key = pl.col(column).cast(pl.String).fill_null("not said").alias(column)
    counts = frame.group_by(key).agg(count=count, series=_SERIES).sort("count", column, descending=[True, False])
    return [(str(value), int(rows), int(series)) for value, rows, series in counts.collect().rows()]
