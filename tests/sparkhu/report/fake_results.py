"""A results folder as a run writes it, made up: seasonal series with gaps, outliers, fills, forecasts and mishaps."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from tests.sparkhu.report.fake_cleaning import decomposed, write_cleaning_tables
from tests.sparkhu.report.fake_tuning import write_tuning

EVIL = "<script>alert(1)</script>"
QUOTED = 'Zürich & Söhne, "north"'
FAILED = "empty_meter"
PARAMS = {"ingest": {"source": "data/energy.csv", "value": "load_kw"}, "flag_outliers": {"width": 1.5}}
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
HORIZON, SEASON = 24, 24
STRATEGIES = ("linear", "last", "next", "mean", "median")
STEPS = (
    ("ingest", 1.31, ()),
    ("validate", 0.42, ("ingest",)),
    ("drop_duplicates", 0.35, ("validate",)),
    ("describe", 1.87, ("drop_duplicates",)),
    ("detect_regularity", 0.91, ("drop_duplicates",)),
    ("split_by_regularity", 0.28, ("drop_duplicates", "detect_regularity")),
    ("flag_outliers", 0.33, ("split_by_regularity", "describe")),
    ("mark_gaps", 0.31, ("flag_outliers", "detect_regularity")),
    *(
        (f"fill_{name}", 0.4 + 0.07 * place, ("mark_gaps", "detect_regularity"))
        for place, name in enumerate(STRATEGIES)
    ),
    ("pool_fills", 0.52, ("mark_gaps", *(f"fill_{name}" for name in STRATEGIES))),
    ("flag_outliers_irregular", 0.21, ("split_by_regularity", "describe")),
    ("resample_irregular", 0.27, ("flag_outliers_irregular", "detect_regularity")),
    ("join_series", 0.24, ("pool_fills", "resample_irregular")),
    ("fit_scalers", 0.22, ("join_series", "detect_regularity")),
    ("index_windows", 0.25, ("join_series", "detect_regularity")),
    ("store_sequences", 0.31, ("join_series", "fit_scalers", "index_windows")),
    ("tune", 5.12, ("store_sequences",)),
    ("train_linear", 2.93, ("store_sequences", "tune")),
    ("evaluate", 1.44, ("train_linear", "join_series")),
    ("forecast", 0.66, ("train_linear", "evaluate")),
    ("publish", 0.48, ("forecast", "evaluate", "describe")),
)


def names(series: int) -> list[str]:
    """Names of the series, sorted; the first is markup."""
    return sorted([EVIL, QUOTED, *[f"meter_{number:05d}" for number in range(series - 2)]])


def write_results(folder: Path, *, series: int = 12, points: int = 1000, chunk: int = 500) -> Path:
    """Write a whole results folder for `series` series of `points` hourly points, in pieces of `chunk` series."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    ids = names(series)
    parts = [_clean(ids[begin : begin + chunk], points, rng) for begin in range(0, series, chunk)]
    clean = pl.concat(parts)
    clean.write_parquet(folder / "clean.parquet")
    _stats(clean).write_parquet(folder / "stats.parquet")
    _forecasts(clean, rng).write_parquet(folder / "forecasts.parquet")
    _tables(folder, ids, points, rng)
    write_cleaning_tables(folder, clean, np.random.default_rng(8))
    write_tuning(folder)
    (folder / "metrics.json").write_text(json.dumps(_metrics(ids, rng)))
    (folder / "history.json").write_text(json.dumps(_history(series, points)))
    (folder / "run.json").write_text(json.dumps(_run()))
    return folder


def _clean(ids: list[str], points: int, rng: np.random.Generator) -> pl.DataFrame:
    count = len(ids)
    hour = np.arange(points)
    level = rng.uniform(20, 400, (count, 1))
    daily = np.sin(2 * np.pi * (hour / SEASON + rng.uniform(0, 1, (count, 1))))
    weekly = np.sin(2 * np.pi * hour / (7 * SEASON))
    noise = rng.normal(0, 1, (count, points)) * rng.uniform(0.03, 0.15, (count, 1))
    value = level * (1 + 0.3 * daily + 0.12 * weekly + noise + 0.0002 * hour)
    outlier = rng.uniform(size=value.shape) < 0.004
    gap = _gaps(count, points, rng)
    raw = np.where(outlier, value + level * rng.choice([-1.3, 1.6], value.shape), value)
    missing = gap | outlier
    filled = np.where(missing, level * (1 + 0.2 * daily), value)
    ds = np.tile(np.datetime64("2024-01-01T00", "us") + hour * np.timedelta64(1, "h"), count)
    frame = pl.DataFrame({"unique_id": np.repeat(np.array(ids, object), points), "ds": ds, "y": filled.ravel()})
    frame = frame.with_columns(
        pl.col("unique_id").cast(pl.String),
        pl.col("ds").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        y_raw=pl.when(pl.Series(~gap.ravel())).then(pl.Series(raw.ravel())),
        is_gap=pl.Series(gap.ravel()),
        is_outlier=pl.Series((outlier & ~gap).ravel()),
        fill_strategy=pl.when(pl.Series(missing.ravel())).then(pl.lit("linear")),
    ).with_columns(available_at=pl.col("ds"))
    parts = {"trend": level * (1 + 0.0002 * hour), "seasonal": level * (0.3 * daily + 0.12 * weekly)}
    return decomposed(frame, np.repeat(level, points), {name: part.ravel() for name, part in parts.items()})


def _gaps(count: int, points: int, rng: np.random.Generator) -> np.ndarray:
    gap = np.zeros((count, points), bool)
    for row in gap:
        for begin in rng.integers(5, points - 40, 2):
            row[begin : begin + rng.integers(1, 30)] = True
    return gap


def _stats(clean: pl.DataFrame) -> pl.DataFrame:
    y = pl.col("y_raw")
    return (
        clean.group_by("unique_id", maintain_order=True)
        .agg(
            n=pl.len(),
            sample_start=pl.col("ds").min(),
            sample_end=pl.col("ds").max(),
            min=y.min(),
            max=y.max(),
            mean=y.mean(),
            median=y.median(),
            q1=y.quantile(0.25),
            q3=y.quantile(0.75),
            std=y.std(),
            skewness=y.skew(),
            share_missing=y.null_count() / pl.len(),
            adf_p=pl.lit(0.0312),
            kpss_p=pl.lit(0.1),
            seasonal_strength=pl.lit(0.81),
            trend_strength=pl.lit(0.22),
        )
        .with_columns(acf_peaks=pl.concat_list(pl.lit(24), pl.lit(48)))
    )


def _forecasts(clean: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    last = clean.group_by("unique_id", maintain_order=True).tail(SEASON)
    shape = last.group_by("unique_id", maintain_order=True).agg(cutoff=pl.col("ds").max(), std=pl.col("y").std())
    base = last.join(shape, on="unique_id").with_columns(
        ds=pl.col("ds") + timedelta(hours=SEASON), step=pl.int_range(1, pl.len() + 1).over("unique_id")
    )
    models = []
    for name, jitter in (("linear", 0.06), ("seasonal_naive", 0.0), ("last_value", 0.0)):
        y_hat = pl.col("y").last().over("unique_id") if name == "last_value" else pl.col("y")
        shift = (pl.Series(rng.normal(0, 1, base.height)) * jitter - 5 * jitter) * pl.col("std")
        width = pl.col("std") * (0.25 + 0.03 * pl.col("step"))
        models.append(
            base.select(
                "unique_id",
                "cutoff",
                "ds",
                model=pl.lit(name),
                y_hat=y_hat + shift,
                lo_80=y_hat - width,
                hi_80=y_hat + width,
                lo_95=y_hat - 1.6 * width,
                hi_95=y_hat + 1.6 * width,
                available_at="cutoff",
            )
        )
    return pl.concat(models).sort("unique_id", "model", "ds")


def _tables(folder: Path, ids: list[str], points: int, rng: np.random.Generator) -> None:
    count = len(ids)
    rows = [(name, step, "ok", None, '{"rows":1}') for step, _, _ in STEPS for name in ids]
    rows += [(ids[1], "describe", "skipped", "24 points for the ADF test, 30 needed", "{}")]
    rows += [(FAILED, "validate", "failed", "no observed value in 40 rows", "{}")]
    _rows(rows, "unique_id", "step", "status", "reason", "counts").write_parquet(folder / "ledger.parquet")
    bad = [(ids[n % count], 17 * n + 3, None, "n/a", "value is no number") for n in range(4 * count)]
    bad += [(EVIL, 9, "<img src=x onerror=alert(2)>", None, "time cannot be read")]
    _rows(bad, "unique_id", "source_row", "ds_text", "y_text", "reason").write_parquet(folder / "quarantine.parquet")
    profile = {"decision": "regular", "period_label": "1h", "season_length": SEASON, "share_explained": 0.998}
    pl.DataFrame({"unique_id": ids, "n": points}).with_columns(
        **{key: pl.lit(value) for key, value in profile.items()}
    ).write_parquet(folder / "profile.parquet")
    pl.DataFrame({"unique_id": ids, "mae": rng.uniform(1, 2, count)}).with_columns(
        strategy=pl.lit("linear"), runner_up=pl.lit("mean"), reason=pl.lit("lowest error on hidden points")
    ).write_parquet(folder / "choices.parquet")
    scores = [
        (name, strategy, length, (1.4 + 0.5 * place) * length**0.3, 50, 1 / length)
        for name in ids
        for place, strategy in enumerate(STRATEGIES)
        for length in (1, 4, 12)
    ]
    _rows(scores, "unique_id", "strategy", "mask_length", "mae", "points", "weight").write_parquet(
        folder / "scores.parquet"
    )
    doubled = [(ids[0], BEGIN + timedelta(hours=n), 2, 1 + n % 2, ("exact", "conflict")[n % 2], 1.5) for n in range(6)]
    _rows(doubled, "unique_id", "ds", "rows", "distinct_values", "kind", "kept").with_columns(
        pl.col("ds").dt.cast_time_unit("us")
    ).write_parquet(folder / "duplicates.parquet")


def _rows(rows: list[tuple[object, ...]], *columns: str) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=list(columns), orient="row", infer_schema_length=None)


def _metrics(ids: list[str], rng: np.random.Generator) -> dict[str, object]:
    def measures(mae: float, coverage: float) -> dict[str, float]:
        return {
            "mse": mae**2 * 1.5,
            "mae": mae,
            "rmse": mae * 1.22,
            "smape": mae / 3,
            "mase": mae * 1.9,
            "wape": mae / 2.5,
            "coverage_80": coverage,
            "coverage_95": min(1.0, coverage + 0.15),
            "windows": 76,
            "points": 1824,
        }

    series = []
    for number, name in enumerate(ids):
        naive = float(rng.uniform(0.4, 0.7))
        better = float(rng.lognormal(-0.25, 0.18))
        models = {
            "linear": measures(naive * better, 0.62 if number == 3 else 0.81),
            "seasonal_naive": measures(naive, 0.79),
            "last_value": measures(naive * 1.8, 0.77),
        }
        series.append({"unique_id": name, "group": ("1h/24", "1h/168")[number % 2], **models})
    overall = {
        "linear": measures(0.433, 0.806),
        "seasonal_naive": measures(0.551, 0.79),
        "last_value": measures(0.98, 0.77),
    }
    return {
        "schema_version": 1,
        "units": "standardised by each series' training interval",
        "champion": "linear",
        **overall,
        "groups": {
            "1h/24": {"linear": measures(0.41, 0.8), "seasonal_naive": measures(0.56, 0.8)},
            "1h/168": {"linear": measures(0.46, 0.8), "seasonal_naive": measures(0.54, 0.8)},
        },
        "series": series,
    }


def _history(series: int, points: int) -> list[dict[str, object]]:
    ends: dict[str, float] = {}
    records = []
    for step, seconds, inputs in STEPS:
        begin = max((ends[name] for name in inputs), default=0.0)
        ends[step] = begin + seconds
        records.append(
            {
                "step": step,
                "started": (datetime(2026, 3, 2, 9, 30, tzinfo=UTC) + timedelta(seconds=begin)).isoformat(),
                "seconds": seconds,
                "rows_in": series * points,
                "rows_out": series * points - (12 if step == "validate" else 0),
                "series_in": series,
                "series_failed": int(step == "validate"),
                "series_skipped": int(step == "describe"),
                "status": "ok",
                "inputs": list(inputs),
                "params": PARAMS.get(step, {}),
                "notes": ["period 1h found from the data"] if step == "detect_regularity" else [],
                "sources": [{"uri": "energy.csv", "bytes": 1048576, "sha256": "9f" * 32}] if step == "ingest" else [],
                "code": "0.1.0+3f2a9c1b7d04",
            }
        )
    return records


def _run() -> dict[str, object]:
    return {
        "schema_version": 1,
        "pipeline": "forecast",
        "parameters": {
            "source": "data/energy.csv",
            "time": "date",
            "value": "load_kw",
            "zone": "UTC",
            "horizon": HORIZON,
            "input_size": 168,
        },
        "sources": [{"uri": "data/energy.csv", "sha256": "9f" * 32, "bytes": 1048576}],
        "code": "0.1.0+3f2a9c1b7d04",
        "notes": ["horizon 24: one season of most series"],
    }
