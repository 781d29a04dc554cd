"""One row a series: what happened to it, how well it is forecast, what it looks like."""

from dataclasses import dataclass
from typing import Literal

import polars as pl
import polars.selectors as cs

from sparkhu.report.accuracy import Accuracy
from sparkhu.report.reading import Results

Format = Literal["text", "count", "number", "share", "time"]
Columns = tuple["Column", ...]

STATUS_ORDER = {"failed": 0, "skipped": 1, "ok": 2}


@dataclass(frozen=True)
class Column:
    """A column of the table of series: its key, its heading, how its values are written, the views that show it."""

    key: str
    label: str
    format: Format
    views: tuple[str, ...]


FORECAST, CLEANING, RHYTHM, STATISTICS = "Forecast", "Cleaning", "Rhythm", "Statistics"
EVERYWHERE = (FORECAST, CLEANING, RHYTHM, STATISTICS)

COLUMNS: Columns = (
    Column("unique_id", "Series", "text", EVERYWHERE),
    Column("ratio", "MAE ÷ seasonal naive", "number", (FORECAST,)),
    Column("model_mae", "MAE", "number", (FORECAST,)),
    Column("mae_naive", "MAE seasonal naive", "number", (FORECAST,)),
    Column("model_mse", "MSE", "number", (FORECAST,)),
    Column("model_mase", "MASE", "number", (FORECAST,)),
    Column("coverage_80", "In 80 % interval", "share", (FORECAST,)),
    Column("coverage_95", "In 95 % interval", "share", (FORECAST,)),
    Column("status", "Status", "text", (FORECAST, CLEANING)),
    Column("group", "Group", "text", (FORECAST, RHYTHM)),
    Column("points", "Points", "count", (CLEANING, RHYTHM)),
    Column("gaps", "Gap points", "count", (CLEANING,)),
    Column("outliers", "Outliers", "count", (CLEANING,)),
    Column("filled", "Filled", "count", (CLEANING,)),
    Column("strategy", "Fill strategy", "text", (CLEANING,)),
    Column("fill_mae", "Its MAE", "number", (CLEANING,)),
    Column("runner_up", "Runner-up", "text", (CLEANING,)),
    Column("quarantined", "Quarantined rows", "count", (CLEANING,)),
    Column("duplicates", "Repeated times", "count", (CLEANING,)),
    Column("decision", "Regularity", "text", (RHYTHM,)),
    Column("period_label", "Period", "text", (RHYTHM,)),
    Column("season_length", "Season, steps", "count", (RHYTHM,)),
    Column("share_explained", "Gaps explained", "share", (RHYTHM,)),
    Column("start", "From, UTC", "time", (RHYTHM,)),
    Column("end", "To, UTC", "time", (RHYTHM,)),
)
STATISTIC_LABELS = {
    "mean": "Mean",
    "median": "Median",
    "std": "Std. deviation",
    "min": "Min",
    "q1": "Quartile 1",
    "q3": "Quartile 3",
    "max": "Max",
    "skewness": "Skewness",
    "kurtosis": "Kurtosis",
    "mode": "Mode",
    "cv": "Coeff. of variation",
    "share_missing": "Missing",
    "share_zero": "Zero",
    "trend_strength": "Trend strength",
    "seasonal_strength": "Seasonal strength",
    "acf_peaks": "ACF peaks, lags",
    "adf_p": "ADF p",
    "kpss_p": "KPSS p",
}


@dataclass(frozen=True)
class Overview:
    """The table of all series, worst beside seasonal naive first, and the columns of it that hold anything."""

    frame: pl.DataFrame
    columns: Columns


def build_overview(results: Results, accuracy: Accuracy) -> Overview:
    """Join what the tables of a results folder know of each series.

    Where a table has several rows for a series (say a profile for each way of the split), the last one counts.
    Series come in the order of their error beside seasonal naive, the worst first; those without an error follow.
    """
    parts = [
        accuracy.per_series.rename({"model_coverage_80": "coverage_80", "model_coverage_95": "coverage_95"}),
        *(part for read in PARTS if (part := read(results)) is not None),
    ]
    frame = pl.concat([part.select("unique_id") for part in parts]).drop_nulls().unique()
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
    statistics = []
    for key, label in STATISTIC_LABELS.items():
        kind: Format = "text" if key == "acf_peaks" else "share" if key.startswith("share_") else "number"
        statistics.append(Column(key, label, kind, (STATISTICS,)))
    filled = {name for name in frame.columns if frame[name].null_count() < frame.height}
    return tuple(column for column in (*COLUMNS, *statistics) if column.key in {"unique_id", *filled})


def _clean(results: Results) -> pl.DataFrame | None:
    clean = results.table("clean")
    if clean is None:
        return None
    summary = clean.group_by("unique_id").agg(
        points=pl.len(),
        gaps=pl.col("is_gap").fill_null(value=False).sum(),
        outliers=pl.col("is_outlier").fill_null(value=False).sum(),
        filled=pl.col("fill_strategy").count(),
        start=pl.col("ds").min(),
        end=pl.col("ds").max(),
    )
    return summary.collect(engine="streaming")


def _stats(results: Results) -> pl.DataFrame | None:
    stats = results.table("stats")
    if stats is None:
        return None
    known = [name for name in STATISTIC_LABELS if name in stats.collect_schema().names()]
    lists = cs.by_dtype(pl.List).cast(pl.List(pl.String)).list.join(", ")
    return stats.select("unique_id", *known).with_columns(lists).collect()


def _profile(results: Results) -> pl.DataFrame | None:
    profile = results.table("profile")
    if profile is None:
        return None
    present = profile.collect_schema().names()
    wanted = ("unique_id", "decision", "period_label", "season_length", "share_explained")
    return profile.select(name for name in wanted if name in present).collect()


def _choices(results: Results) -> pl.DataFrame | None:
    choices = results.table("choices")
    if choices is None:
        return None
    names = {"unique_id": "unique_id", "strategy": "strategy", "mae": "fill_mae", "runner_up": "runner_up"}
    present = choices.collect_schema().names()
    return choices.select(pl.col(name).alias(alias) for name, alias in names.items() if name in present).collect()


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


PARTS = (_clean, _stats, _profile, _choices, _status)
