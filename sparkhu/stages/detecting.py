"""Find every series' period, with the estimates of earlier runs, and say which decisions changed."""

import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.execution import metadata, recorded
from sparkhu.lake import open_lake
from sparkhu.mapping import ShardFrames, map_shards, open_inputs
from sparkhu.shards import Shard, write_manifest, write_shard
from sparkhu.sources.secrets import redacted, with_environment, without_secrets
from sparkhu.stages.lake_reading import PROFILES
from sparkhu.steps.estimate_history import ESTIMATES, PAST_COLUMNS, changes
from sparkhu.steps.regularity import check_regularity, detect_regularity
from sparkhu.steps.result import columns_read

STEP = "detect_regularity"
ESTIMATES_FILE = "estimates.parquet"
MOST_NAMED = 5


def detect_periods(
    *,
    observations: Path | str,
    profile: Path | str,
    estimates: Path | str,
    past: str = "",
    lake: str = "",
    zone: str = "UTC",
    split: str = "0.7/0.1/0.2",
    period: str = "",
    season_length: int = 0,
) -> dict[str, Any]:
    """Profile every series, and keep the estimates of its period for the next run.

    Args:
        observations: Dataset of observations, one row an instant.
        profile: Folder of the profile, to be written.
        estimates: Folder of the five latest estimates of each series, to be written; those of series that have no rows
            in this run are carried on in the last shard.
        past: Folder or URI of the results of an earlier run, or of its `estimates.parquet`; empty on a first run.
        lake: Lake that was read; without `past`, the estimates of the intervals published there count. Those of
            intervals that end later than the rows read are left out, as any estimate made later is.
        zone: See `sparkhu.steps.regularity.detect_regularity`, likewise the further parameters.
        split: Training, validation and test part.
        period: Period of every series; empty: found from the data.
        season_length: Points in a season; 0: from the calendar.

    Returns:
        What happened, for the artifact's metadata. The record names up to five series whose decision changed.

    Raises:
        InputError: A parameter cannot be used, or there are no estimates where `past` says.
    """
    how: dict[str, Any] = {"zone": zone, "split": split, "period": period, "season_length": season_length}
    check_regularity(**how)
    earlier = earlier_estimates(past, lake)
    sources = open_inputs({"observations": observations})
    params = {**how, "past": redacted(past), "lake": redacted(lake)}
    with recorded(STEP, inputs=[observations], outputs=[profile, estimates], params=params) as (
        notes,
        at,
    ):
        columns = columns_read(detect_regularity)
        rows, work = sources["observations"][0], partial(_profile_shard, at, earlier, how)
        entries, profiles, kept, changed = [ledger.empty()], [], [], []
        for written, part, counts, found in map_shards(work, sources, step=STEP, columns=columns):
            profiles.append(written[0])
            kept.append(written[1])
            entries.append(part)
            changed += found
            for key, count in counts.items():
                notes.counts[key] = notes.counts.get(key, 0) + count
        if earlier is not None and notes.group is None:  # Series of other groups are not absent.
            kept = carry_on(earlier, at[1], kept)
        write_manifest(at[0], "series", profiles)
        write_manifest(at[1], "series", kept)
        notes.entries = pl.concat(entries)
        notes.rows_in, notes.series_in = rows.rows, rows.series
        notes.rows_out = sum(shard.rows for shard in profiles)
        if changed and notes.group is None:
            notes.say(changes_said(changed))
    return metadata(profile)


def earlier_estimates(past: str, lake: str) -> pl.DataFrame | None:
    """Read the estimates of earlier runs, as `detect_periods` takes both; None where there are none."""
    if past:
        return read_estimates(past)
    return published_estimates(lake) if lake else None


def read_estimates(uri: str) -> pl.DataFrame:
    """Read the estimates that an earlier run left.

    Args:
        uri: Folder of its results or the file itself, local or any fsspec URI; `${NAME}` in it is taken from the
            environment.

    Returns:
        The columns of `sparkhu.steps.estimate_history.ESTIMATES`.

    Raises:
        InputError: The file is not there, cannot be read, or holds no estimates; the message names it.
    """
    place = uri if uri.endswith(".parquet") else f"{uri.rstrip('/')}/{ESTIMATES_FILE}"
    try:
        filesystem, path = fsspec.core.url_to_fs(with_environment(place))
        data = filesystem.cat_file(path)
    except FileNotFoundError as error:
        raise InputError(
            f"past: there is no '{redacted(place)}'. Give the results of an earlier run, or nothing on a first run."
        ) from error
    except InputError:
        raise
    # Each of fsspec's many file systems has errors of its own; what they say may repeat a password.
    except Exception as error:  # noqa: BLE001
        said = without_secrets(str(error) or type(error).__name__, uri)
        raise InputError(f"past: '{redacted(place)}' cannot be read: {said}. Check the URI and credentials.") from None
    try:
        return pl.read_parquet(io.BytesIO(data)).select(PAST_COLUMNS).cast(pl.Schema(ESTIMATES))
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"past: '{redacted(place)}' holds no estimates of periods: {error}. Give the {ESTIMATES_FILE} of a run."
        ) from error


def published_estimates(lake: str) -> pl.DataFrame | None:
    """Read the estimates that runs over a lake published with their intervals; null where there are none yet."""
    version = open_lake(lake).version()
    if PROFILES not in version.tables:
        return None
    rows = (
        version.table(PROFILES).read(columns=PAST_COLUMNS).cast(pl.Schema(ESTIMATES)).sort("unique_id", "estimated_at")
    )
    # Intervals may have been published in any order; their estimates count in the order of time.
    once = rows.unique(("unique_id", "estimated_at"), keep="last", maintain_order=True)
    return once.with_columns(version=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("unique_id"))


def carry_on(earlier: pl.DataFrame, folder: Path, shards: Sequence[Shard]) -> list[Shard]:
    """Add the estimates of series that have no rows in this run to the last shard of its estimates.

    Args:
        earlier: The estimates of earlier runs.
        folder: Where the shards of the run's own estimates lie; the last one is written anew.
        shards: All of them.

    Returns:
        The shards as they then are.
    """
    files = [folder / f"{shard.name}.parquet" for shard in shards]
    present = pl.scan_parquet(files).select(pl.col("unique_id").unique()).collect()["unique_id"]
    absent = earlier.filter(~pl.col("unique_id").is_in(present.implode())).sort("unique_id", "version")
    return [*shards[:-1], write_shard(folder, shards[-1].name, pl.concat([pl.read_parquet(files[-1]), absent]))]


def _profile_shard(
    folders: Sequence[Path], past: pl.DataFrame | None, how: Mapping[str, Any], shard: ShardFrames
) -> tuple[list[Shard], pl.DataFrame, Mapping[str, int], list[tuple[Any, ...]]]:
    result = detect_regularity(shard.frames["observations"], past, **how)
    written = [
        write_shard(folder, shard.name, result.frames[name])
        for folder, name in zip(folders, ("profile", "estimates"), strict=True)
    ]
    return written, result.ledger, result.counts, changes(result.frames["estimates"]).rows()


def changes_said(changed: Sequence[tuple[Any, ...]]) -> str:
    """Say which series changed their period or way, given the rows of `changes`."""
    named = "; ".join(f"'{name}' from {before} to {after}" for name, before, after in changed[:MOST_NAMED])
    more = f"; and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
    return f"{len(changed)} series changed their period or way: {named}{more}"
