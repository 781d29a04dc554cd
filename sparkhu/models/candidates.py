"""The models that a run lets compete: the fitted linear one, further ones, and the two that learn nothing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from sparkhu.models.base import Forecaster, Models
from sparkhu.models.naive import LastValue, SeasonalNaive

LINEAR, SEASONAL_NAIVE, LAST_VALUE = NAMES = ("linear", "seasonal_naive", "last_value")
NONE: Final[Models] = MappingProxyType({})


def seasonal_naive(profile: pl.DataFrame) -> dict[str, SeasonalNaive]:
    """Give the seasonal naive model of each group.

    Args:
        profile: As `plan_groups` gives it.
    """
    sizes = profile.drop_nulls("group").unique("group").sort("group")
    rows = sizes.select("group", "input_size", "horizon", "season_length").iter_rows()
    return {group: SeasonalNaive(L, H, season or 1) for group, L, H, season in rows}


def candidates(profile: pl.DataFrame, linear: Mapping[str, Forecaster], further: Models = NONE) -> Models:
    """Give every model by name and group: the linear one first, those that learn nothing last.

    Args:
        profile: As `plan_groups` gives it.
        linear: The fitted linear models; a group without one has the naive models alone.
        further: Other fitted models.
    """
    seasonal = seasonal_naive(profile)
    last = {group: LastValue(model.input_size, model.horizon) for group, model in seasonal.items()}
    return {LINEAR: linear, **further, SEASONAL_NAIVE: seasonal, LAST_VALUE: last}


def for_evaluation(models: Models) -> Models:
    """Give the models as they stood after the training interval, to be scored on what came later."""
    return {name: {group: model.for_evaluation() for group, model in groups.items()} for name, groups in models.items()}
