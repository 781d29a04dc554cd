"""Windows of observations that came after a model was trained, prepared as its training did its own."""

from collections.abc import Callable

import polars as pl

from sparkhu.frame import check_frame
from sparkhu.models.bundle import Bundle
from sparkhu.steps.recalling import BORDERS
from sparkhu.steps.windows import index_windows
from sparkhu.training.groups import seasons_of
from sparkhu.training.recipes import TrainingData
from sparkhu.training.windows import ShardWindows, assemble

KNOWN = "known_until"
"""Column of a bundle's profile: the last target of all windows that its models were fitted on; null without one."""


def with_known(profile: pl.DataFrame, windows: pl.LazyFrame) -> pl.DataFrame:
    """Say in a profile up to where the final fit of each series' models has learnt.

    Args:
        profile: One row a series.
        windows: As `index_windows` gives them.
    """
    last = windows.filter("valid").group_by("unique_id").agg(pl.col("targets_until").max().alias(KNOWN)).collect()
    return profile.drop(KNOWN, strict=False).join(last, on="unique_id", how="left", maintain_order="left")


def arrived_windows(observations: pl.DataFrame, bundle: Bundle) -> ShardWindows:
    """Cut the windows whose last target lies behind all that the models of a bundle have learnt.

    Args:
        observations: Sorted rows of a shard, one an instant. A window reaches back over its input and its horizon, so
            rows that the bundle knows already are needed as well.
        bundle: The bundle.

    Returns:
        Windows that belong to no part but the final fit, as far from one to the next as in training. Series that the
        bundle does not know have none.

    Raises:
        InputError: The bundle does not say up to where it has learnt.
    """
    check_frame(bundle.profile, KNOWN)
    prepared = bundle.prepare(observations)
    rows = prepared.frames["sequences"]
    borders = bundle.profile.select("unique_id", KNOWN, *BORDERS)
    profile = prepared.frames["profile"].drop(KNOWN, *BORDERS, strict=False).join(
        borders, on="unique_id", how="left", maintain_order="left"
    )  # fmt: skip
    windows = index_windows(rows, profile, zone=bundle.preparation.zone).frames["windows"]
    behind = windows.join(borders, on="unique_id", maintain_order="left").filter(
        pl.col(KNOWN).is_null() | (pl.col("targets_until") > pl.col(KNOWN))
    )
    # The next window begins a stride behind the last; counted here are those that cannot be used as well.
    nth = pl.int_range(1, pl.len() + 1).over("unique_id")
    return assemble(
        rows, behind.filter(nth % bundle.preparation.stride == 0).select(windows.columns), bundle.scalers, profile
    )


def arrived(reads: list[Callable[[], ShardWindows]], bundle: Bundle) -> TrainingData:
    """Give the windows of shards as training takes them.

    Args:
        reads: Cut the windows of each shard, as `arrived_windows` does.
        bundle: The bundle.
    """
    return TrainingData(reads, seasons_of(bundle.profile))


def left_out(profile: pl.DataFrame, data: TrainingData) -> int:
    """Count the points behind what is known that end no window, for a hole or for too few points from before them.

    Args:
        profile: The bundle's.
        data: The windows that are learnt from.
    """
    points = windows = 0
    for read in data.shards:
        shard = read()
        rows = shard.source.rows().select("unique_id", "ds").join(profile.select("unique_id", KNOWN), on="unique_id")
        points += rows.filter(pl.col("ds") > pl.col(KNOWN)).height
        windows += shard.table.height
    return max(points - windows, 0)


def learnt(profile: pl.DataFrame, data: TrainingData) -> pl.DataFrame:
    """Say in the profile of a bundle what its models have learnt from since.

    Args:
        profile: The bundle's.
        data: The windows that were learnt from.
    """
    ends = [profile.select("unique_id", until=KNOWN).clear()]
    for read in data.shards:
        shard = read()
        last = shard.table.group_by("code").agg(until=pl.col("targets_until").max())
        series = shard.series.select("unique_id", code=pl.int_range(pl.len(), dtype=pl.Int64))
        ends.append(series.join(last, on="code").select("unique_id", "until"))
    joined = profile.join(pl.concat(ends), on="unique_id", how="left", maintain_order="left")
    return joined.with_columns(pl.max_horizontal(KNOWN, "until").alias(KNOWN)).drop("until")
