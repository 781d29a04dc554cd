"""Prepare new data as a trained model saw its own: with its periods, its quartiles and its ways of filling."""

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame
from sparkhu.ledger import entries
from sparkhu.steps.filling import Edge, check_filling, estimates, fill_ledger, put
from sparkhu.steps.points import Points
from sparkhu.steps.pooling import UNMEASURED
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import Segments
from sparkhu.steps.strategies import STRATEGIES, Estimate

BORDERS = ("train_end", "valid_end", "test_end")


def recall_series(
    observations: pl.DataFrame, *, profile: pl.DataFrame, stats: pl.DataFrame, choices: pl.DataFrame, model: str
) -> StepResult:
    """Bring what a model stored about its series beside the series of a shard.

    Args:
        observations: Rows of the shard.
        profile: The model's profile, one row a series.
        stats: The model's quartiles: `unique_id`, `fit_q1`, `fit_q3`.
        choices: The model's ways of filling: `unique_id`, `strategy`.
        model: Its name, for messages.

    Returns:
        `profile` (without the borders of the training split: nothing is fitted here), `stats` and `choices`, the rows
        of the shard's series. A series that the model does not know is `failed` in the ledger.
    """
    check_frame(observations, "unique_id")
    ids = Segments.of(observations).ids
    known = profile.select("unique_id", known=pl.lit(value=True))
    found = pl.DataFrame({"unique_id": ids}).join(known, on="unique_id", how="left", maintain_order="left")
    status = pl.when("known").then(pl.lit("ok")).otherwise(pl.lit("failed"))
    reason = pl.when(pl.col("known").is_null()).then(pl.lit(f"model '{model}' does not know it; train with it first"))
    ledger = entries(ids, status=found.select(status).to_series(), reason=found.select(reason).to_series())
    open_ended = profile.with_columns(pl.lit(None, dtype=TIME).alias(name) for name in BORDERS)
    tables = {"profile": open_ended, "stats": stats, "choices": choices}
    frames = {
        name: table.join(found.filter("known").select("unique_id"), on="unique_id", how="semi").sort("unique_id")
        for name, table in tables.items()
    }
    return StepResult(frames, ledger)


def fill_as_chosen(
    observations: pl.DataFrame, choices: pl.DataFrame, *, edge: Edge = "leave", max_gap_points: int = 0
) -> StepResult:
    """Fill the missing points of each series with the strategy that training chose for it.

    Args:
        observations: Rows of the shard with the gaps marked.
        choices: `unique_id`, `strategy`; a series without one is filled with `linear`.
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
    strategy = points.owner.align(choices, "strategy")["strategy"].fill_null(UNMEASURED)
    values, latest = np.full(observations.height, np.nan), points.available_at.copy()
    for name in strategy.unique().sort():
        if name not in STRATEGIES:
            raise InputError(f"strategy '{name}' is unknown; there is {', '.join(STRATEGIES)}. Train the model again.")
        rows = np.repeat((strategy == name).to_numpy(), points.owner.lengths)
        part = estimates(points, name, edge=edge, max_gap_points=max_gap_points)
        values[rows], latest[rows] = part.values[rows], part.latest[rows]
    label = strategy.gather(points.number)
    filled = put(observations, points, Estimate(values, latest), pl.lit(label))
    columns = filled.select("y", "y_raw", "available_at", "fill_strategy")
    return StepResult({"filled": columns}, fill_ledger(points, ~np.isnan(values)))
