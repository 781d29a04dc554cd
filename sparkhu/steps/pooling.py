"""Pooling of fills: each series takes the strategy that filled its own masked points best.

The mean absolute errors of the mask lengths are weighted as long as the series' real gaps are. The lowest wins;
within 1e-9 of it the simpler strategy does (the order of `sparkhu.steps.strategies.ORDER`). A strategy that could not
fill all masks of a series, which is too short for it, is no candidate there. `drop` and `leave` are not measured: they
are chosen by name only.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame
from sparkhu.steps.estimates import Estimate
from sparkhu.steps.filled_rows import fill_ledger, put
from sparkhu.steps.points import Points
from sparkhu.steps.ranges import into_range, ranges_of
from sparkhu.steps.result import FILLED, StepResult, reads
from sparkhu.steps.segmented import Segments, floats, instants
from sparkhu.steps.strategies import DROP, FITTED, ORDER, STRATEGIES, UNSCORED

DEFAULT_VARIANTS = ("mean", "median", "last", "next", "linear", "spline", "seasonal")
UNMEASURED = "linear"
"""What a series too short to be measured is filled with."""
TIE = 1e-9
LAYERS = {
    name: (name, f"{name}_available_at", *((f"{name}_fit", f"{name}_fit_available_at") if name in FITTED else ()))
    for name in ORDER
}
"""The columns of each strategy's layer."""
CHOICES = ("unique_id", "strategy", "mae", "runner_up", "reason")


def check_pooling(*, variants: Sequence[str], choice: str) -> None:
    """Check the parameters of pooling.

    Raises:
        InputError: There is no variant, one is unknown or twice, or `choice` is unknown.
    """
    unknown = [name for name in variants if name not in STRATEGIES]
    if unknown or not variants or len(set(variants)) < len(variants):
        raise InputError(f"variants must be some of {', '.join(STRATEGIES)}, each once, got {list(variants)}.")
    names = (*STRATEGIES, *UNSCORED)
    if choice and choice not in names:
        raise InputError(f"choice must be empty (by score) or one of {', '.join(names)}, got '{choice}'.")


def choose_strategies(
    unique_id: pl.Series, scores: pl.DataFrame, *, variants: Sequence[str] = DEFAULT_VARIANTS, choice: str = ""
) -> pl.DataFrame:
    """Choose a filling strategy for each series.

    Args:
        unique_id: The series, each once.
        scores: `unique_id`, `strategy`, `mask_length`, `mae`, `weight` of all variants. A variant with a
            null error is not chosen.
        variants: The strategies to choose from.
        choice: A strategy, `drop` or `leave` to take for every series, one of the variants or not; empty: by score.

    Returns:
        `unique_id`, `strategy`, `mae` (weighted, unit of `y`; null where not measured), `runner_up`, `reason`.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.

    Example:
        >>> choose_strategies(pl.Series(["a"]), scores)["strategy"][0]
        'linear'
    """
    check_pooling(variants=variants, choice=choice)
    check_frame(scores, "unique_id", "strategy", "mask_length", "mae", "weight")
    series = pl.DataFrame({"unique_id": unique_id}, schema={"unique_id": pl.String()})
    ranked = _ranked(scores, _needed(variants, choice))
    return _by_name(series, ranked, choice) if choice else _by_score(series, ranked, variants)


def _by_name(series: pl.DataFrame, ranked: pl.DataFrame, choice: str) -> pl.DataFrame:
    """Take `choice` for every series, measured or not; the runner-up is the best of the others."""
    chosen = pl.col("strategy") == choice
    found = ranked.group_by("unique_id", maintain_order=True).agg(
        mae=pl.col("mae").filter(chosen).first(), runner_up=pl.col("strategy").filter(~chosen).first()
    )
    return series.join(found, on="unique_id", how="left", maintain_order="left").select(
        "unique_id", "mae", "runner_up", strategy=pl.lit(choice), reason=pl.lit("chosen by name")
    ).select(CHOICES)  # fmt: skip


def _by_score(series: pl.DataFrame, ranked: pl.DataFrame, variants: Sequence[str]) -> pl.DataFrame:
    """Take the best measured variant of each series."""
    found = ranked.group_by("unique_id", maintain_order=True).agg("strategy", "mae", tied=pl.col("tied").sum() > 1)
    fallback = UNMEASURED if UNMEASURED in variants else min(variants, key=ORDER.index)
    reason = (
        pl.when(pl.col("strategy").is_null())
        .then(pl.lit(f"not measured: too few known points in the training part to hide any; {fallback} by default"))
        .when("tied")
        .then(pl.lit("the simplest of those with the lowest masked error"))
        .otherwise(pl.lit("lowest masked error"))
    )
    return series.join(found, on="unique_id", how="left", maintain_order="left").select(
        "unique_id",
        strategy=pl.col("strategy").list.first().fill_null(fallback),
        mae=pl.col("mae").list.first(),
        runner_up=pl.col("strategy").list.get(1, null_on_oob=True),
        reason=reason,
    )


def _ranked(scores: pl.DataFrame, variants: Sequence[str]) -> pl.DataFrame:
    """Give each series its measured variants, the best first, the others by error."""
    order = pl.col("strategy").replace_strict(ORDER, range(len(ORDER)), return_dtype=pl.Int64)
    pooled = (
        scores.filter(pl.col("strategy").is_in(variants))
        .sort("unique_id", "strategy", "mask_length")
        .group_by("unique_id", "strategy", maintain_order=True)
        .agg(mae=(pl.col("mae") * pl.col("weight")).sum(), whole=pl.col("mae").is_not_null().all())
        .filter("whole")
        .with_columns(order=order, tied=pl.col("mae") <= pl.col("mae").min().over("unique_id") + TIE)
    )
    place = pl.when("tied").then(pl.lit(float("-inf"))).otherwise("mae")
    return pooled.with_columns(place=place).sort("unique_id", "place", "order")


@reads(observations=(*FILLED, *chain.from_iterable(LAYERS.values())))
def pool_fills(
    observations: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    limits: pl.DataFrame | None = None,
    variants: Sequence[str] = DEFAULT_VARIANTS,
    choice: str = "",
) -> StepResult:
    """Choose each series' strategy, and fill with it; a value that leaves its series' valid range is brought inside.

    Args:
        observations: Rows of the shard with the layers of the variants and of the choice, as
            `sparkhu.steps.filling.fill` gives them; other layers are of no account.
        scores: The score tables of all strategies that were run, one after another.
        limits: `unique_id`, `valid_min`, `valid_max`; null: no series has a range.
        variants: See `choose_strategies`.
        choice: See `choose_strategies`.

    Returns:
        `filled`: columns `y`, `y_raw`, `available_at`, `fill_strategy`, aligned with the rows. A missing point that
        the chosen strategy cannot reach stays null, a flagged one keeps its value; with `drop` both are null and
        labelled so; `choices`: see `choose_strategies`, and what the chosen strategy fitted on the training part:
        `fit_value`, `fit_available_at`, null where it fits nothing, and its range; `scores`: all scores, by series. The
        ledger counts `missing`, `filled` and `left` points; those that `drop` takes out are among the left. `counts`
        has `brought_into_range`.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    check_pooling(variants=variants, choice=choice)
    layers = layers_wanted(variants, choice)
    check_frame(observations, *[column for name in layers for column in LAYERS[name]])
    points = Points.of(observations)
    choices = choose_strategies(points.owner.ids, scores, variants=variants, choice=choice)
    strategy = choices["strategy"]
    ranges = ranges_of(points.owner, limits)
    estimate, moved = into_range(_chosen(observations, points, strategy, layers), points.missing_number, ranges)
    choices = choices.hstack(_fits(observations, points.owner, strategy, layers)).hstack(ranges)
    filled = put(observations, points, estimate, strategy, (strategy == DROP).to_numpy())
    done = ~np.isnan(estimate.values)
    columns = filled.select("y", "y_raw", "available_at", "fill_strategy")
    frames = {"filled": columns, "choices": choices, "scores": _by_series(scores)}
    return StepResult(frames, fill_ledger(points, done), {"brought_into_range": int(moved.sum())})


def layers_wanted(variants: Sequence[str], choice: str) -> list[str]:
    """List the strategies whose layers `pool_fills` looks at: the variants, and the one that is chosen by name."""
    return [name for name in _needed(variants, choice) if name not in UNSCORED]


def _needed(variants: Sequence[str], choice: str) -> list[str]:
    """List the strategies whose scores and layers are looked at."""
    return [*variants, *([choice] if choice and choice not in variants else [])]


def _by_series(scores: pl.DataFrame) -> pl.DataFrame:
    """Sort score tables that stand one after another by series, in each from the simplest strategy on."""
    order = pl.col("strategy").replace_strict(ORDER, range(len(ORDER)), return_dtype=pl.Int64)
    return scores.sort("unique_id", order, "mask_length")


def _fits(frame: pl.DataFrame, owner: Segments, strategy: pl.Series, variants: Sequence[str]) -> pl.DataFrame:
    """Take what each series' strategy fitted from the first row of its series."""
    first = frame[pl.Series(owner.starts, dtype=pl.Int64)]
    rows = first.with_columns(chosen=strategy)
    fitted = [name for name in variants if name in FITTED]
    value, known = (
        pl.coalesce(
            pl.lit(None, dtype=dtype), *[pl.when(pl.col("chosen") == name).then(f"{name}{end}") for name in fitted]
        )
        for end, dtype in (("_fit", pl.Float64()), ("_fit_available_at", TIME))
    )
    return rows.select(fit_value=value, fit_available_at=known)


def _chosen(frame: pl.DataFrame, points: Points, strategy: pl.Series, variants: Sequence[str]) -> Estimate:
    """Take each missing row's estimate from the layer of its series' strategy."""
    rows = points.missing_rows
    values, latest = np.full(len(rows), np.nan), points.available_at[rows]
    for name in variants:
        own = (strategy == name).to_numpy()[points.missing_number]
        values[own] = floats(frame[name].gather(rows[own]))
        latest[own] = instants(frame[f"{name}_available_at"].gather(rows[own]))
    return Estimate(values, latest)
