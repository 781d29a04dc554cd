"""Anomaly handling: one strategy applied to the flagged points of a shard, and measured on spikes put into it.

The strategies are those of `sparkhu.steps.handling_strategies`; how they are measured says
`sparkhu.steps.handling_injection`.
"""

import numpy as np
import polars as pl

from sparkhu.frame import TIME
from sparkhu.ledger import entries
from sparkhu.steps.handling_injection import score
from sparkhu.steps.handling_rows import PARTS, Rows
from sparkhu.steps.handling_strategies import replacement
from sparkhu.steps.result import FILLED, StepResult, reads
from sparkhu.steps.segmented import Bools, times

NO_ANOMALIES = "no anomalies"
NO_LIMITS = "no limits, so nothing is an anomaly"
NONE_TO_FIT = "no anomaly in the training part, so the series is not smoothed"


@reads(observations=(*FILLED, *PARTS, "is_anomaly"))
def handle(
    observations: pl.DataFrame,
    profile: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    strategy: str,
    alpha: float = 0.3,
) -> StepResult:
    """Handle the anomalies of a shard with one strategy, and measure it on injected spikes.

    Args:
        observations: Rows with `trend`, `seasonal`, `resid`, `parts_available_at` and `is_anomaly`.
        profile: One row a series with `train_end` and `season_length`; what is fitted comes from before `train_end`.
        limits: One row a series with `low` and `high` of the remainder, unit of `y`.
        strategy: `clip`, `ema`, `ema_flagged` or `seasonal_mean`.
        alpha: Weight of the newest point in an exponential average, above 0 and at most 1.

    Returns:
        `handled`: columns `<strategy>` (null where the row stays as it is) and `<strategy>_available_at`, aligned with
        the rows; `scores`: see `sparkhu.steps.handling_injection.score`. The ledger counts `anomalies`, the points
        `changed`, and the anomalies `left` because there was nothing to put in their place. A series without
        limits is `skipped` in it; one that a strategy for whole series does not fit is `ok` with the reason.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.

    Example:
        >>> handle(observations, profile, limits, strategy="clip").frames["handled"].columns
        ['clip', 'clip_available_at']
    """
    way = replacement(strategy, alpha)
    rows = Rows.of(observations, profile, limits)
    estimate = way.replace(rows)
    value = pl.Series(strategy, estimate.values).fill_nan(None)
    layer = pl.DataFrame({strategy: value, f"{strategy}_available_at": times(estimate.latest).cast(TIME)})
    ledger = _ledger(rows, value.is_not_null().to_numpy(), whole_series=way.whole_series)
    return StepResult({"handled": layer, "scores": score(rows, strategy, way)}, ledger)


def _ledger(rows: Rows, changed: Bools, *, whole_series: bool) -> pl.DataFrame:
    counts = {"anomalies": rows.flagged, "changed": changed, "left": rows.flagged & ~changed}
    found = pl.DataFrame({name: rows.owner.sum_ints(what) for name, what in counts.items()}).with_columns(
        unlimited=pl.Series(np.isinf(rows.low) & np.isinf(rows.high), dtype=pl.Boolean),
        unfit=pl.Series(whole_series & ~rows.struck, dtype=pl.Boolean),
    )
    reason = found.select(
        pl.when(pl.col("anomalies") > 0)
        .then(pl.when("unfit").then(pl.lit(NONE_TO_FIT)))
        .when("unlimited")
        .then(pl.lit(NO_LIMITS))
        .alias("reason")
    ).to_series()
    skipped = (found["anomalies"] == 0) & found["unlimited"]
    status = pl.select(pl.when(skipped).then(pl.lit("skipped")).otherwise(pl.lit("ok"))).to_series()
    return entries(rows.owner.ids, status=status, reason=reason, counts={name: found[name] for name in counts})
