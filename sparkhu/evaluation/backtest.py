"""The backtest: every model on every window of a part of the split, scored against observed values only.

Errors are kept as sums per series and model, so the tables of shards are simply put one after another, and means over
series, groups or all are made from them at the end (`summary.py`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.evaluation.conformal import LEVELS
from sparkhu.evaluation.metrics import absolute_percentage
from sparkhu.models.base import Forecaster, Models
from sparkhu.steps.normalisation import fit_scalers
from sparkhu.threads import on_one_thread
from sparkhu.training.parts import PARTS, TEST, Floats, Integers
from sparkhu.training.windows import ShardWindows, chunks

SUMS = ("absolute", "squared", "absolute_own", "actual_own", "percentage", "scaled", *[f"inside_{p}" for p in LEVELS])
COUNTS = ("windows", "points", "scaled_points", *[f"interval_points_{p}" for p in LEVELS])
SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "group": pl.String(),
    "model": pl.String(),
    **{name: pl.Int64() for name in COUNTS},
    **{name: pl.Float64() for name in SUMS},
}


@on_one_thread
def score_shard(
    shard: ShardWindows, *, models: Models, intervals: pl.DataFrame | None = None, part: str = TEST
) -> pl.DataFrame:
    """Score models on the windows of one part.

    Args:
        shard: The windows of a shard.
        models: By name and group; as they stood after the training interval (`for_evaluation`).
        intervals: As `borrow` gives them, for the coverage; None leaves it out.
        part: Which of `sparkhu.training.parts.PARTS`.

    Returns:
        One row a series and model with scored points: `windows`, `points` and sums of errors. `absolute` and
        `squared` are in units of the standard deviation of the training interval, whatever the scaler; `*_own` in the
        series' own units; `percentage` sums sMAPE terms, `scaled` MASE terms over `scaled_points`.

    Raises:
        InputError: `part` is none of the parts.
    """
    if part not in PARTS:
        raise InputError(f"part must be one of {', '.join(PARTS)}, got '{part}'")
    units = Units(shard)
    tables = [pl.DataFrame(schema=SCHEMA)]
    for group, _, H, rows in shard.groups():
        chosen = rows.filter(pl.col("part") == part)
        able = {name: groups[group] for name, groups in models.items() if group in groups}
        if able and chosen.height:
            radii = {name: {each: interval_radii(intervals, shard, name, each, H) for each in LEVELS} for name in able}
            tables += _score(shard, units, chosen, able, radii)
    return pl.concat(tables).sort("unique_id", "model")


class Units:
    """What errors of each series are measured in.

    Attributes:
        deviation: Standard deviation of the training interval, an element a series of the shard's table.
        seasonal: Mean absolute seasonal change of the training interval, the scale of MASE; NaN where there is none.
    """

    def __init__(self, shard: ShardWindows):
        # Polars adds values of rows that it knows to be sorted in another order: every source must be treated alike.
        rows = shard.source.rows().set_sorted("unique_id")
        standard = fit_scalers(rows, shard.series, scaler="standard").frames["scalers"].select("unique_id", "scale")
        changes = _seasonal_changes(rows, shard.series)
        table = shard.series.join(standard, on="unique_id", how="left", maintain_order="left")
        table = table.join(changes, on="unique_id", how="left", maintain_order="left")
        self.deviation = table["scale"].to_numpy()
        self.seasonal = table["change"].fill_null(float("nan")).to_numpy()


def _seasonal_changes(sequences: pl.DataFrame, series: pl.DataFrame) -> pl.DataFrame:
    plan = series.select("unique_id", "train_end", season=pl.col("season_length").fill_null(1).clip(1))
    observed = "y_raw" if "y_raw" in sequences.columns else "y"
    rows = sequences.select("unique_id", "ds", observed=observed).join(plan, on="unique_id", maintain_order="left")
    parts = [pl.DataFrame(schema={"unique_id": pl.String, "change": pl.Float64})]
    for (season,), part in rows.partition_by("season", as_dict=True).items():
        change = pl.col("observed") - pl.col("observed").shift(int(season)).over("unique_id")
        trained = part.with_columns(change=change.abs()).filter(pl.col("ds") < pl.col("train_end"))
        parts.append(trained.group_by("unique_id").agg(pl.col("change").mean()))
    return pl.concat(parts).with_columns(change=pl.when(pl.col("change") > 0).then(pl.col("change")))


def interval_radii(intervals: pl.DataFrame | None, shard: ShardWindows, model: str, level: int, H: int) -> Floats:
    """Look half-widths up, (series of the shard, H) in scaled units; NaN where there is none."""
    found = np.full((shard.series.height, H), np.nan)
    if intervals is None:
        return found
    codes = shard.series.select("unique_id", code=pl.int_range(pl.len(), dtype=pl.Int64))
    rows = intervals.filter((pl.col("model") == model) & (pl.col("step") <= H)).join(codes, on="unique_id")
    radii = rows[f"radius_{level}"].fill_null(float("nan")).to_numpy()
    found[rows["code"].to_numpy(), rows["step"].to_numpy() - 1] = radii
    return found


def _score(
    shard: ShardWindows,
    units: Units,
    rows: pl.DataFrame,
    models: Mapping[str, Forecaster],
    radii: Mapping[str, dict[int, Floats]],
) -> list[pl.DataFrame]:
    """Score the models of one group; each window is read once for all of them."""
    first = next(iter(models.values()))
    L, H = first.input_size, first.horizon
    totals = {name: {column: np.zeros(shard.series.height) for column in (*COUNTS, *SUMS)} for name in models}
    for windows in chunks(rows, L + H):
        codes, inputs = windows["code"].to_numpy(), shard.inputs(windows, L)
        observed, truth = (shard.source.targets(windows, H, what) for what in ("observed", "truth"))
        for name, model in models.items():
            scaled = model.predict(inputs)
            errors = window_errors(units, codes, observed, shard.unscaled(scaled, codes))
            errors |= window_coverage(np.abs(truth - scaled), codes, radii[name])
            for column, values in errors.items():
                totals[name][column] += np.bincount(codes, values, minlength=shard.series.height)
    return [_table(shard, models[name].name, sums) for name, sums in totals.items()]


def _table(shard: ShardWindows, model: str, sums: Mapping[str, Floats]) -> pl.DataFrame:
    table = shard.series.select("unique_id", "group").with_columns(
        pl.lit(model).alias("model"), *[pl.Series(column, values) for column, values in sums.items()]
    )
    return table.filter(pl.col("points") > 0).cast(dict(SCHEMA)).select(SCHEMA.keys())  # type: ignore[arg-type]


def window_errors(units: Units, codes: Integers, actual: Floats, forecast: Floats) -> dict[str, Any]:
    """Sum each window's errors over its observed points.

    Args:
        units: What errors are measured in.
        codes: The series of each window, (n,).
        actual: What was observed, in the series' own units, (n, H); NaN where nothing was.
        forecast: Likewise.

    Returns:
        Arrays (n,) by the names of `SUMS` and `COUNTS`, but those of intervals.
    """
    own = np.abs(actual - forecast)
    points = (~np.isnan(actual)).sum(axis=1)
    deviation, seasonal = units.deviation[codes], units.seasonal[codes]
    absolute = np.nansum(own, axis=1)
    return {
        "windows": (points > 0).astype(np.float64),
        "points": points,
        "scaled_points": np.where(np.isnan(seasonal), 0, points),
        "absolute": absolute / deviation,
        "squared": np.nansum(own**2, axis=1) / deviation**2,
        "absolute_own": absolute,
        "actual_own": np.nansum(np.abs(actual), axis=1),
        "percentage": np.nansum(absolute_percentage(actual, forecast), axis=1),
        "scaled": np.where(np.isnan(seasonal), 0.0, absolute / np.where(np.isnan(seasonal), 1.0, seasonal)),
    }


def window_coverage(residuals: Floats, codes: Integers, radii: Mapping[int, Floats]) -> dict[str, Any]:
    """Count each window's observed points that have an interval, and those inside.

    Args:
        residuals: Absolute errors in scaled units, (n, H); NaN where nothing was observed.
        codes: The series of each window, (n,).
        radii: Half-widths by level, (series, H); NaN where there is none.
    """
    counted = {}
    for level, radius in radii.items():
        allowed = radius[codes]
        counted[f"interval_points_{level}"] = (~np.isnan(residuals) & ~np.isnan(allowed)).sum(axis=1)
        counted[f"inside_{level}"] = (residuals <= allowed).sum(axis=1)
    return counted
