"""Scores of forecasts against what was observed: sums per series, fold and model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sparkhu.backtesting.fitting import FittedFold
from sparkhu.backtesting.forecasts import Batch, Forecast
from sparkhu.evaluation.backtest import (
    COUNTS,
    SUMS,
    Units,
    interval_radii,
    window_coverage,
    window_errors,
)
from sparkhu.evaluation.conformal import LEVELS, borrow, calibrate_shard
from sparkhu.forecasting import BOUNDS
from sparkhu.frame import TIME
from sparkhu.models.base import Models
from sparkhu.steps.scaling import to_original, to_scaled
from sparkhu.training.parts import Floats
from sparkhu.training.windows import ShardWindows

QUANTILES = {level: (1 - level / 100) / 2 for level in LEVELS}
SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "group": pl.String(),
    "fold": pl.Int64(),
    "model": pl.String(),
    **{name: pl.Int64() for name in COUNTS},
    **{name: pl.Float64() for name in SUMS},
    "pinball_points": pl.Int64(),
    "pinball": pl.Float64(),
    "stood_in": pl.Int64(),
}
FORECASTS: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "group": pl.String(),
    "fold": pl.Int64(),
    "cutoff": TIME,
    "ds": TIME,
    "step": pl.Int64(),
    "model": pl.String(),
    "y_hat": pl.Float64(),
    **{name: pl.Float64() for name in BOUNDS},
    "y": pl.Float64(),
    "stood_in": pl.Boolean(),
}


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores the forecasts of a fold.

    Attributes:
        shard: The fold's windows.
        units: What errors are measured in.
        radii: Half-widths by model and level, (series, H) in scaled units; NaN where there is none.
    """

    shard: ShardWindows
    units: Units
    radii: Mapping[str, Mapping[int, Floats]]

    @classmethod
    def of(cls, fitted: FittedFold, *, intervals: frozenset[str]) -> "Scorer":
        """Make the scorer of a fold: nothing of what is scored goes into it.

        Args:
            fitted: The fold.
            intervals: Models that get intervals, calibrated on windows before the cutoff that chose nothing; none do
                where every window behind the training part chooses.
        """
        shard, fold = fitted.prepared.shard, fitted.fold
        until = fold.cutoff if fold.until is None else fold.train_end
        series = shard.series.with_columns(train_end=pl.lit(until).cast(TIME))
        calibrated = intervals if fold.until is None else frozenset[str]()
        models = {name: groups for name, groups in fitted.evaluated().items() if name in calibrated}
        made = _intervals(shard, models)
        radii = {
            name: {level: interval_radii(made, shard, name, level, fold.horizon) for level in LEVELS} for name in models
        }
        return cls(shard, Units(replace(shard, series=series)), radii)

    def scores(self, batch: Batch, observed: Floats, fold: int) -> pl.DataFrame:
        """Sum the errors of a batch: one row a series and model with observed points, in the columns of `SCHEMA`.

        Args:
            batch: Forecasts.
            observed: What was observed, (n, H) in own units; NaN where nothing was.
            fold: Number of the fold.
        """
        size, codes = self.shard.series.height, batch.codes
        truth = to_scaled(observed, self.shard.scaler.take(codes))
        tables = [pl.DataFrame(schema=SCHEMA)]
        for name, made in batch.by_model.items():
            radii = self._radii(name, observed.shape[1])
            sums = window_errors(self.units, codes, observed, made.values)
            error = np.where(made.stood_in[:, None], np.nan, np.abs(truth - made.scaled))
            sums |= window_coverage(error, codes, radii)
            sums |= self._pinball(batch, made, observed, radii)
            sums["stood_in"] = made.stood_in & (sums["points"] > 0)
            added = {column: np.bincount(codes, values, minlength=size) for column, values in sums.items()}
            table = self.shard.series.select("unique_id", "group").with_columns(
                pl.lit(fold, pl.Int64).alias("fold"),
                pl.lit(name).alias("model"),
                *[pl.Series(column, values) for column, values in added.items()],
            )
            tables.append(table.filter(pl.col("points") > 0).select(SCHEMA.keys()).cast(pl.Schema(SCHEMA)))
        return pl.concat(tables)

    def forecasts(self, batch: Batch, observed: Floats, fold: int) -> pl.DataFrame:
        """Lay a batch out, a row a window, step and model, in the columns of `FORECASTS`."""
        H = observed.shape[1]
        every = np.repeat(np.arange(len(batch.codes)), H)
        series = self.shard.series[batch.codes][every].select("unique_id", "group")
        shared = series.with_columns(
            fold=pl.lit(fold, pl.Int64),
            cutoff=batch.cutoffs.gather(every),
            ds=pl.Series(batch.ds.ravel()).cast(TIME),
            step=pl.Series(np.tile(np.arange(1, H + 1), len(batch.codes)), dtype=pl.Int64),
            y=pl.Series(observed.ravel()).fill_nan(None),
        )
        tables = []
        for name, made in batch.by_model.items():
            bounds = self._bounds(batch, made, self._radii(name, H))
            tables.append(
                shared.with_columns(
                    pl.lit(name).alias("model"),
                    pl.Series("y_hat", made.values.ravel()),
                    pl.Series("stood_in", made.stood_in[every]),
                    *[pl.Series(bound, values.ravel()).fill_nan(None) for bound, values in bounds.items()],
                ).select(FORECASTS.keys())
            )
        return pl.concat(tables)

    def _radii(self, model: str, H: int) -> Mapping[int, Floats]:
        nothing = np.full((self.shard.series.height, H), np.nan)
        return self.radii.get(model, dict.fromkeys(LEVELS, nothing))

    def _bounds(self, batch: Batch, made: Forecast, radii: Mapping[int, Floats]) -> dict[str, Floats]:
        """Give the ends of all intervals, (n, H); NaN where seasonal naive stood in: the model's are not its."""
        scaler, own = self.shard.scaler.take(batch.codes), np.where(made.stood_in, np.nan, 1.0)[:, None]
        return {
            f"{side}_{level}": to_original(made.scaled + sign * own * radius[batch.codes], scaler)
            for level, radius in radii.items()
            for side, sign in (("lo", -1), ("hi", 1))
        }

    def _pinball(
        self, batch: Batch, made: Forecast, observed: Floats, radii: Mapping[int, Floats]
    ) -> dict[str, Floats]:
        """Sum the pinball loss of the ends of all intervals, in standard deviations, a mean over their quantiles."""
        bounds = self._bounds(batch, made, radii)
        known = ~np.isnan(observed) & np.all([~np.isnan(bound) for bound in bounds.values()], axis=0)
        losses = []
        for level, tail in QUANTILES.items():
            for side, quantile in (("lo", tail), ("hi", 1 - tail)):
                off = observed - bounds[f"{side}_{level}"]
                losses.append(np.maximum(quantile * off, (quantile - 1) * off))
        total = np.where(known, np.mean(losses, axis=0), 0.0).sum(axis=1)
        return {"pinball": total / self.units.deviation[batch.codes], "pinball_points": known.sum(axis=1)}


def _intervals(shard: ShardWindows, models: Models) -> pl.DataFrame | None:
    if not models:
        return None
    calibration = calibrate_shard(shard, models=models)
    return borrow(calibration.table, calibration.pools)
