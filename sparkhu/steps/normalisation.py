"""Normalisation: each series on a scale of its own, fitted on its training interval only and inverted at serving.

Every scaler is `(T(y) − center) / scale`, where T is the Yeo-Johnson transform for `power` and the value itself
for the others. The definitions are scikit-learn's:

| scaler | center | scale |
| --- | --- | --- |
| `standard` | mean | standard deviation, divisor n (`StandardScaler`) |
| `minmax` | minimum | maximum − minimum (`MinMaxScaler`) |
| `robust` | median | q3 − q1, linear quantiles (`RobustScaler`) |
| `power` | mean of T(y) | standard deviation of T(y); λ by maximum likelihood (`PowerTransformer`) |

A series that does not vary gets scale 1. Where the power transform of a series cannot be undone, it is scaled by
`standard` instead (λ = 1), which the ledger tells. See `sparkhu.steps.scaler_fits`.
"""

import hashlib
from typing import Any, Literal, get_args

import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas, check_frame
from sparkhu.steps.result import FILLED, StepResult, reads
from sparkhu.steps.scaler_fits import NOT_FINITE, fit_statistics
from sparkhu.steps.scaling import ScalerColumns, to_original, to_scaled
from sparkhu.steps.segmented import Runs, floats, instants, times

Scaler = Literal["standard", "minmax", "robust", "power"]
SCALERS: tuple[str, ...] = get_args(Scaler)
SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "scaler": pl.String(),
    "center": pl.Float64(),
    "scale": pl.Float64(),
    "lambda": pl.Float64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "fitted_from": TIME,
    "fitted_until": TIME,
    "available_at": TIME,
    "version": pl.String(),
}
NO_VALUES = "no observed value in the training interval to fit a scaler on"


def check_scaler(scaler: str) -> None:
    """Check the parameter `scaler`.

    Raises:
        InputError: It is none of `SCALERS`.
    """
    if scaler not in SCALERS:
        raise InputError(f"scaler must be one of {', '.join(SCALERS)}, got '{scaler}'")


@reads(sequences=FILLED)
def fit_scalers(sequences: pl.DataFrame, profile: pl.DataFrame, *, scaler: Scaler = "standard") -> StepResult:
    """Fit one scaler a series on the observed values of its training interval.

    Args:
        sequences: Sorted rows `unique_id, ds, y, available_at`, with `y_raw` and `fill_strategy` where values
            were changed: a filled value is not fitted on.
        profile: `train_end` per series: only rows with `ds < train_end` are looked at.
        scaler: Which of `SCALERS`.

    Returns:
        Frame `scalers`: `unique_id, scaler, center, scale, lambda` (power only), `lower, upper` (power only: the
        range that inverted values are held in, one training range beyond the training values on either side; null
        where the values do not vary, or no power is taken), `fitted_from` (the first instant used), `fitted_until`
        (the half-open end), `available_at` (of the latest value used), `version` (a fingerprint of all of these). A
        series without an observed value, or whose scale is not finite, fails in the ledger; one that the power
        transform does not suit is `ok` with the reason.

    Raises:
        InputError: The parameter or a column cannot be used.
    """
    check_scaler(scaler)
    check_frame(sequences, "unique_id", "ds", "y", "available_at")
    check_frame(profile, "unique_id", "train_end")
    fitted = fit_statistics(_training_values(sequences, profile), scaler)
    usable = fitted.filter(pl.col("reason").ne_missing(NOT_FINITE))
    scalers = _versioned(usable.with_columns(scaler=pl.lit(scaler)))
    return StepResult({"scalers": scalers}, _ledger(Runs.of(sequences).ids.unique(maintain_order=True), fitted))


def _ledger(ids: pl.Series, fitted: pl.DataFrame) -> pl.DataFrame:
    found = ids.to_frame().join(
        fitted.select("unique_id", "points", "reason"), on="unique_id", how="left", maintain_order="left"
    )
    found = found.with_columns(
        points=pl.col("points").fill_null(0),
        reason=pl.when(pl.col("points").is_null()).then(pl.lit(NO_VALUES)).otherwise("reason"),
    )
    failed = pl.col("reason").is_in([NO_VALUES, NOT_FINITE]).fill_null(value=False)
    status = found.select(pl.when(failed).then(pl.lit("failed")).otherwise(pl.lit("ok"))).to_series()
    return ledger.entries(ids, status=status, reason=found["reason"], counts={"fitted_points": found["points"]})


def _training_values(sequences: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """Keep the observed rows of each series before its `train_end` (half-open), with that column."""
    runs, columns = Runs.of(sequences), ("unique_id", "ds", "y", "available_at")
    end = times(runs.spread(instants(runs.align(profile, "train_end")["train_end"])), "train_end")
    wanted = pl.col("y").is_not_null() & (pl.col("ds") < end)
    if "y_raw" in sequences.columns:
        wanted &= pl.col("y_raw").is_not_null()
    if "fill_strategy" in sequences.columns:
        wanted &= pl.col("fill_strategy").is_null()
    used = sequences.select(wanted.fill_null(value=False)).to_series()
    return sequences.select(*columns, end).filter(used)


def _versioned(fitted: pl.DataFrame) -> pl.DataFrame:
    named = fitted.select([name for name in SCHEMA if name != "version"])
    versions = [_fingerprint(row) for row in named.iter_rows()]
    return named.with_columns(version=pl.Series(versions, dtype=pl.String)).select(SCHEMA.keys())


def _fingerprint(row: tuple[Any, ...]) -> str:
    text = "|".join(cell.hex() if isinstance(cell, float) else str(cell) for cell in row)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@accepts_pandas
def scale(frame: pl.DataFrame, scalers: Any, *, columns: tuple[str, ...] = ("y",)) -> pl.DataFrame:
    """Bring columns of a frame onto the series' scales; a null stays null.

    Args:
        frame: Rows with `unique_id` and `columns`, in the series' own units.
        scalers: As `fit_scalers` gives them.
        columns: Which columns to scale.

    Raises:
        InputError: A column is missing or holds no numbers, or a series of the frame has no scaler, or two.

    Example:
        >>> scalers = pl.DataFrame({"unique_id": ["a"], "center": [2.0], "scale": [4.0], "lambda": [None]})
        >>> scale(pl.DataFrame({"unique_id": ["a"], "y": [10.0]}), scalers)["y"].to_list()
        [2.0]
    """
    return _each_column(frame, scalers, columns, to_scaled)


@accepts_pandas
def unscale(frame: pl.DataFrame, scalers: Any, *, columns: tuple[str, ...] = ("y",)) -> pl.DataFrame:
    """Bring scaled columns back to the series' own units: the inverse of `scale`; a null stays null.

    The power transform has no inverse beyond its reach, so its values are held in the scaler's `[lower, upper]`.

    Args:
        frame: Rows with `unique_id` and `columns`, in scaled units.
        scalers: As `fit_scalers` gives them.
        columns: Which columns to bring back.

    Raises:
        InputError: As for `scale`.
    """
    return _each_column(frame, scalers, columns, to_original)


def _each_column(frame: pl.DataFrame, scalers: Any, columns: tuple[str, ...], change: Any) -> pl.DataFrame:
    check_frame(frame, "unique_id", *columns)
    per_row = ScalerColumns.of(frame["unique_id"], scalers)
    changed = []
    for name in columns:
        if not frame.schema[name].is_numeric():
            raise InputError(f"column '{name}' has type {frame.schema[name]}, expected numbers. Leave it out.")
        values = floats(frame[name])
        changed.append(pl.Series(name, change(values, per_row), pl.Float64).fill_nan(None))
    return frame.with_columns(changed)
