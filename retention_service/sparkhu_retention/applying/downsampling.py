"""Downsample before rows go: the library's own resampling, read back before anything leaves the storage.

The buckets of a batch are kept in the archive below `downsampled/`, a file a dataset. A bucket whose points lie in
several batches is in several files, each with the points that it has seen: `count`, `missing` and `values` tell how to
bring them together (`sparkhu.steps.resampling`).
"""

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from sparkhu.errors import InputError, SparkhuError
from sparkhu.steps.resampling import resample
from sparkhu_retention.applying.archive import Archive
from sparkhu_retention.applying.failures import EVERYWHERE, kind_of, of_items
from sparkhu_retention.applying.reading_back import Failing, not_whole
from sparkhu_retention.applying.running import Running
from sparkhu_retention.applying.verify import NotVerified
from sparkhu_retention.database import archived, audit, downsampled
from sparkhu_retention.database.downsampled import Downsampled
from sparkhu_retention.database.journal import Entered
from sparkhu_retention.policies.policy import Downsample, Policy
from sparkhu_retention.storages.protocol import Exported

NEEDED = ("unique_id", "ds", "y")


def write_downsamples(running: Running, entries: Sequence[Entered]) -> bool:
    """Write the downsamples that a policy wants before items go, and read them back.

    Args:
        running: The run.
        entries: Of one policy; what was downsampled before, and has not changed, is passed over where that is whole.

    Returns:
        Whether the policy wants any.

    Raises:
        Changed: An item is no longer what the plan saw.
        SparkhuError: An item has no rows of series, or the storage or the archive failed.
        NotVerified: What was read back is not what was written, or points are missing.
    """
    policy = running.policy(entries[0].policy, entries[0].policy_version)
    wanted = policy.downsample
    if wanted is None:
        return False
    there = _there(running, wanted, entries)
    waiting = [entry for entry in entries if entry.entry not in there]
    if waiting:
        _write(running, policy, wanted, waiting)
    return True


def _there(running: Running, wanted: Downsample, entries: Sequence[Entered]) -> set[int]:
    """Find entries, by their numbers, whose downsample was written before and is whole still.

    Raises:
        SparkhuError: That cannot be told, because the archive cannot be reached.
    """
    with running.work.database.reading() as connection:
        rows = downsampled.of_entries(connection, [entry.entry for entry in entries])
    rows = [(number, row) for number, row in rows if (row.to, row.by) == (wanted.to, wanted.by)]
    broken = not_whole(running, rows, Failing())
    for error in broken.values():
        if kind_of(error) in EVERYWHERE:
            raise error
    return {number for number, _ in rows} - broken.keys()


def _write(running: Running, policy: Policy, wanted: Downsample, entries: Sequence[Entered]) -> None:
    running.batch += 1
    archive, storage, run, number = running.archive, running.storage, running.run, running.batch
    folder, at = archive.coarse(storage.uri, run, number), running.work.clock()
    with running.lease.writing() as connection:
        archived.open_attempt(connection, folder, archive=archive.uri, run=run, batch=number, at=at)
    contents = {entry.id: entry.content for entry in entries}
    datasets = {entry.id: entry.dataset for entry in entries}
    with running.scratch() as scratch, of_items():
        exported = list(storage.export(contents, scratch))
        rows = downsample(policy, wanted, datasets=datasets, exported=exported, scratch=scratch)
    paths = {dataset: f"{folder}/{file:02d}.parquet" for file, dataset in enumerate(rows)}
    files = {dataset: _keep(archive, path, rows[dataset]) for dataset, path in paths.items()}
    told: dict[str, Any] = {"to": wanted.to, "by": wanted.by, "files": [file._asdict() for file in files.values()]}
    written = [
        Downsampled(storage.uri, one, contents[one], wanted.to, wanted.by, archive.uri, *files[dataset], at)
        for one, dataset in datasets.items()
    ]
    with running.lease.writing() as connection:
        archived.keep_attempts(connection, run, number)
        downsampled.keep(connection, written)
        where = {"run": run, "storage": storage.uri}
        audit.append(connection, "downsampled", at=at, who=running.work.by, **where, items=sorted(contents), **told)


def downsample(
    policy: Policy,
    wanted: Downsample,
    *,
    datasets: Mapping[str, str],
    exported: Sequence[Exported],
    scratch: Path,
) -> dict[str, pl.DataFrame]:
    """Bring exported rows to a longer period.

    Args:
        policy: Whose zone the period begins in.
        wanted: The period, and what stands for its points.
        datasets: For each item its dataset.
        exported: What the storage exported of them.
        scratch: Where that lies.

    Returns:
        The rows of each dataset, in order of their names.

    Raises:
        SparkhuError: An item has no rows of series.
        NotVerified: Points are missing.
    """
    frames: dict[str, list[pl.DataFrame]] = defaultdict(list)
    for file in exported:
        with _of_rows(f"'{file.id}'"):
            frames[datasets[file.id]].append(_points(file, scratch))
    found: dict[str, pl.DataFrame] = {}
    for dataset, parts in sorted(frames.items()):
        with _of_rows(f"an item of '{dataset}'"):
            points = pl.concat(parts, how="diagonal_relaxed").sort("unique_id", "ds", "available_at")
            points = points.unique(["unique_id", "ds"], keep="last").sort("unique_id", "ds")
            rows = resample(points, wanted.to, how=wanted.by, zone=policy.zone, edges="keep")
        if int(rows["count"].sum()) != points.height:
            raise NotVerified(
                f"{points.height:,} points of '{dataset}' came to {rows['count'].sum():,} in the buckets."
            )
        found[dataset] = rows
    return found


@contextmanager
def _of_rows(item: str) -> Iterator[None]:
    """Say what rows are the reason of as a failure of their item."""
    try:
        yield
    except (InputError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0]
        raise SparkhuError(f"{item} has no rows that can be downsampled: {said}") from error


def _points(file: Exported, scratch: Path) -> pl.DataFrame:
    if not file.path.endswith(".parquet"):
        raise SparkhuError(f"'{file.id}' is no table and cannot be downsampled. Leave `downsample` out of its policy.")
    rows = pl.read_parquet(scratch / file.path, glob=False, hive_partitioning=False)
    lacking = [name for name in NEEDED if name not in rows.columns]
    if lacking:
        raise SparkhuError(
            f"'{file.id}' has no column '{lacking[0]}' and cannot be downsampled. Leave `downsample` out of its policy."
        )
    return rows if "available_at" in rows.columns else rows.with_columns(available_at="ds")


class _File(NamedTuple):
    path: str
    rows: int
    bytes: int
    sha256: str


def _keep(archive: Archive, path: str, rows: pl.DataFrame) -> _File:
    data = io.BytesIO()
    rows.write_parquet(data, compression="zstd", row_group_size=1_000_000)
    written = data.getvalue()
    archive.files.write(path, written)
    back = archive.files.read(path)
    if back != written or not pl.read_parquet(io.BytesIO(back)).equals(rows):
        raise NotVerified(f"'{archive.files.place(path)}' is not what was written. Nothing was removed.")
    return _File(path, rows.height, len(written), hashlib.sha256(written).hexdigest())
