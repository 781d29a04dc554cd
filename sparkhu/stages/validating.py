"""Validate every shard against the metadata of its series."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu import ledger
from sparkhu.execution import metadata, recorded
from sparkhu.mapping import ShardFrames, map_shards, open_inputs
from sparkhu.shards import Shard, open_dataset, write_manifest, write_shard
from sparkhu.steps.ranges import RANGE
from sparkhu.steps.validation import validate

SHOWN = 3


def validate_rows(
    *,
    raw: Path | str,
    known: Path | str,
    observations: Path | str,
    quarantine: Path | str,
    limits: Path | str,
    start: str = "",
    end: str = "",
    zone: str = "UTC",
) -> dict[str, Any]:
    """Sort raw rows into observations and quarantine, and say which series and which metadata have no counterpart.

    The metadata are one shard for all series, so each shard of rows is given all of them. Refused rows stay in
    quarantine also where they are all that a series had.

    Args:
        raw: Rows as they were read.
        known: The metadata of series; empty where there are none.
        observations: Folder of the rows that can be used, to be written.
        quarantine: Folder of the refused rows, to be written.
        limits: Folder of the valid ranges, to be written: a row a series that has metadata, in the shards of the rows.
        start: First instant of the run's interval; empty: no bound.
        end: First instant after it; empty: no bound.
        zone: Time zone of both where they name none.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: A parameter or a column cannot be used.
    """
    params = {"start": start, "end": end, "zone": zone}
    sources = open_inputs({"observations": raw})
    outputs = [observations, quarantine, limits]
    with recorded("validate", inputs=[raw, known], outputs=outputs, params=params) as (notes, at):
        table = open_dataset(known).scan().collect()
        work = partial(_validate_shard, table, params, at)
        entries: list[pl.DataFrame] = [ledger.empty()]
        shards: list[tuple[Shard, Shard, Shard]] = []
        for written, part, counts in map_shards(work, sources, step="validate"):
            shards.append(written)
            entries.append(part)
            for name, count in counts.items():
                notes.counts[name] = notes.counts.get(name, 0) + count
        write_manifest(at[0], "rows", [kept for kept, _, _ in shards])
        write_manifest(at[1], "series", [refused for _, refused, _ in shards])
        write_manifest(at[2], "series", [ranges for _, _, ranges in shards])
        notes.entries = pl.concat(entries)
        notes.rows_in, notes.series_in = sources["observations"][0].rows, sources["observations"][0].series
        notes.rows_out = sum(kept.rows for kept, *_ in shards)
        if notes.group is None:  # Only where all groups meet it is known what has no counterpart.
            counts, messages = compare_metadata(notes.entries["unique_id"], table["unique_id"])
            notes.counts |= counts
            for message in messages:
                notes.say(message)
    return metadata(observations)


def _validate_shard(
    known: pl.DataFrame, params: Mapping[str, str], at: tuple[Path, ...], shard: ShardFrames
) -> tuple[tuple[Shard, Shard, Shard], pl.DataFrame, Mapping[str, int]]:
    result = validate(shard.frames["observations"], known, **params)
    failed = ledger.failed_ids(result.ledger)
    kept = result.frames["observations"].filter(~pl.col("unique_id").is_in(failed.implode()))
    ranges = known.select("unique_id", *RANGE).join(kept.select("unique_id").unique(), on="unique_id", how="semi")
    frames = (kept, result.frames["quarantine"], ranges.sort("unique_id"))
    first, second, third = (write_shard(folder, shard.name, frame) for folder, frame in zip(at, frames, strict=True))
    return (first, second, third), result.ledger, result.counts


def compare_metadata(seen: pl.Series, known: pl.Series) -> tuple[dict[str, int], list[str]]:
    """Count and say which series have no metadata, and which metadata no series; nothing where there are none.

    Args:
        seen: The series of a run, all of them.
        known: The series of its metadata.
    """
    if not len(known):
        return {}, []
    bare = seen.filter(~seen.is_in(known.implode()))
    unused = known.filter(~known.is_in(seen.implode()))
    messages = []
    if len(bare):
        messages.append(f"{len(bare):,} of {len(seen):,} series have no metadata and so no limits: {_few(bare)}")
    if len(unused):
        messages.append(f"{len(unused):,} of {len(known):,} series of the metadata have no row: {_few(unused)}")
    return {"series_without_metadata": len(bare), "metadata_without_series": len(unused)}, messages


def _few(series: pl.Series) -> str:
    shown = ", ".join(f"'{name}'" for name in series.sort().head(SHOWN))
    return shown if len(series) <= SHOWN else f"{shown} and {len(series) - SHOWN:,} more"
