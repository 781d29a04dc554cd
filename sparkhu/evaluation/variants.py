"""The validation error of each variant of cleaning, against observed values, on the same windows.

One linear model a variant and group is fitted on training windows, in one pass: the Gram matrices of the series that
cleaning leaves alone are the same in all variants and are made once. Then every variant forecasts the windows of the
choosing half of validation that are valid in all of them. Nothing behind that half is looked at. What is chosen from
these errors is confirmed by `sparkhu.evaluation.mixture`.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from sparkhu.evaluation.backtest import score_shard
from sparkhu.models.base import Forecaster
from sparkhu.models.candidates import LINEAR, SEASONAL_NAIVE, seasonal_naive
from sparkhu.steps.cleaning import ANOMALIES, BOTH, ERRORS, NONE, OUTLIERS, VARIANTS, clean_inputs
from sparkhu.steps.normalisation import fit_scalers
from sparkhu.steps.windows import index_windows
from sparkhu.training.gram import GroupGram, gram_shard, merge
from sparkhu.training.parts import CHOOSE
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import assemble

ALIKE = "alike"
SERVED = {NONE: NONE, OUTLIERS: OUTLIERS, ANOMALIES: NONE, BOTH: OUTLIERS}
"""What new data get where a variant is kept: handled values stand in the training part alone."""
DIGITS = 6
"""Digits of an error. Sums over shards are rounded in the order of the shards; that must not be seen in a choice."""

Grams = dict[str, dict[str, GroupGram]]


class VariantModels(NamedTuple):
    """The models that measure.

    Attributes:
        by_variant: A forecaster a group, as it stood after the training part; a group that has a linear model without
            cleaning and none with it is not there.
        stood_in: The groups that seasonal naive measures, as they have no linear model.
    """

    by_variant: Mapping[str, Mapping[str, Forecaster]]
    stood_in: frozenset[str]


NO_MODELS = VariantModels({}, frozenset())


class Made(NamedTuple):
    """A variant of a shard: its rows, windows and scalers."""

    rows: pl.DataFrame
    windows: pl.DataFrame
    scalers: pl.DataFrame


def variant_grams(
    sequences: pl.DataFrame, plan: pl.DataFrame, changed: pl.Series, *, stride: int = 1, zone: str = "UTC"
) -> Grams:
    """Sum the Gram matrices of a shard in each variant.

    Args:
        sequences: Sorted rows of the shard, as `join_series` gives them.
        plan: As `plan_groups` gives it; a series whose group is null takes no part.
        changed: The series that some cleaning step changes.
        stride: Rows from one window's start to the next.
        zone: Zone of the calendar where the plan names none.

    Returns:
        By variant and group those of the series in `changed`; under `ALIKE` those of all others.
    """
    planned = pl.col("unique_id").is_in(plan.drop_nulls("group")["unique_id"].implode())
    cleaned = pl.col("unique_id").is_in(changed.implode())
    found: Grams = {}
    for key, which in {ALIKE: ~cleaned, **dict.fromkeys(VARIANTS, cleaned)}.items():
        made = make_variant(sequences.filter(planned & which), plan, NONE if key == ALIKE else key, stride, zone)
        found[key] = gram_shard(assemble(made.rows, made.windows, made.scalers, plan))
    return found


def make_variant(
    sequences: pl.DataFrame, plan: pl.DataFrame, variant: pl.DataFrame | str, stride: int, zone: str
) -> Made:
    """Make a variant of the rows before the test part: nothing behind them is read.

    Args:
        sequences: As in `variant_grams`.
        plan: As in `variant_grams`.
        variant: One for all series, or `unique_id`, `kept`.
        stride: As in `variant_grams`.
        zone: As in `variant_grams`.
    """
    ends = plan.select("unique_id", "valid_end")
    seen = beside(sequences, ends).filter(pl.col("ds") < pl.col("valid_end")).drop("valid_end")
    rows = seen.with_columns(clean_inputs(seen, plan, variant).get_columns())
    windows = index_windows(rows, plan, stride=stride, zone=zone).frames["windows"]
    return Made(rows, windows, fit_scalers(rows, plan).frames["scalers"])


def sum_grams(shards: Iterable[Grams]) -> Grams:
    """Add the Gram matrices of shards, in the order given."""
    total: Grams = {}
    for grams in shards:
        for key, groups in grams.items():
            total[key] = merge([total.get(key, {}), groups])
    return total


def fit_variants(shards: Iterable[Grams], plan: pl.DataFrame) -> VariantModels:
    """Fit the linear model of each variant and group.

    Args:
        shards: `variant_grams` of every shard, in order.
        plan: As `plan_groups` gives it, of all series.
    """
    total = sum_grams(shards)
    alike = total.pop(ALIKE, {})
    linear: dict[str, dict[str, Forecaster]] = {}
    for variant in VARIANTS:
        fitted, _ = fit_groups(merge([alike, total.get(variant, {})]))
        linear[variant] = {group: model.for_evaluation() for group, model in fitted.items()}
    naive = {group: model for group, model in seasonal_naive(plan).items() if group not in linear[NONE]}
    by_variant = {
        variant: {**naive, **{group: model for group, model in models.items() if group not in naive}}
        for variant, models in linear.items()
    }
    return VariantModels(by_variant, frozenset(naive))


def measure_variants(
    sequences: pl.DataFrame,
    plan: pl.DataFrame,
    candidates: pl.DataFrame,
    *,
    models: VariantModels,
    stride: int = 1,
    zone: str = "UTC",
) -> pl.DataFrame:
    """Measure the validation error of each variant for the series that cleaning changes.

    Args:
        sequences: Sorted rows of the shard, as `join_series` gives them.
        plan: As `plan_groups` gives it.
        candidates: As `sparkhu.steps.cleaning.find_candidates` gives them, one row a series of the shard.
        models: As `fit_variants` gives them.
        stride: As in `variant_grams`.
        zone: As in `variant_grams`.

    Returns:
        `candidates` with `error_raw, error_outliers, error_anomalies, error_both`: the mean absolute error over the
        observed points of the windows that are valid in all variants, in standard deviations of the series' observed
        training part, to `DIGITS` digits; null without such a window or a model. `windows` counts these, `model` says
        what forecast.
    """
    changed = candidates.filter(pl.col("candidates") != NONE)["unique_id"].implode()
    rows = sequences.filter(pl.col("unique_id").is_in(changed))
    made = {variant: make_variant(rows, plan, variant, stride, zone) for variant in VARIANTS}
    windows = common_windows([variant.windows for variant in made.values()])
    found = beside(candidates, made[NONE].scalers.select("unique_id", "scale"))
    for variant in VARIANTS:
        by_group = {"measured": models.by_variant.get(variant, {})}
        served, scalers = made[SERVED[variant]].rows, made[variant].scalers
        scores = score_shard(assemble(served, windows, scalers, plan), models=by_group, part=CHOOSE)
        counted = ["windows"] if variant == NONE else []
        found = beside(found, series_errors(scores, found, ERRORS[variant], *counted))
    stood_in = pl.col("group").is_in(sorted(models.stood_in)).fill_null(value=False)
    model = pl.when(stood_in).then(pl.lit(SEASONAL_NAIVE)).otherwise(pl.lit(LINEAR))
    named = beside(found, plan.select("unique_id", "group")).with_columns(model=model)
    return named.with_columns(pl.col("windows").fill_null(0)).drop("scale", "group")


def series_errors(scores: pl.DataFrame, scales: pl.DataFrame, name: str, *more: str) -> pl.DataFrame:
    """Give the mean absolute error of each series in its scale, to `DIGITS` digits.

    Args:
        scores: As `score_shard` gives them for one model.
        scales: `unique_id`, `scale`: the standard deviation of the series' observed training part.
        name: The column to give it in.
        more: Columns of `scores` to give beside it.
    """
    error = (pl.col("absolute_own") / pl.col("points") / pl.col("scale")).round_sig_figs(DIGITS)
    return beside(scores, scales.select("unique_id", "scale")).select("unique_id", error.alias(name), *more)


def beside(table: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Set the columns of a table of series beside the rows of another."""
    return table.join(other, on="unique_id", how="left", maintain_order="left")


def common_windows(variants: list[pl.DataFrame]) -> pl.DataFrame:
    """Give the windows that are valid in all variants, known when they are known in the last.

    Args:
        variants: As `index_windows` gives them, of the same series at the same offsets.
    """
    first, times = variants[0], ("inputs_available_at", "targets_available_at")
    valid = pl.DataFrame([table["valid"].alias(str(number)) for number, table in enumerate(variants)])
    latest = [
        pl.DataFrame([table[name].alias(str(number)) for number, table in enumerate(variants)])
        .select(pl.max_horizontal(pl.all()).alias(name))
        .to_series()
        for name in times
    ]
    return first.with_columns(valid.select(valid=pl.all_horizontal(pl.all())).to_series(), *latest)
