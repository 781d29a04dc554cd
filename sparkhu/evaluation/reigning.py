"""The champion of an earlier run on the windows of this one: its own look-back, its own scaler, its own groups.

It is scored as it stood after its own training interval, as every challenger is: the weights that forecast were fitted
on all windows, and have seen what it would be judged by. A window whose targets begin before the end of its training
interval is left out for the same reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from sparkhu.models.base import Floats, Forecaster, Histories, Inputs
from sparkhu.models.bundle import Bundle
from sparkhu.models.candidates import LAST_VALUE, SEASONAL_NAIVE
from sparkhu.steps.scaling import ScalerColumns, to_original, to_scaled
from sparkhu.training.windows import ShardWindows

LEAST_SHARE = 0.5
"""Share of a run's series that a champion must be able to forecast, to stand for all of them."""
UNKNOWN, OTHER_PERIOD, OTHER_HORIZON = REASONS = ("unknown to it", "of another period", "of another horizon")


@dataclass(frozen=True, eq=False)
class Reigning:
    """A champion of an earlier run.

    Attributes:
        models: Its forecaster by its own group, as it stood after its training interval.
        series: One row a series of this run that it can forecast: `unique_id`, its own `group`, `trained_until`.
        scalers: Its own scaler of each of them.
    """

    models: Mapping[str, Forecaster]
    series: pl.DataFrame
    scalers: pl.DataFrame

    def forecast(self, shard: ShardWindows, windows: pl.DataFrame, size: int) -> Floats:
        """Forecast windows of a shard, (windows, H) in the series' own units; NaN where it cannot or must not.

        Args:
            shard: The shard.
            windows: Rows of its table, of one group.
            size: H.
        """
        found = np.full((windows.height, size), np.nan)
        codes = shard.series.select("unique_id", code=pl.int_range(pl.len(), dtype=pl.Int64))
        rows = windows.select("code", "targets_from", row=pl.int_range(pl.len(), dtype=pl.Int64))
        named = rows.join(codes, on="code", maintain_order="left")
        known = named.join(self.series, on="unique_id", maintain_order="left")
        unseen = known.filter(pl.col("targets_from") >= pl.col("trained_until"))
        for (group,), part in unseen.partition_by("group", as_dict=True, maintain_order=True).items():
            row = part["row"].to_numpy()
            found[row] = self._predict(self.models[str(group)], shard, windows[row])
        return found

    def _predict(self, model: Forecaster, shard: ShardWindows, windows: pl.DataFrame) -> Floats:
        def read(some: pl.DataFrame, points: int) -> Floats:
            return to_scaled(shard.source.own_histories(some, points), self._scalers(shard, some))

        series = shard.series["unique_id"].gather(windows["code"])
        inputs = Inputs(read(windows, model.input_size), series, windows["cutoff"], Histories(read, windows))
        return to_original(model.predict(inputs), self._scalers(shard, windows))

    def _scalers(self, shard: ShardWindows, windows: pl.DataFrame) -> ScalerColumns:
        series = shard.series["unique_id"].gather(windows["code"])
        return ScalerColumns.of(series, self.scalers).take(np.arange(windows.height))


def reigning_of(bundle: Bundle, plan: pl.DataFrame) -> tuple[Reigning | None, str]:
    """Take the champion of an earlier run out of its bundle, for the series of this run.

    Args:
        bundle: Its bundle.
        plan: As `plan_groups` gives it, of all series of this run.

    Returns:
        The champion and how many of the series it can forecast, in words; None where these are fewer than
        `LEAST_SHARE` of them, and the words say why.

    Raises:
        InputError: Its scalers lack a column.
    """
    models = _asked(bundle)
    planned = plan.drop_nulls("group").select("unique_id", "period_label", "horizon")
    told = {"their_period": "period_label", "their_horizon": "horizon", "trained_until": "train_end"}
    if missing := [name for name in told.values() if name not in bundle.profile.columns]:
        return None, f"its profile does not say '{missing[0]}'"
    own = bundle.profile.filter(pl.col("group").is_in(list(models))).join(bundle.scalers, on="unique_id", how="semi")
    both = planned.join(own.select("unique_id", "group", **told), on="unique_id", how="left", maintain_order="left")
    why = (
        pl.when(pl.col("trained_until").is_null())
        .then(pl.lit(UNKNOWN))
        .when(pl.col("period_label") != pl.col("their_period"))
        .then(pl.lit(OTHER_PERIOD))
        .when(pl.col("horizon") != pl.col("their_horizon"))
        .then(pl.lit(OTHER_HORIZON))
    )
    judged = both.with_columns(why=why)
    able = judged.filter(pl.col("why").is_null())
    words = _words(judged["why"])
    if not able.height or able.height < LEAST_SHARE * planned.height:
        return None, words
    series = able.select("unique_id", "group", "trained_until").sort("unique_id")
    scalers = bundle.scalers.join(series, on="unique_id", how="semi", maintain_order="left")
    ScalerColumns.of(series["unique_id"], scalers)
    return Reigning(models, series, scalers), words


def _asked(bundle: Bundle) -> dict[str, Forecaster]:
    """Give the forecaster that serves each group of a bundle: its own, else the first that stands in for it."""
    models: dict[str, Forecaster] = {}
    for name in (bundle.flavor, SEASONAL_NAIVE, LAST_VALUE):
        for group, model in bundle.models.get(name, {}).items():
            models.setdefault(group, model.for_evaluation())
    return models


def _words(why: pl.Series) -> str:
    counts = [(int((why == reason).fill_null(value=False).sum()), reason) for reason in REASONS]
    able = f"it can forecast {why.null_count():,} of {len(why):,} series"
    return ", ".join([able, *(f"{count:,} are {reason}" for count, reason in counts if count)])
