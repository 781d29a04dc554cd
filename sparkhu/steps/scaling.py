"""Scaling of arrays: the parameters of a scaler beside values, there and back."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.errors import InputError
from sparkhu.steps.power import inverse_yeo_johnson, yeo_johnson
from sparkhu.steps.segmented import Runs, floats

Floats = npt.NDArray[np.float64]
PARAMETERS = ("center", "scale", "lambda")


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
    def of(cls, series: pl.Series, scalers: Any) -> "ScalerColumns":
        """Look the scaler of each element of `series` up.

        Args:
            series: Names of series.
            scalers: As `fit_scalers` gives them, in Polars or pandas; `lower` and `upper` may be missing.

        Raises:
            InputError: `scalers` lacks a column or holds a series twice, or a series has none.
        """
        scalers = scalers if isinstance(scalers, pl.DataFrame) else pl.from_pandas(scalers)
        held = [name for name in ("lower", "upper") if name in scalers.columns]
        runs = Runs.of(series.alias("unique_id").to_frame())
        found = runs.align(scalers, *PARAMETERS, *held)
        missing = found.filter(pl.col("scale").is_null())["unique_id"]
        if len(missing):
            raise InputError(f"series '{missing[0]}' has no scaler; fit one with fit_scalers first")
        for name in ("lower", "upper"):
            if name not in held:
                found = found.with_columns(pl.lit(None, pl.Float64).alias(name))
        filled = found.select(
            "center",
            "scale",
            pl.col("lambda").cast(pl.Float64).fill_null(float("nan")),
            pl.col("lower").fill_null(float("-inf")),
            pl.col("upper").fill_null(float("inf")),
        )
        return cls(*(_spread(runs, floats(column)) for column in filled.iter_columns()))

    def take(self, index: npt.NDArray[np.int64]) -> "ScalerColumns":
        """Give the parameters at `index` as columns (n, 1), to broadcast over windows."""
        parts = (self.center, self.scale, self.lam, self.lower, self.upper)
        return ScalerColumns(*(part[index][:, None] for part in parts))


def _spread(runs: Runs, values: Floats) -> Floats:
    """Give every row the value of its series; one that all share takes no memory."""
    rows = int(runs.lengths.sum())
    if len(values) and np.array_equal(values, np.broadcast_to(values[0], values.shape), equal_nan=True):
        return np.broadcast_to(values[0], rows)
    return runs.spread(values)


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
