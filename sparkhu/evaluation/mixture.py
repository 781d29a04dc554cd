"""The validation error of what was chosen for each series, in one more training on the mixture.

Each variant of cleaning is measured with all series of a group in it (`sparkhu.evaluation.variants`). Here every series
is in the variant that was chosen for it, as forecasters will be given it. The Gram matrices of the series that cleaning
leaves alone are those that the variants were fitted with, so they cost nothing; a group in which nothing was chosen is
the one without cleaning, whose model is there.
"""

from collections.abc import Iterable, Mapping

import polars as pl

from sparkhu.evaluation.backtest import score_shard
from sparkhu.evaluation.variants import (
    SERVED,
    VariantModels,
    beside,
    common_windows,
    make_variant,
    series_errors,
)
from sparkhu.models.base import Forecaster
from sparkhu.steps.cleaning import NONE, VARIANTS
from sparkhu.training.gram import GroupGram, gram_shard, merge
from sparkhu.training.parts import CHOOSE
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import assemble


def mixture_grams(
    sequences: pl.DataFrame, plan: pl.DataFrame, chosen: pl.DataFrame, *, stride: int = 1, zone: str = "UTC"
) -> dict[str, GroupGram]:
    """Sum the Gram matrices of a shard's series that cleaning changes, each in the variant chosen for it.

    Args:
        sequences: Sorted rows of the shard, as `join_series` gives them.
        plan: As `plan_groups` gives it; a series whose group is null takes no part.
        chosen: As `sparkhu.steps.cleaning.choose_variants` gives it.
        stride: Rows from one window's start to the next.
        zone: Zone of the calendar where the plan names none.

    Returns:
        The matrices by group.
    """
    planned = pl.col("unique_id").is_in(plan.drop_nulls("group")["unique_id"].implode())
    made = make_variant(_changed(sequences, chosen).filter(planned), plan, chosen, stride, zone)
    return gram_shard(assemble(made.rows, made.windows, made.scalers, plan))


def _changed(sequences: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    changed = chosen.filter(pl.col("candidates") != NONE)["unique_id"]
    return sequences.filter(pl.col("unique_id").is_in(changed.implode()))


def fit_mixture(
    alike: Mapping[str, GroupGram],
    shards: Iterable[Mapping[str, GroupGram]],
    models: VariantModels,
    groups: Iterable[str],
) -> dict[str, Forecaster]:
    """Fit the linear model of each group in which something was chosen.

    Args:
        alike: Gram matrices of the series that cleaning leaves alone.
        shards: `mixture_grams` of every shard, in order.
        models: As `fit_variants` gives them.
        groups: Those in which something was chosen.

    Returns:
        A forecaster a group, as it stood after the training part. Of the other groups, and of those that seasonal
        naive measures, the one without cleaning; a group that has no training window left is not there.
    """
    wanted = set(groups) - models.stood_in
    grams = merge([alike, merge(shards)])
    fitted, _ = fit_groups({group: gram for group, gram in grams.items() if group in wanted})
    without = {group: model for group, model in models.by_variant.get(NONE, {}).items() if group not in wanted}
    return {**without, **{group: model.for_evaluation() for group, model in fitted.items()}}


def measure_mixture(
    sequences: pl.DataFrame,
    plan: pl.DataFrame,
    chosen: pl.DataFrame,
    *,
    mixture: Mapping[str, Forecaster],
    stride: int = 1,
    zone: str = "UTC",
) -> pl.DataFrame:
    """Measure the validation error of each series that cleaning changes, with what was chosen for all.

    Args:
        sequences: Sorted rows of the shard, as `join_series` gives them.
        plan: As `plan_groups` gives it.
        chosen: As `sparkhu.steps.cleaning.choose_variants` gives it, one row a series of the shard.
        mixture: As `fit_mixture` gives it.
        stride: As in `mixture_grams`.
        zone: As in `mixture_grams`.

    Returns:
        `chosen` with `error_kept`: on the windows and in the unit of the errors of the variants
        (`sparkhu.evaluation.variants.measure_variants`); null where nothing was to clean, or nothing measured.
    """
    rows = _changed(sequences, chosen)
    made = {variant: make_variant(rows, plan, variant, stride, zone) for variant in VARIANTS}
    windows = common_windows([variant.windows for variant in made.values()])
    scalers = make_variant(rows, plan, chosen, stride, zone).scalers
    as_served = chosen.with_columns(pl.col("kept").replace_strict(SERVED))
    served = make_variant(rows, plan, as_served, stride, zone).rows
    shard = assemble(served, windows, scalers, plan)
    scores = score_shard(shard, models={"mixture": mixture}, part=CHOOSE)
    return beside(chosen.drop("error_kept", strict=False), series_errors(scores, made[NONE].scalers, "error_kept"))
