"""One row a series: what happened to it, how well it is forecast, what it looks like."""

from dataclasses import dataclass

import polars as pl
import polars.selectors as cs

from sparkhu.report.accuracy import Accuracy
from sparkhu.report.columns import STATISTIC_LABELS, Columns, all_columns
from sparkhu.report.guard import judgements
from sparkhu.report.reading import Results

STATUS_ORDER = {"failed": 0, "skipped": 1, "ok": 2}
CHANGED = "changed"
LEVEL_CHANGES = {"shifts": "shift", "drifts": "drift"}
"""Columns that count the changes of a series' level, and the kind that each counts."""


@dataclass(frozen=True)
class Overview:
    """The table of all series, worst beside seasonal naive first, and the columns of it that hold anything."""

    frame: pl.DataFrame
    columns: Columns

    def total(self, name: str) -> int | None:
        """Add a column up over all series; None where no table of the run tells of it."""
        return int(self.frame[name].sum()) if name in self.frame.columns else None

    def having(self, name: str) -> int:
        """Count the series with more than none of what a column counts."""
        return int((self.frame[name] > 0).sum()) if name in self.frame.columns else 0


def build_overview(results: Results, accuracy: Accuracy) -> Overview:
    """Join what the tables of a results folder know of each series.

    Where a table has several rows for a series (say a profile for each way of the split), the last one counts.
    Series come in the order of their error beside seasonal naive, the worst first; those without an error follow.
    """
    parts = [
        accuracy.per_series.rename({"model_coverage_80": "coverage_80", "model_coverage_95": "coverage_95"}),
        *(part for read in PARTS if (part := read(results)) is not None),
    ]
    frame = pl.concat([part.select("unique_id") for part in parts[:OWN]]).drop_nulls().unique()
    for part in parts:
        last = part.unique("unique_id", keep="last", maintain_order=True)
        frame = frame.join(last, on="unique_id", how="left")
    for table, name in (("quarantine", "quarantined"), ("duplicates", "duplicates")):
        if table in results.tables:
            frame = frame.join(_count(results, table, name), on="unique_id", how="left")
            frame = frame.with_columns(pl.col(name).fill_null(0))
    frame = frame.sort("ratio", "unique_id", descending=[True, False], nulls_last=True)
    return Overview(frame, _columns(frame))


def _columns(frame: pl.DataFrame) -> Columns:
    """Give the columns that hold a value in some series; the name of the series always stands."""
    filled = {name for name in frame.columns if frame[name].null_count() < frame.height}
    return tuple(column for column in all_columns() if column.key in {"unique_id", *filled})


def _clean(results: Results) -> pl.DataFrame | None:
    clean = results.table("clean")
    if clean is None:
        return None
    missing = pl.col("y_raw").is_null()
    stretches = missing.rle()
    lengths = stretches.struct.field("len").filter(stretches.struct.field("value"))
    flags = {"gaps": "is_gap", "outliers": "is_outlier", "anomalies": "is_anomaly", "alerts": "is_alert"}
    summary = clean.group_by("unique_id").agg(
        points=pl.len(),
        missing=missing.mean(),
        longest_gap=lengths.max().cast(pl.Int64).fill_null(0),
        **{name: pl.col(flag).fill_null(value=False).sum().cast(pl.Int64) for name, flag in flags.items()},
        filled=pl.col("fill_strategy").count(),
        outliers_filled=(pl.col("is_outlier") & pl.col("fill_strategy").is_not_null()).sum().cast(pl.Int64),
        handled=pl.col("anomaly_strategy").count(),
        start=pl.col("ds").min(),
        end=pl.col("ds").max(),
    )
    return summary.collect(engine="streaming")


def _stats(results: Results) -> pl.DataFrame | None:
    return _some(results, "stats", {name: name for name in STATISTIC_LABELS})


def _profile(results: Results) -> pl.DataFrame | None:
    names = ("decision", "period_label", "season_length", "share_explained", "version")
    return _some(results, "profile", {name: name for name in names})


def _choices(results: Results) -> pl.DataFrame | None:
    return _some(results, "choices", {"strategy": "strategy", "mae": "fill_mae", "runner_up": "runner_up"})


def _handling(results: Results) -> pl.DataFrame | None:
    return _some(results, "handling", {"strategy": "handling", "error": "handling_error"})


def _seasons(results: Results) -> pl.DataFrame | None:
    return _some(results, "seasons", {"method": "method", "seasons": "seasons"})


def _level_changes(results: Results) -> pl.DataFrame | None:
    """Count shifts and drifts of the level; a series without any counts none."""
    found, clean = results.table("level_changes"), results.table("clean")
    if found is None or clean is None:
        return None
    kinds = {name: (pl.col("kind") == kind).sum().cast(pl.Int64) for name, kind in LEVEL_CHANGES.items()}
    series, counts = clean.select("unique_id").unique(), found.group_by("unique_id").agg(**kinds)
    return series.join(counts, on="unique_id", how="left").with_columns(pl.col(*kinds).fill_null(0)).collect()


def _metadata(results: Results) -> pl.DataFrame | None:
    return _some(results, "metadata", {"type": "type", "unit": "unit", "group": "place"})


def _some(results: Results, table: str, names: dict[str, str]) -> pl.DataFrame | None:
    """Give some columns of a table under other names, as far as they are there; lists become text."""
    frame = results.table(table)
    if frame is None:
        return None
    present = frame.collect_schema().names()
    wanted = [pl.col(name).alias(alias) for name, alias in names.items() if name in present]
    lists = cs.by_dtype(pl.List).cast(pl.List(pl.String)).list.join(", ")
    return frame.select("unique_id", *wanted).with_columns(lists).collect()


def _decisions(results: Results) -> pl.DataFrame | None:
    """Say of each series whether the newest estimate of its regularity changed what was decided before."""
    estimates = results.table("estimates")
    if estimates is None:
        return None
    present = estimates.collect_schema().names()
    label = pl.col("period_label") if "period_label" in present else pl.lit(None, dtype=pl.String)
    said = pl.concat_str(pl.col("decision").str.replace_all("_", " "), label, separator=" ", ignore_nulls=True)
    past = estimates.with_columns(said=said).sort("unique_id", "version").group_by("unique_id", maintain_order=True)
    before, now = pl.col("said").get(-2, null_on_oob=True), pl.col("said").last()
    changed = pl.when(before != now).then(pl.format(f"{CHANGED}: {{}}, was {{}}", now, before))
    return past.agg(decision_change=changed).collect()


def _status(results: Results) -> pl.DataFrame | None:
    """Give each series its worst status, with the step where a series failed or was skipped."""
    ledger = results.table("ledger")
    if ledger is None:
        return None
    rank = pl.col("status").replace_strict(STATUS_ORDER, default=0, return_dtype=pl.Int8)
    worst = ledger.with_columns(rank=rank).sort("rank", maintain_order=True).group_by("unique_id").first().collect()
    where = pl.col("status") + pl.lit(" at ") + pl.col("step")
    status = pl.when(pl.col("status") == "ok").then(pl.col("status")).otherwise(where)
    return worst.select("unique_id", status=status)


def _count(results: Results, table: str, name: str) -> pl.DataFrame:
    return results.tables[table].group_by("unique_id").agg(pl.len().alias(name)).collect()


PARTS = (
    *(_clean, _stats, _profile, _choices, _handling, judgements),
    *(_seasons, _level_changes, _decisions, _status, _metadata),
)
OWN = len(PARTS)
"""Accuracy and all parts but the last name series of the run; a catalogue may name more."""
