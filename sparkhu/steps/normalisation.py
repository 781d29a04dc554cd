"""Normalisation: each series on a scale of its own, fitted on its training interval only and inverted at serving.

Every scaler is `(T(y) − center) / scale`, where T is the Yeo-Johnson transform for `power` and the value itself
for the others. The definitions are scikit-learn's:

| scaler | center | scale |
| --- | --- | --- |
| `standard` | mean | standard deviation, divisor n (`StandardScaler`) |
| `minmax` | minimum | maximum − minimum (`MinMaxScaler`) |
| `robust` | median | q3 − q1, linear quantiles (`RobustScaler`) |
| `power` | mean of T(y) | standard deviation of T(y); λ by maximum likelihood (`PowerTransformer`) |

A series that does not vary gets scale 1.
"""

import hashlib
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas, check_frame
from sparkhu.steps.power import inverse_yeo_johnson, yeo_johnson
from sparkhu.steps.result import StepResult

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
Floats = npt.NDArray[np.float64]


def check_scaler(scaler: str) -> None:
    """Check the parameter `scaler`.

    Raises:
        InputError: It is none of `SCALERS`.
    """
    if scaler not in SCALERS:
        raise InputError(f"scaler must be one of {', '.join(SCALERS)}, got '{scaler}'")


def fit_scalers(sequences: pl.DataFrame, profile: pl.DataFrame, *, scaler: Scaler = "standard") -> StepResult:
    """Fit one scaler a series on the observed values of its training interval.

    Args:
        sequences: Sorted rows `unique_id, ds, y, available_at`, with `y_raw` and `fill_strategy` where values
            were changed: a filled value is not fitted on.
        profile: `train_end` per series: only rows with `ds < train_end` are looked at.
        scaler: Which of `SCALERS`.

    Returns:
        Frame `scalers`: `unique_id, scaler, center, scale, lambda` (power only), `lower, upper` (power only: the
        range that inverted values are held in, one training range beyond the training values on either side),
        `fitted_from` (the first instant used), `fitted_until` (the half-open end), `available_at` (of the latest value
        used), `version` (a fingerprint of all of these). A series without an observed value fails in the ledger.

    Raises:
        InputError: The parameter or a column cannot be used.
    """
    check_scaler(scaler)
    check_frame(sequences, "unique_id", "ds", "y", "available_at")
    check_frame(profile, "unique_id", "train_end")
    fitted = _statistics(_training_values(sequences, profile), scaler)
    scalers = _versioned(fitted.with_columns(scaler=pl.lit(scaler)))
    ids = sequences["unique_id"].unique(maintain_order=True)
    points = ids.to_frame().join(
        fitted.select("unique_id", "points"), on="unique_id", how="left", maintain_order="left"
    )
    points = points.with_columns(
        pl.col("points").fill_null(0),
        status=pl.when(pl.col("points").is_null()).then(pl.lit("failed")).otherwise(pl.lit("ok")),
        reason=pl.when(pl.col("points").is_null()).then(pl.lit(NO_VALUES)),
    )
    entries = ledger.entries(
        ids, status=points["status"], reason=points["reason"], counts={"fitted_points": points["points"]}
    )
    return StepResult({"scalers": scalers}, entries)


def training_rows(sequences: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows of each series before its `train_end` (half-open), with that column."""
    ends = profile.select("unique_id", "train_end")
    return sequences.join(ends, on="unique_id", maintain_order="left").filter(pl.col("ds") < pl.col("train_end"))


def _training_values(sequences: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    rows = training_rows(sequences, profile).filter(pl.col("y").is_not_null())
    if "y_raw" in rows.columns:
        rows = rows.filter(pl.col("y_raw").is_not_null())
    if "fill_strategy" in rows.columns:
        rows = rows.filter(pl.col("fill_strategy").is_null())
    return rows


def _statistics(rows: pl.DataFrame, scaler: Scaler) -> pl.DataFrame:
    lambdas = (
        _lambdas(rows) if scaler == "power" else rows.select("unique_id", pl.lit(None, pl.Float64).alias("lambda"))
    )
    rows = rows.join(lambdas.unique("unique_id"), on="unique_id", maintain_order="left")
    if scaler == "power":
        powered = yeo_johnson(rows["y"].to_numpy(), rows["lambda"].to_numpy())
        rows = rows.with_columns(pl.Series("value", powered, pl.Float64))
    else:
        rows = rows.with_columns(value=pl.col("y"))
    value, y = pl.col("value"), pl.col("y")
    center, scale = {
        "minmax": (value.min(), value.max() - value.min()),
        "robust": (value.median(), value.quantile(0.75, "linear") - value.quantile(0.25, "linear")),
    }.get(scaler, (value.mean(), value.std(ddof=0)))
    margin = pl.when(pl.col("lambda").first().is_not_null()).then(y.max() - y.min())
    varies = (y.max() > y.min()) & (scale > 10 * np.finfo(np.float64).eps * value.abs().max())
    return rows.group_by("unique_id", maintain_order=True).agg(
        center=center,
        scale=pl.when(varies).then(scale).otherwise(1.0),
        points=pl.len(),
        lower=y.min() - margin,
        upper=y.max() + margin,
        fitted_from=pl.col("ds").first(),
        fitted_until=pl.col("train_end").first(),
        available_at=pl.col("available_at").max(),
        **{"lambda": pl.col("lambda").first()},
    )


def _lambdas(rows: pl.DataFrame) -> pl.DataFrame:
    from scipy.stats import yeojohnson_normmax

    found: dict[str, float] = {}
    for (series,), part in rows.group_by("unique_id", maintain_order=True):
        values = part["y"].to_numpy()
        found[str(series)] = float(yeojohnson_normmax(values)) if np.ptp(values) > 0 else 1.0
    columns = {"unique_id": list(found), "lambda": list(found.values())}
    return pl.DataFrame(columns, schema={"unique_id": pl.String, "lambda": pl.Float64})


def _versioned(fitted: pl.DataFrame) -> pl.DataFrame:
    named = fitted.select([name for name in SCHEMA if name != "version"])
    versions = [_fingerprint(row) for row in named.iter_rows()]
    return named.with_columns(version=pl.Series(versions, dtype=pl.String)).select(SCHEMA.keys())


def _fingerprint(row: tuple[Any, ...]) -> str:
    text = "|".join(cell.hex() if isinstance(cell, float) else str(cell) for cell in row)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@accepts_pandas
def scale(frame: pl.DataFrame, scalers: pl.DataFrame, *, columns: tuple[str, ...] = ("y",)) -> pl.DataFrame:
    """Bring columns of a frame onto the series' scales; a null stays null.

    Args:
        frame: Rows with `unique_id` and `columns`, in the series' own units.
        scalers: As `fit_scalers` gives them.
        columns: Which columns to scale.

    Raises:
        InputError: A series of the frame has no scaler.

    Example:
        >>> scalers = pl.DataFrame({"unique_id": ["a"], "center": [2.0], "scale": [4.0], "lambda": [None]})
        >>> scale(pl.DataFrame({"unique_id": ["a"], "y": [10.0]}), scalers)["y"].to_list()
        [2.0]
    """
    return _each_column(frame, scalers, columns, to_scaled)


@accepts_pandas
def unscale(frame: pl.DataFrame, scalers: pl.DataFrame, *, columns: tuple[str, ...] = ("y",)) -> pl.DataFrame:
    """Bring scaled columns back to the series' own units: the inverse of `scale`; a null stays null.

    The power transform has no inverse beyond its reach, so its values are held in the scaler's `[lower, upper]`.

    Args:
        frame: Rows with `unique_id` and `columns`, in scaled units.
        scalers: As `fit_scalers` gives them.
        columns: Which columns to bring back.

    Raises:
        InputError: A series of the frame has no scaler.
    """
    return _each_column(frame, scalers, columns, to_original)


def _each_column(frame: pl.DataFrame, scalers: pl.DataFrame, columns: tuple[str, ...], change: Any) -> pl.DataFrame:
    check_frame(frame, "unique_id")
    per_row = ScalerColumns.of(frame["unique_id"], scalers)
    changed = []
    for name in columns:
        values = frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        changed.append(pl.Series(name, change(values, per_row), pl.Float64).fill_nan(None))
    return frame.with_columns(changed)


class ScalerColumns:
    """The parameters of a scaler, an element per series or per row.

    Attributes:
        center, scale: As fitted.
        lam: λ of the power transform; NaN where the scaler has none.
        lower, upper: The range that inverted values are held in; infinite where the scaler sets none.
    """

    def __init__(self, center: Floats, scale: Floats, lam: Floats, lower: Floats, upper: Floats):
        self.center, self.scale, self.lam, self.lower, self.upper = center, scale, lam, lower, upper

    @classmethod
    def of(cls, series: pl.Series, scalers: pl.DataFrame) -> "ScalerColumns":
        """Look the scaler of each element of `series` up.

        Raises:
            InputError: A series has none.
        """
        found = series.alias("unique_id").to_frame().join(scalers, on="unique_id", how="left", maintain_order="left")
        missing = found.filter(pl.col("scale").is_null())["unique_id"]
        if len(missing):
            raise InputError(f"series '{missing[0]}' has no scaler; fit one with fit_scalers first")
        for name in ("lower", "upper"):
            if name not in found.columns:
                found = found.with_columns(pl.lit(None, pl.Float64).alias(name))
        filled = found.select(
            "center",
            "scale",
            pl.col("lambda").cast(pl.Float64).fill_null(float("nan")),
            pl.col("lower").fill_null(float("-inf")),
            pl.col("upper").fill_null(float("inf")),
        )
        return cls(*(filled[name].to_numpy() for name in filled.columns))

    def take(self, index: npt.NDArray[np.int64]) -> "ScalerColumns":
        """Give the parameters at `index` as columns (n, 1), to broadcast over windows."""
        parts = (self.center, self.scale, self.lam, self.lower, self.upper)
        return ScalerColumns(*(part[index][:, None] for part in parts))


def to_scaled(values: Floats, scaler: ScalerColumns) -> Floats:
    """Scale an array with parameters that broadcast against it."""
    if not np.isnan(scaler.lam).all():
        values = np.where(np.isnan(scaler.lam), values, yeo_johnson(values, scaler.lam))
    return (values - scaler.center) / scaler.scale


def to_original(values: Floats, scaler: ScalerColumns) -> Floats:
    """Invert `to_scaled`; where a range is set, values beyond it are held at its ends."""
    values = values * scaler.scale + scaler.center
    if np.isnan(scaler.lam).all():
        return values
    reach = [yeo_johnson(end, scaler.lam) for end in (scaler.lower, scaler.upper)]
    inverted = inverse_yeo_johnson(np.clip(values, *reach), scaler.lam)
    return np.where(np.isnan(scaler.lam), values, inverted)
