"""Pooling of anomaly handling: each series takes the strategy that recovered its own injected spikes best.

What is compared is the mean absolute error, against the true values, over a series of which the share `p` carries an
anomaly: `p · error + (1 − p) · collateral`, with the share of the series' own flagged training points, one at least.
The injected points alone would favour smoothing whole series; the points beside them say what that costs. To `leave`
anomalies misses by their size. The lowest wins; within 1e-9 of it the simpler strategy does
(`sparkhu.steps.handling_strategies.ORDER`). To `drop` is never measured, only chosen by name.
"""

from collections.abc import Sequence

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import check_frame
from sparkhu.ledger import entries
from sparkhu.steps.handling import NO_ANOMALIES
from sparkhu.steps.handling_injection import SCORES
from sparkhu.steps.handling_strategies import BY_NAME_ONLY, ORDER
from sparkhu.steps.pooling import TIE
from sparkhu.steps.result import FILLED, StepResult, reads
from sparkhu.steps.segmented import Segments

LAYERED = tuple(name for name in ORDER if name != "leave")
"""The strategies that a layer of values stands for."""
LAYERS = tuple(f"{name}{kind}" for name in LAYERED for kind in ("", "_available_at"))
HANDLING: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "strategy": pl.String(),
    "error": pl.Float64(),
    "runner_up": pl.String(),
    "reason": pl.String(),
}
UNMEASURED = "not measured: fewer than 10 clean points in the training part, or its one limit is 0, so no spikes"
BY_NAME = "chosen by name"
BY_SCORE = "lowest error on injected spikes"
BY_TIE = "the simplest of those with the lowest error on injected spikes"


def check_handling(*, variants: Sequence[str], choice: str) -> None:
    """Check the parameters of pooling.

    Raises:
        InputError: There is no variant, one is unknown, twice or only to be chosen by name; or `choice` is neither a
            variant nor such a one.
    """
    if not variants or set(variants) - set(ORDER) or len(set(variants)) < len(variants):
        raise InputError(
            f"variants must be some of {', '.join(ORDER)}, each once, got {list(variants)}; "
            f"{BY_NAME_ONLY} can only be chosen by name."
        )
    if choice and choice not in (*variants, BY_NAME_ONLY):
        raise InputError(
            f"choice must be empty (by score) or one of {', '.join((*variants, BY_NAME_ONLY))}, got '{choice}'."
        )


def choose_handling(
    series: pl.DataFrame, scores: pl.DataFrame, *, variants: Sequence[str] = ORDER, choice: str = ""
) -> pl.DataFrame:
    """Choose what becomes of the anomalies of each series.

    Args:
        series: `unique_id`, each once, and the number of its `anomalies`.
        scores: Of all variants, see `with_leave`. A variant with a null error is not chosen.
        variants: The strategies to choose from.
        choice: One of them, or `drop`, for every series that has anomalies; empty: by score.

    Returns:
        `unique_id`, `strategy`, `error` (over all points, unit of `y`; null where not measured), `runner_up`,
        `reason`.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.

    Example:
        >>> choose_handling(pl.DataFrame({"unique_id": ["a"], "anomalies": [0]}), scores)["strategy"][0]
        'leave'
    """
    check_handling(variants=variants, choice=choice)
    check_frame(series, "unique_id", "anomalies")
    check_frame(scores, "unique_id", "strategy", "error", "collateral", "share")
    ranked = _ranked(scores, variants)
    chosen = _by_name(series, ranked, choice) if choice else _by_score(series, ranked, variants)
    none = pl.col("anomalies") == 0
    return chosen.select(
        "unique_id",
        strategy=pl.when(none).then(pl.lit("leave")).otherwise("strategy"),
        error=pl.when(~none).then("error"),
        runner_up=pl.when(~none).then("runner_up"),
        reason=pl.when(none).then(pl.lit(NO_ANOMALIES)).otherwise("reason"),
    ).cast(pl.Schema(HANDLING))


def _ranked(scores: pl.DataFrame, variants: Sequence[str]) -> pl.DataFrame:
    """Give each series its measured variants, the best first, the others by error."""
    over_all = pl.col("share") * pl.col("error") + (1 - pl.col("share")) * pl.col("collateral")
    measured = (
        scores.filter(pl.col("strategy").is_in(variants))
        .select("unique_id", "strategy", _place(), error=over_all)
        .drop_nulls("error")
        .with_columns(tied=pl.col("error") <= pl.col("error").min().over("unique_id") + TIE)
    )
    first = pl.when("tied").then(pl.lit(float("-inf"))).otherwise("error")
    return measured.with_columns(first=first).sort("unique_id", "first", "place")


def _place() -> pl.Expr:
    return pl.col("strategy").replace_strict(ORDER, range(len(ORDER)), return_dtype=pl.Int64).alias("place")


def _by_name(series: pl.DataFrame, ranked: pl.DataFrame, choice: str) -> pl.DataFrame:
    chosen = pl.col("strategy") == choice
    found = ranked.group_by("unique_id", maintain_order=True).agg(
        error=pl.col("error").filter(chosen).first(), runner_up=pl.col("strategy").filter(~chosen).first()
    )
    return series.join(found, on="unique_id", how="left", maintain_order="left").with_columns(
        strategy=pl.lit(choice), reason=pl.lit(BY_NAME)
    )


def _by_score(series: pl.DataFrame, ranked: pl.DataFrame, variants: Sequence[str]) -> pl.DataFrame:
    found = ranked.group_by("unique_id", maintain_order=True).agg("strategy", "error", tied=pl.col("tied").sum() > 1)
    fallback = min(variants, key=ORDER.index)
    unmeasured = f"{UNMEASURED}; {fallback} by default"
    return series.join(found, on="unique_id", how="left", maintain_order="left").select(
        "unique_id",
        "anomalies",
        strategy=pl.col("strategy").list.first().fill_null(fallback),
        error=pl.col("error").list.first(),
        runner_up=pl.col("strategy").list.get(1, null_on_oob=True),
        reason=pl.when(pl.col("strategy").is_null())
        .then(pl.lit(unmeasured))
        .when("tied")
        .then(pl.lit(BY_TIE))
        .otherwise(pl.lit(BY_SCORE)),
    )


def with_leave(scores: pl.DataFrame) -> pl.DataFrame:
    """Add what it costs to leave anomalies alone: an error of their size, and nothing beside them.

    Returns:
        The scores of all strategies, sorted by series and from the simplest strategy on.
    """
    left = scores.unique("unique_id", maintain_order=True).with_columns(
        strategy=pl.lit("leave"), error="size", collateral=pl.lit(0.0)
    )
    return pl.concat([left, scores]).sort("unique_id", _place())


@reads(observations=(*FILLED, "parts_available_at", "is_anomaly", *LAYERS))
def pool_handling(
    observations: pl.DataFrame, scores: pl.DataFrame, *, variants: Sequence[str] = ORDER, choice: str = ""
) -> StepResult:
    """Choose each series' strategy, and handle its anomalies with it.

    Args:
        observations: Rows with `parts_available_at`, `is_anomaly` and the layers of all strategies, as
            `sparkhu.steps.handling.handle` gives them.
        scores: The score tables of all strategies, one after another.
        variants: See `choose_handling`.
        choice: See `choose_handling`.

    Returns:
        `handled`: columns `handled` (`y` where the row stays as it is; null where its anomaly is dropped),
        `handled_available_at` and `anomaly_strategy` (null where the row stays as it is), aligned with the rows;
        `handling`: see `choose_handling`; `scores`: see `with_leave`. The ledger counts `anomalies` and the points
        `changed`.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    check_handling(variants=variants, choice=choice)
    layers = [column for name in LAYERED for column in (name, f"{name}_available_at")]
    check_frame(observations, "unique_id", "ds", "y", "available_at", "parts_available_at", "is_anomaly", *layers)
    check_frame(scores, *SCORES)
    owner, all_scores = Segments.of(observations), with_leave(scores.select(SCORES.keys()))
    anomalies = pl.Series(owner.sum_ints(observations["is_anomaly"].to_numpy()))
    series = pl.DataFrame({"unique_id": owner.ids, "anomalies": anomalies})
    handling = choose_handling(series, all_scores, variants=variants, choice=choice)
    handled = _handled(observations, handling["strategy"].gather(owner.number()))
    changed = pl.Series(owner.sum_ints(handled["anomaly_strategy"].is_not_null().to_numpy()))
    ledger = entries(owner.ids, counts={"anomalies": anomalies, "changed": changed})
    return StepResult({"handled": handled, "handling": handling, "scores": all_scores}, ledger)


def _handled(rows: pl.DataFrame, strategy: pl.Series) -> pl.DataFrame:
    """Take each row's value from the layer of its series' strategy."""
    chosen, dropped = pl.col("strategy"), (pl.col("strategy") == BY_NAME_ONLY) & pl.col("is_anomaly")
    value, known = (
        pl.coalesce(*[pl.when(chosen == name).then(f"{name}{end}") for name in LAYERED])
        for end in ("", "_available_at")
    )
    changed = value.is_not_null()
    return rows.with_columns(strategy=strategy).select(
        handled=pl.when(~dropped).then(pl.coalesce(value, "y")),
        handled_available_at=pl.when(dropped)
        .then(pl.max_horizontal("available_at", "parts_available_at"))
        .otherwise(pl.coalesce(known, "available_at")),
        anomaly_strategy=pl.when(changed | dropped).then(chosen),
    )
