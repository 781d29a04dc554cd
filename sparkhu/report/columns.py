"""The columns of the table of all series: heading, way of writing, the views that show them."""

from dataclasses import dataclass
from typing import Literal

Format = Literal["text", "count", "number", "share", "time"]
Columns = tuple["Column", ...]


@dataclass(frozen=True)
class Column:
    """A column of the table of series: its key, its heading, how its values are written, the views that show it."""

    key: str
    label: str
    format: Format
    views: tuple[str, ...]


FORECAST, QUALITY, CLEANING = "Forecast", "Quality", "Cleaning"
KEPT, RHYTHM, STATISTICS = "Kept", "Rhythm", "Statistics"
EVERYWHERE = (FORECAST, QUALITY, CLEANING, KEPT, RHYTHM, STATISTICS)

COLUMNS: Columns = (
    Column("unique_id", "Series", "text", EVERYWHERE),
    Column("ratio", "MAE ÷ seasonal naive", "number", (FORECAST,)),
    Column("model_mae", "MAE", "number", (FORECAST,)),
    Column("mae_naive", "MAE seasonal naive", "number", (FORECAST,)),
    Column("model_mse", "MSE", "number", (FORECAST,)),
    Column("model_mase", "MASE", "number", (FORECAST,)),
    Column("coverage_80", "In 80 % interval", "share", (FORECAST,)),
    Column("coverage_95", "In 95 % interval", "share", (FORECAST,)),
    Column("status", "Status", "text", (FORECAST, QUALITY)),
    Column("group", "Forecast group", "text", (FORECAST, RHYTHM)),
    Column("points", "Points", "count", (QUALITY, RHYTHM)),
    Column("missing", "Missing", "share", (QUALITY,)),
    Column("gaps", "Gap points", "count", (QUALITY,)),
    Column("longest_gap", "Longest gap, points", "count", (QUALITY,)),
    Column("outliers", "Outliers", "count", (QUALITY,)),
    Column("anomalies", "Anomalies", "count", (QUALITY,)),
    Column("shifts", "Level shifts", "count", (QUALITY,)),
    Column("drifts", "Drifts", "count", (QUALITY,)),
    Column("alerts", "Alerts", "count", (QUALITY,)),
    Column("duplicates", "Repeated times", "count", (QUALITY,)),
    Column("quarantined", "Refused rows", "count", (QUALITY,)),
    Column("filled", "Filled", "count", (CLEANING,)),
    Column("strategy", "Fill strategy", "text", (CLEANING,)),
    Column("fill_mae", "Its MAE", "number", (CLEANING,)),
    Column("runner_up", "Runner-up", "text", (CLEANING,)),
    Column("handled", "Handled", "count", (CLEANING,)),
    Column("handling", "Anomaly strategy", "text", (CLEANING,)),
    Column("handling_error", "Its error", "number", (CLEANING,)),
    Column("kept", "Cleaning kept", "text", (KEPT,)),
    Column("gain", "Lower error by", "share", (KEPT,)),
    Column("error_raw", "Error, as observed", "number", (KEPT,)),
    Column("error_kept", "Error, as kept", "number", (KEPT,)),
    Column("kept_because", "Why", "text", (KEPT,)),
    Column("type", "Type", "text", (RHYTHM, STATISTICS)),
    Column("unit", "Unit", "text", (RHYTHM, STATISTICS)),
    Column("place", "Group", "text", (RHYTHM, STATISTICS)),
    Column("decision", "Regularity", "text", (RHYTHM,)),
    Column("decision_change", "Decision changed", "text", (RHYTHM,)),
    Column("version", "Estimates", "count", (RHYTHM,)),
    Column("period_label", "Period", "text", (RHYTHM,)),
    Column("season_length", "Season, steps", "count", (RHYTHM,)),
    Column("method", "Decomposition", "text", (RHYTHM,)),
    Column("seasons", "Its seasons, steps", "text", (RHYTHM,)),
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
    "share_missing": "Missing, as read",
    "share_zero": "Zero",
    "trend_strength": "Trend strength",
    "seasonal_strength": "Seasonal strength",
    "acf_peaks": "ACF peaks, lags",
    "adf_p": "ADF p",
    "kpss_p": "KPSS p",
}


def all_columns() -> Columns:
    """Give the columns that the table may have, the descriptive statistics last."""
    statistics = []
    for key, label in STATISTIC_LABELS.items():
        kind: Format = "text" if key == "acf_peaks" else "share" if key.startswith("share_") else "number"
        statistics.append(Column(key, label, kind, (STATISTICS,)))
    return (*COLUMNS, *statistics)
