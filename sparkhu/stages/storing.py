"""Store the sequences of a run in a table, and map training and evaluation over what is read of it.

Series lie in buckets by a hash of their names, about a million rows each, whatever shards they come from; so what is
summed over buckets is the same to the bit for any sharding. A worker reads the files of its own buckets.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import polars as pl

from sparkhu import events, ledger
from sparkhu.engines import LostItem, chosen_engine
from sparkhu.errors import SparkhuError
from sparkhu.execution import metadata, recorded
from sparkhu.lake import Append, Version, create_lake, is_lake, open_lake
from sparkhu.lake.layout import MOST_BUCKETS
from sparkhu.lineage import read_trail
from sparkhu.mapping import ShardFrames, map_shards, open_inputs
from sparkhu.shards import Dataset, open_dataset
from sparkhu.training.groups import seasons_of
from sparkhu.training.recipes import TrainingData
from sparkhu.training.stored import INPUTS, SCHEMAS, assemble_stored, stored_rows
from sparkhu.training.windows import ShardWindows

LAKE = "lake"
STEP = "store_sequences"
ROWS_PER_BUCKET = 1_000_000
Result = TypeVar("Result")


def store_sequences(*, sequences: Sequence[Path | str], versions: Path | str, table: Path | str) -> dict[str, Any]:
    """Store what forecasters are given and what they are judged by in two tables of one lake.

    Args:
        sequences: Evenly spaced rows of all series, and the layer of what forecasters are given.
        versions: The versions of points that were revised; the older ones are stored beside the newest.
        table: Folder to be written; the lake lies in it.

    Returns:
        What happened, for the artifact's metadata.
    """
    sources = open_inputs({"sequences": sequences, "versions": versions})
    rows = sources["sequences"][0]
    with recorded(STEP, inputs=[*sequences, versions], outputs=[table]) as (notes, (draft,)):
        buckets = min(max(-(-rows.rows // ROWS_PER_BUCKET), 1), MOST_BUCKETS)
        lake = create_lake(str(draft / LAKE), partition="year", buckets=buckets)
        empty = {name: Append(pl.DataFrame(schema=schema)) for name, schema in SCHEMAS.items()}
        lake.commit(empty, run=STEP, based_on=lake.version())
        ids: list[pl.Series] = list(map_shards(partial(_append, lake.uri), sources, step=STEP))
        notes.entries = ledger.entries(pl.concat(ids))
        notes.rows_in, notes.series_in = rows.rows, rows.series
        notes.rows_out = lake.version().table(INPUTS).rows
        notes.counts["buckets"] = buckets
    return metadata(table)


def _append(uri: str, shard: ShardFrames) -> pl.Series:
    lake = open_lake(uri)
    rows = shard.frames["sequences"]
    run = f"{STEP}, shard {shard.name}"
    stored = stored_rows(rows, shard.frames["versions"])
    changes = {name: Append(partial(_unless_there, run, name, part)) for name, part in stored.items()}
    lake.commit(changes, run=run, based_on=lake.version())
    return rows["unique_id"].unique(maintain_order=True)


def _unless_there(run: str, name: str, rows: pl.DataFrame, version: Version) -> pl.DataFrame | None:
    """Give the rows, or null where they have been committed: by an attempt that was lost before it could say so."""
    return None if any(file.run == run for file in version.manifest(name).files) else rows


def open_stored(table: Path | str) -> Version:
    """Open what `store_sequences` wrote.

    Raises:
        SparkhuError: It is not there, or it is damaged.
    """
    uri = str(Path(table) / LAKE)
    if not is_lake(uri):
        names = " and ".join(f"'{name}'" for name in SCHEMAS)
        raise SparkhuError(f"the tables {names} are missing: '{uri}' holds no lake. Run {STEP}, which writes them.")
    version = open_lake(uri).version()
    missing = [name for name in SCHEMAS if name not in version.tables]
    if missing:
        raise SparkhuError(f"the table '{missing[0]}' is missing in '{uri}'. Run {STEP}, which writes it.")
    return version


@dataclass(frozen=True, eq=False)
class Stored:
    """A stored version of the sequences, and the tables about series that go with it.

    Attributes:
        version: The version of the lake.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows.
        scalers: One scaler a series.
        folders: Where all of these lie.
    """

    version: Version
    plan: Dataset
    windows: Dataset
    scalers: Dataset
    folders: tuple[Path, ...]

    @classmethod
    def open(cls, *, table: Path | str, plan: Path | str, windows: Path | str, scalers: Path | str) -> "Stored":
        """Open the folders that the steps wrote.

        Raises:
            InputError: One of them holds no dataset.
            SparkhuError: The table is not there, or it is damaged.
        """
        folders = tuple(Path(folder) for folder in (table, windows, scalers, plan))
        return cls(open_stored(table), open_dataset(plan), open_dataset(windows), open_dataset(scalers), folders)

    @property
    def rows(self) -> int:
        """How many rows forecasters are given, older versions among them."""
        return self.version.table(INPUTS).rows


class Bucket(NamedTuple):
    """The series of a bucket: its name, their rows of the plan, their scalers."""

    name: str
    plan: pl.DataFrame
    scalers: pl.DataFrame


def map_buckets(
    function: Callable[[str, ShardWindows], Result], stored: Stored, *, step: str, workers: int | None = None
) -> Iterator[Result]:
    """Yield `function(name, windows)` for every bucket, in order.

    Series that failed in an earlier step are left out.

    Args:
        function: A module-level function or a partial of one, given a bucket's name and its windows.
        stored: Where the windows are read.
        step: Name of the step, for progress.
        workers: Processes of the local engine; by default `SPARKHU_WORKERS`, else one a core.

    Raises:
        SparkhuError: A process was lost; the message names the bucket and its series, where the engine can tell.
    """
    failed = ledger.failed_ids(read_trail(stored.folders).entries)
    version = stored.version
    work = partial(_on_bucket, function, version.storage.uri, version.number, stored.windows)
    buckets = _buckets(stored, failed)
    engine = chosen_engine(workers)
    try:
        for done, result in enumerate(engine.map(work, buckets), start=1):
            events.emit("shard_done", step=step, done=done, of=len(buckets))
            yield result
    except LostItem as error:
        if error.number is None:
            raise
        bucket = buckets[error.number]
        raise SparkhuError(
            f"bucket {bucket.name} ({_held(stored, bucket)}): {error.message} {error.way_out}"
        ) from error


def training_data(stored: Stored) -> TrainingData:
    """Give the windows of all buckets to recipes, which read a bucket when they ask for it; the last one is held.

    Series that failed in an earlier step are left out.
    """
    version, plan = stored.version, stored.plan.scan().collect()
    work = partial(_on_bucket, _windows, version.storage.uri, version.number, stored.windows)
    buckets = _buckets(stored, ledger.failed_ids(read_trail(stored.folders).entries))
    read = lru_cache(maxsize=1)(lambda number: work(buckets[number]))
    return TrainingData([partial(read, number) for number in range(len(buckets))], seasons_of(plan))


def _windows(_: str, windows: ShardWindows) -> ShardWindows:
    return windows


def _held(stored: Stored, bucket: Bucket) -> str:
    """Say what a bucket holds, for a message about it."""
    ids = bucket.plan["unique_id"]
    files = stored.version.table(INPUTS).files()
    rows = sum(file.rows for file in files if file.bucket == int(bucket.name))
    counted = f"{rows:,} row{'s' * (rows != 1)}"
    if len(ids) == 1:
        return f"series '{ids[0]}', {counted}"
    return f"{len(ids):,} series, '{ids[0]}' to '{ids[-1]}', {counted}" if len(ids) else f"no series, {counted}"


def _buckets(stored: Stored, failed: pl.Series) -> list[Bucket]:
    layout, going_on = stored.version.layout, ~pl.col("unique_id").is_in(failed.implode())
    plan = stored.plan.scan().filter(going_on).sort("unique_id").collect()
    bucket = pl.Series("bucket", [layout.bucket(name) for name in plan["unique_id"]], dtype=pl.Int64)
    parts = plan.with_columns(bucket).partition_by("bucket", as_dict=True, include_key=False)
    scalers = stored.scalers.scan().collect()
    found = []
    for number in range(layout.buckets):
        part = parts.get((number,), plan.clear())
        ids = part.select("unique_id")
        found.append(
            Bucket(f"{number:05d}", part, scalers.join(ids, on="unique_id", how="semi", maintain_order="left"))
        )
    return found


def _on_bucket(
    function: Callable[[str, ShardWindows], Result], uri: str, version: int, windows: Dataset, bucket: Bucket
) -> Result:
    ids = bucket.scalers["unique_id"]
    opened = open_lake(uri).version(version)
    tables: Mapping[str, pl.DataFrame] = {
        name: opened.table(name).read(ids=ids.to_list(), columns=list(schema)) for name, schema in SCHEMAS.items()
    }
    usable = pl.col("valid") & pl.col("unique_id").is_in(ids.implode())
    index = windows.scan().filter(usable).collect().sort("unique_id", "offset")
    place = f"'{uri}', version {version}"
    return function(bucket.name, assemble_stored(tables, index, bucket.scalers, bucket.plan, place=place))
