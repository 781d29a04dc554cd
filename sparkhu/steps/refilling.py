"""Fill new data with the strategies that training chose, and the values it fitted."""

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.steps.filling import Edge, check_filling, estimates, fill_ledger, put
from sparkhu.steps.points import Points
from sparkhu.steps.pooling import UNMEASURED
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import floats, instants
from sparkhu.steps.strategies import FITTED, STRATEGIES, Estimate


def fill_as_chosen(
    observations: pl.DataFrame, choices: pl.DataFrame, *, edge: Edge = "leave", max_gap_points: int = 0
) -> StepResult:
    """Fill the missing points of each series with the strategy that training chose for it, and the value it fitted.

    Args:
        observations: Rows of the shard with the gaps marked.
        choices: `unique_id`, `strategy`, and `fit_value`, `fit_available_at`: what it fitted in training; as
            `sparkhu.steps.pooling.pool_fills` gives them. A series without one is filled with `linear`.
        edge: See `sparkhu.steps.filling.fill_linear`.
        max_gap_points: See `sparkhu.steps.filling.fill_linear`.

    Returns:
        `filled`: columns `y`, `y_raw`, `available_at`, `fill_strategy`, aligned with the rows. The ledger
        counts `missing`, `filled` and `left` points.

    Raises:
        InputError: A parameter cannot be used, or a strategy is unknown.
    """
    check_filling(strategy=UNMEASURED, edge=edge, max_gap_points=max_gap_points)
    points = Points.of(observations)
    chosen = points.owner.align(choices, "strategy", "fit_value", "fit_available_at")
    strategy = chosen["strategy"].fill_null(UNMEASURED)
    fit = Estimate(floats(chosen["fit_value"]), instants(chosen["fit_available_at"]))
    values, latest = np.full(observations.height, np.nan), points.available_at.copy()
    for name in strategy.unique().sort():
        if name not in STRATEGIES:
            raise InputError(f"strategy '{name}' is unknown; there is {', '.join(STRATEGIES)}. Train the model again.")
        rows = np.repeat((strategy == name).to_numpy(), points.owner.lengths)
        own = fit if name in FITTED else None
        part = estimates(points, name, edge=edge, max_gap_points=max_gap_points, fit=own)
        values[rows], latest[rows] = part.values[rows], part.latest[rows]
    filled = put(observations, points, Estimate(values, latest), pl.lit(strategy.gather(points.number)))
    columns = filled.select("y", "y_raw", "available_at", "fill_strategy")
    return StepResult({"filled": columns}, fill_ledger(points, ~np.isnan(values)))
