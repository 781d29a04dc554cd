"""Windows of observations that came after a model was trained, prepared as its training did its own."""

from collections.abc import Callable
from datetime import timedelta

import polars as pl

from sparkhu.models.bundle import Bundle
from sparkhu.steps.recalling import BORDERS, Preparation, prepare_new
from sparkhu.steps.windows import index_windows
from sparkhu.training.groups import seasons_of
from sparkhu.training.recipes import TrainingData
from sparkhu.training.windows import ShardWindows, assemble

INSTANT = timedelta(microseconds=1)


def arrived_windows(observations: pl.DataFrame, bundle: Bundle) -> ShardWindows:
    """Cut the windows whose last target lies behind what the bundle knows.

    Args:
        observations: Sorted rows of a shard, one an instant. A window reaches back over its input and its horizon, so
            rows that the bundle knows already are needed as well.
        bundle: The bundle.

    Returns:
        Windows that belong to no part but the final fit. Series that the bundle does not know have none.
    """
    how = Preparation(**bundle.params)
    prepared = prepare_new(
        observations,
        profile=bundle.profile,
        source_profile=bundle.source_profile,
        stats=bundle.stats,
        choices=bundle.choices,
        cleaning=bundle.cleaning,
        how=how,
        model=bundle.name,
    )
    rows = prepared.frames["sequences"]
    borders = bundle.profile.select("unique_id", *BORDERS)
    profile = prepared.frames["profile"].drop(*BORDERS, strict=False).join(
        borders, on="unique_id", how="left", maintain_order="left"
    )  # fmt: skip
    windows = index_windows(rows, profile, zone=how.zone).frames["windows"]
    new = windows.join(borders, on="unique_id", maintain_order="left").filter(
        pl.col("targets_until") >= pl.col("test_end")
    )
    return assemble(rows, new.select(windows.columns), bundle.scalers, profile)


def arrived(reads: list[Callable[[], ShardWindows]], bundle: Bundle) -> TrainingData:
    """Give the windows of shards as training takes them.

    Args:
        reads: Cut the windows of each shard, as `arrived_windows` does.
        bundle: The bundle.
    """
    return TrainingData(reads, seasons_of(bundle.profile))


def known_until(profile: pl.DataFrame, data: TrainingData) -> pl.DataFrame:
    """Move the end of what each series is known of behind its last window.

    Args:
        profile: The bundle's, with `test_end`.
        data: The windows that were learnt from.
    """
    ends = [profile.select("unique_id", until="test_end").clear()]
    for read in data.shards:
        shard = read()
        last = shard.table.group_by("code").agg(until=pl.col("targets_until").max() + INSTANT)
        series = shard.series.select("unique_id", code=pl.int_range(pl.len(), dtype=pl.Int64))
        ends.append(series.join(last, on="code").select("unique_id", "until"))
    joined = profile.join(pl.concat(ends), on="unique_id", how="left", maintain_order="left")
    return joined.with_columns(test_end=pl.max_horizontal("test_end", "until")).drop("until")
