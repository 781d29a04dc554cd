"""Plan the groups of series that share a model, and index their windows."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.execution import metadata, recorded
from sparkhu.mapping import ShardFrames, map_shards, open_inputs
from sparkhu.shards import Dataset, Shard, open_dataset, write_manifest, write_shard
from sparkhu.steps.windows import index_windows
from sparkhu.training.groups import plan_groups


def plan_windows(
    *,
    sequences: Sequence[Path | str],
    versions: Path | str,
    profile: Path | str,
    plan: Path | str,
    windows: Path | str,
    horizon: int = 0,
    input_size: int = 0,
    stride: int = 1,
    zone: str = "UTC",
) -> dict[str, Any]:
    """Choose input size and horizon of each group from all series, then index the windows of every shard.

    Args:
        sequences: Evenly spaced rows of all series, and the layer of what forecasters are given.
        versions: The versions of points that were revised.
        profile: One profile row a series.
        plan: Folder of the profile with `group, input_size, horizon`, to be written.
        windows: Folder of the index, to be written.
        horizon: Steps to forecast; 0: from the period.
        input_size: Points that a forecast looks back on; 0: from period and horizon.
        stride: Rows from one window's start to the next.
        zone: Zone in which days, months and quarters begin.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: A parameter cannot be used, or the horizon is longer than every series.
    """
    params = {"horizon": horizon, "input_size": input_size, "stride": stride, "zone": zone}
    sources = open_inputs({"sequences": sequences, "versions": versions})
    folders = [*sequences, versions, profile]
    with recorded("index_windows", inputs=folders, outputs=[plan, windows], params=params) as (notes, at):
        rows = sources["sequences"][0]
        for message in write_plan(
            at[0], open_dataset(profile), rows, horizon=horizon, input_size=input_size, zone=zone
        ):
            notes.say(message)
        index = partial(_index_shard, at[0], at[1], stride, zone)
        entries, shards = [], []
        for written, ledger, counts in map_shards(index, sources, step="index_windows"):
            shards.append(written)
            entries.append(ledger)
            for reason, count in counts.items():
                notes.counts[reason] = notes.counts.get(reason, 0) + count
        write_manifest(at[1], "series", shards)
        notes.entries = pl.concat(entries)
        notes.rows_in, notes.series_in = rows.rows, rows.series
        notes.rows_out = sum(shard.rows for shard in shards)
    return metadata(windows)


def write_plan(
    folder: Path, profile: Dataset, sequences: Dataset, *, horizon: int, input_size: int, zone: str
) -> list[str]:
    """Put all series into groups, and write the profile with `group, input_size, horizon` as a dataset.

    Args:
        folder: Where to; it exists and is empty.
        profile: One profile row a series.
        sequences: Evenly spaced rows of all series.
        horizon: As in `plan_groups`.
        input_size: As in `plan_groups`.
        zone: As in `plan_groups`.

    Returns:
        What was chosen and why, a sentence a group.

    Raises:
        InputError: A size cannot be used, or is longer than every series.
    """
    tables = [_with_points(profile, sequences, shard.name) for shard in profile.shards]
    planned = plan_groups(pl.concat(tables), horizon=horizon, input_size=input_size, zone=zone)
    table = planned.profile.with_columns(n=pl.col("observed")).drop("observed")
    shards = [
        write_shard(folder, shard.name, table.filter(pl.col("shard") == shard.name).drop("shard"))
        for shard in profile.shards
    ]
    write_manifest(folder, "series", shards)
    return planned.notes


def _with_points(profile: Dataset, sequences: Dataset, name: str) -> pl.DataFrame:
    """Read a shard of the profile; `n` counts the evenly spaced points up to the end of the test part.

    Windows lie over these, gaps included, and not over the observed points alone.
    """
    table = pl.read_parquet(profile.file(name))
    ends = table.lazy().select("unique_id", "test_end")
    rows = pl.scan_parquet(sequences.file(name)).select("unique_id", "ds").join(ends, on="unique_id")
    points = rows.filter(pl.col("ds") < pl.col("test_end")).group_by("unique_id").agg(points=pl.len()).collect()
    counted = table.join(points, on="unique_id", how="left", maintain_order="left")
    return counted.with_columns(
        shard=pl.lit(name), observed=pl.col("n"), n=pl.col("points").fill_null(0).cast(pl.Int64)
    ).drop("points")


def _index_shard(
    plan: Path, windows: Path, stride: int, zone: str, shard: ShardFrames
) -> tuple[Shard, pl.DataFrame, dict[str, int]]:
    profile = pl.read_parquet(plan / f"{shard.name}.parquet")
    rows, versions = shard.frames["sequences"], shard.frames["versions"]
    result = index_windows(rows, profile, stride=stride, zone=zone, versions=versions)
    table = result.frames["windows"]
    refused = dict(table.filter(~pl.col("valid"))["reason"].value_counts(sort=True).iter_rows())
    counts = {"windows": int(table["valid"].sum()), **{f"refused: {why}": count for why, count in refused.items()}}
    return write_shard(windows, shard.name, table), result.ledger, counts
