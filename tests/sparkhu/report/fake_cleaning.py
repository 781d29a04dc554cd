"""Made-up tables of decomposition, anomalies, their handling, the guard, categories and the catalogue."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

EVIL_STRATEGY = "<img src=x onerror=alert(3)>"
EVIL_UNIT = "<b onmouseover=alert(4)>kW</b>"
EVIL_CATEGORY = "</script><script>alert(5)</script>"
HANDLING = ("clip", "ema_flagged", "seasonal_mean", EVIL_STRATEGY, "leave")
NEW_TABLES = (
    *("handling", "handling_scores", "cleaning", "seasons", "limits", "level_changes"),
    *("categories", "estimates", "metadata"),
)
NEW_COLUMNS = ("is_anomaly", "is_alert", "anomaly_strategy", "anomaly_score", "trend", "seasonal", "resid")
LIMIT = 0.6
"""Limit of the remainder, as a share of the level of a series."""


def decomposed(clean: pl.DataFrame, level: np.ndarray, parts: dict[str, np.ndarray]) -> pl.DataFrame:
    """Add decomposition, anomalies and what stands in their place: every 211th point of a series is one."""
    observed = clean["y_raw"].is_not_null().to_numpy() & ~clean["is_outlier"].to_numpy()
    planted = (np.arange(clean.height) % 211 == 97) & observed
    spike = np.where(planted, 0.9 * level, 0.0)
    raw = pl.col("y_raw") + pl.Series(spike)
    resid = pl.col("y") - pl.Series(parts["trend"]) - pl.Series(parts["seasonal"]) + pl.Series(spike)
    return clean.with_columns(
        y_raw=raw,
        y=pl.col("y") + pl.Series(np.where(planted, 0.1 * level, 0.0)),
        is_anomaly=pl.Series(planted),
        is_alert=(raw > pl.Series(2.1 * level)).fill_null(value=False),
        anomaly_strategy=pl.when(pl.Series(planted)).then(pl.lit("clip")),
        anomaly_score=resid.abs() / pl.Series(level),
        trend=pl.Series(parts["trend"]),
        seasonal=pl.Series(parts["seasonal"]),
        resid=resid,
    )


def write_cleaning_tables(folder: Path, clean: pl.DataFrame, rng: np.random.Generator) -> None:
    """Write the tables beside `clean.parquet`, a row or more a series; the last series has no season."""
    levels = clean.group_by("unique_id", maintain_order=True).agg(level=pl.col("trend").mean())
    ids, count = levels["unique_id"], levels.height
    base = pl.DataFrame({"unique_id": ids})
    season = [[24, 168]] * (count - 1) + [[]]
    base.with_columns(
        method=pl.Series(["mstl"] * (count - 1) + ["trend"]),
        seasons=pl.Series(season, dtype=pl.List(pl.Int64)),
        trend_strength=pl.lit(0.4),
        seasonal_strength=pl.lit(0.8),
    ).write_parquet(folder / "seasons.parquet")
    reach = levels["level"] * LIMIT
    base.with_columns(center=pl.lit(0.0), scale=reach / 3, low=-reach, high=reach).write_parquet(
        folder / "limits.parquet"
    )
    _level_changes(base, clean).write_parquet(folder / "level_changes.parquet")
    _handling(base, levels["level"], rng).write_parquet(folder / "handling_scores.parquet")
    base.with_columns(
        strategy=pl.Series(["clip"] * (count - 1) + ["leave"]), error=pl.lit(1.5), runner_up=pl.lit("ema_flagged")
    ).write_parquet(folder / "handling.parquet")
    _cleaning(base, rng).write_parquet(folder / "cleaning.parquet")
    _described(folder, base, levels["level"], clean["ds"].max())


def _level_changes(base: pl.DataFrame, clean: pl.DataFrame) -> pl.DataFrame:
    """Give the first series a shift up and one down, and all but the last two a drift over its second half."""
    times = clean.group_by("unique_id", maintain_order=True).agg(
        third=pl.col("ds").get(pl.len() // 3), half=pl.col("ds").get(pl.len() // 2), end=pl.col("ds").max()
    )
    level = clean.group_by("unique_id", maintain_order=True).agg(level=pl.col("trend").mean())["level"]
    rows = base.hstack(times.drop("unique_id")).with_columns(size=level / 4, score=pl.lit(9.5), available_at="end")
    columns = ("unique_id", "kind", "ds", "ends", "size", "score", "available_at")
    never = pl.lit(None, pl.Datetime("us", "UTC"))
    shift = rows.head(1).with_columns(kind=pl.lit("shift"), ds="third", ends=never)
    back = shift.with_columns(ds="half", size=-pl.col("size"))
    drift = rows.head(base.height - 2).with_columns(kind=pl.lit("drift"), ds="half", ends="end")
    return pl.concat(table.select(columns) for table in (shift, back, drift)).sort("unique_id", "ds")


def _handling(base: pl.DataFrame, level: pl.Series, rng: np.random.Generator) -> pl.DataFrame:
    tables = []
    for place, name in enumerate(HANDLING):
        error = level * (0.1 + 0.07 * place) * pl.Series(rng.uniform(0.8, 1.3, base.height))
        scored = base.with_columns(strategy=pl.lit(name), injected=pl.lit(20), size=level * 0.9, error=error)
        tables.append(scored.with_columns(collateral=error / 30, share=pl.lit(0.005)))
    return pl.concat(tables)


def _cleaning(base: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Errors of four ways of cleaning; the least is kept where it gains one per cent, verified a little above it.

    Every fourth series has nothing to clean; of every fifth the gain is not confirmed.
    """
    kinds = ("outliers", "anomalies", "outliers+anomalies")
    rows = []
    for number in range(base.height):
        raw = float(rng.uniform(0.3, 0.9))
        tried = [raw * float(factor) for factor in rng.lognormal(0.0, 0.04, 3)]
        least = min(range(3), key=lambda at: tried[at])
        nothing = number % 4 == 3
        gains = not nothing and tried[least] <= 0.99 * raw
        kept = kinds[least] if gains and number % 5 != 4 else "none"
        verified = None if nothing else raw if kept == "none" else 0.5 * (tried[least] + 0.99 * raw)
        reason = "nothing to clean" if nothing else f"least error over 12 windows: {kept}"
        reason = "not confirmed: made up" if gains and kept == "none" else reason
        rows.append((*([raw, None, None, None] if nothing else [raw, *tried]), verified, kept, 12, reason))
    errors = ("error_raw", "error_outliers", "error_anomalies", "error_both", "error_kept")
    columns = (*errors, "kept", "windows", "reason")
    return base.hstack(pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None))


def _described(folder: Path, base: pl.DataFrame, level: pl.Series, end: object) -> None:
    count = base.height
    shares = {"open": 0.7, "closed": 0.2, EVIL_CATEGORY: 0.1}
    pl.concat(
        base.with_columns(column=pl.lit("valve"), category=pl.lit(name), count=pl.lit(1000), share=pl.lit(share))
        for name, share in shares.items()
    ).write_parquet(folder / "categories.parquet")
    versions = []
    for version, decision in enumerate(("irregular", "regular", "regular"), start=1):
        changed = pl.Series([decision] * (count - 1) + ["irregular" if version == 2 else decision])
        versions.append(
            base.with_columns(
                version=pl.lit(version),
                decision=changed,
                period_label=pl.when(changed == "regular").then(pl.lit("1h")),
                estimated_at=pl.lit(end) + timedelta(days=version),
            )
        )
    pl.concat(versions).write_parquet(folder / "estimates.parquet")
    base.with_columns(
        type=pl.lit("electricity"),
        unit=pl.Series([EVIL_UNIT] + ["kW"] * (count - 1)),
        group=pl.lit("site A"),
        valid_min=pl.lit(None, dtype=pl.Float64),
        valid_max=pl.lit(None, dtype=pl.Float64),
        alert_low=-level * 40,
        alert_high=level * 2.1,
    ).write_parquet(folder / "metadata.parquet")
