"""Fill new data with the strategies that training chose, and the values it fitted."""

import numpy as np
import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.steps.estimates import Estimate, Strategy
from sparkhu.steps.filled_rows import Edge, check_filling, estimates, fill_ledger, put, seasons_of
from sparkhu.steps.points import Points
from sparkhu.steps.pooling import UNMEASURED
from sparkhu.steps.ranges import RANGE, into_range, ranges_of
from sparkhu.steps.result import StepResult
from sparkhu.steps.segmented import Bools, floats, instants
from sparkhu.steps.strategies import DROP, FITTED, STRATEGIES, UNSCORED, WINDOW, strategy_of


def fill_as_chosen(
    observations: pl.DataFrame,
    choices: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    edge: Edge = "leave",
    max_gap_points: int = 0,
    window: int = WINDOW,
) -> StepResult:
    """Fill the missing points of each series with the strategy that training chose for it, and the value it fitted.

    A strategy that learns nothing in training uses the new points alone. Where these are too few for it (two seasons
    for `seasonal`, 4 points for `spline`), the series is filled with `linear`, and the ledger says so.

    Args:
        observations: Rows of the shard with the gaps marked.
        choices: `unique_id`, `strategy`, and `fit_value`, `fit_available_at`: what it fitted in training; as
            `sparkhu.steps.pooling.pool_fills` gives them. A series without one is filled with `linear`. Where they have
            `valid_min` and `valid_max`, values are brought into that range.
        profile: `unique_id`, `season_length`, one row a series.
        edge: See `sparkhu.steps.filling.fill_linear`.
        max_gap_points: See `sparkhu.steps.filling.fill_linear`.
        window: For `moving_average`: known points on each side, as in training.

    Returns:
        `filled`: columns `y`, `y_raw`, `available_at`, `fill_strategy`, aligned with the rows. The ledger
        counts `missing`, `filled` and `left` points.

    Raises:
        InputError: A parameter cannot be used, or a strategy is unknown.
    """
    check_filling(edge=edge, max_gap_points=max_gap_points)
    check = Points.of(observations)
    points = Points.of(observations, season_length=seasons_of(check.owner.align(profile, "season_length")))
    chosen = points.owner.align(choices, "strategy", "fit_value", "fit_available_at")
    wanted = chosen["strategy"].fill_null(UNMEASURED)
    ways = _ways(wanted, window)
    strategy = _within_reach(points, wanted, ways)
    fit = Estimate(floats(chosen["fit_value"]), instants(chosen["fit_available_at"]))
    values, latest = np.full(len(points.missing_rows), np.nan), points.available_at[points.missing_rows]
    for name, way in ways.items():
        rows = (strategy == name).to_numpy()[points.missing_number]
        own = fit if name in FITTED else None
        part = estimates(points, way, edge=edge, max_gap_points=max_gap_points, fit=own)
        values[rows], latest[rows] = part.values[rows], part.latest[rows]
    limits = choices if set(RANGE) <= set(choices.columns) else None
    estimate, _ = into_range(Estimate(values, latest), points.missing_number, ranges_of(points.owner, limits))
    filled = put(observations, points, estimate, strategy, (strategy == DROP).to_numpy())
    columns = filled.select("y", "y_raw", "available_at", "fill_strategy")
    counted = fill_ledger(points, ~np.isnan(values))
    return StepResult({"filled": columns}, counted.with_columns(reason=_reasons(wanted, strategy, ways)))


def _ways(strategy: pl.Series, window: int) -> dict[str, Strategy]:
    """Give the strategies that are needed by name, `linear` among them."""
    known = (*STRATEGIES, *UNSCORED)
    for name in strategy.unique().sort():
        if name not in known:
            raise InputError(f"strategy '{name}' is unknown; there is {', '.join(known)}. Train the model again.")
    names = {UNMEASURED, *strategy} - set(UNSCORED)
    return {name: strategy_of(name, window=window) for name in sorted(names)}


def _within_reach(points: Points, wanted: pl.Series, ways: dict[str, Strategy]) -> pl.Series:
    """Put `linear` where the new points of a series are too few for its strategy."""
    short: Bools = np.zeros(len(wanted), np.bool_)
    for name, way in ways.items():
        short |= (wanted == name).to_numpy() & ~way.applies(points)
    return pl.select(pl.when(pl.Series(short)).then(pl.lit(UNMEASURED)).otherwise(wanted)).to_series()


def _reasons(wanted: pl.Series, used: pl.Series, ways: dict[str, Strategy]) -> pl.Series:
    """Say which series are filled otherwise than training chose, and why."""
    texts = [
        f"filled with {used_name}: {ways[name].need} for {name}" if used_name != name else None
        for name, used_name in zip(wanted, used, strict=True)
    ]
    return pl.Series("reason", texts, dtype=ledger.SCHEMA["reason"])
