"""Read a source into shards: the one shuffle of a run.

The source is read once, into parts of bounded size; what is in it as a whole is found from them. Then each part is
parsed and cut by the shards that its rows belong to, and each shard put together from what every part has of it, and
sorted. Nothing holds more than a part or a shard.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu import ledger
from sparkhu.attempts import scratch_folder
from sparkhu.execution import MAX_FAILED_SHARE, metadata, recorded
from sparkhu.shards import Shard, write_manifest, write_shard
from sparkhu.sources import Roles, SourceOptions, redacted
from sparkhu.sources.parts import PartSize, Scratch
from sparkhu.sources.reading import Reading
from sparkhu.stages.sorting import Sorting
from sparkhu.steps.ingestion import ROWS_PER_SHARD, shard_borders
from sparkhu.summaries import HISTORY_SCHEMA


def ingest_source(
    source: str,
    options: SourceOptions,
    *,
    out: Path | str,
    history: Path | str,
    versions: Path | str,
    max_failed_share: float = MAX_FAILED_SHARE,
    rows_per_shard: int = ROWS_PER_SHARD,
    part_size: PartSize | None = None,
) -> dict[str, Any]:
    """Read a source, sort it by series and time, and write it as shards of whole series.

    What is too large for memory lies in a scratch folder beside the output meanwhile; it takes about as much room as
    the source does unpacked.

    Args:
        source: File, folder, glob or URI, or the SQLAlchemy URL of a database.
        options: What is known of the source; the rest is found from it and said.
        out: Folder of the new dataset.
        history: Folder of a dataset about days that are not read; of a source there are none, and it is empty.
        versions: Folder of a dataset of points that were revised; of a source there are none: all of its rows are read.
        max_failed_share: Largest share of failed series that the run goes on with.
        rows_per_shard: Rows of a shard, about; a series is never split.
        part_size: How much is held in memory at a time.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: The source cannot be read, or what it holds cannot be told safely.
        SparkhuError: There is no room for the output or the scratch folder.
    """
    params: dict[str, Any] = {"source": redacted(source), **asdict(options), "max_failed_share": max_failed_share}
    params["query"] = redacted(options.query)
    with recorded("ingest", inputs=[], outputs=[out, history, versions], params=params) as (notes, at):
        with scratch_folder(at[0]) as folder:
            reading = Reading(source, options, Scratch(folder, part_size))
            params.update(_chosen(reading.roles))
            series = reading.series()
            sorting = Sorting(reading, shard_borders(series, rows_per_shard), folder)
            shards = sorting.write(at[0], at[2])
        for message in reading.told(sorting.tallies, sorting.doubled).notes:
            notes.say(message)
        write_manifest(at[0], "rows", shards)
        write_manifest(at[1], "series", [write_shard(at[1], "00000", pl.DataFrame(schema=HISTORY_SCHEMA))])
        write_manifest(at[2], "series", [Shard(shard.name, 0, 0) for shard in shards])
        notes.sources = tuple(asdict(file) for file in reading.files)
        counts = series.drop_nulls("unique_id")
        notes.entries = ledger.entries(counts["unique_id"], counts={"rows": counts["rows"]})
        notes.rows_in = notes.rows_out = int(series["rows"].sum())
        notes.series_in = counts.height
    return metadata(out)


def _chosen(roles: Sequence[Roles]) -> dict[str, Any]:
    """Give the columns that were taken, for the record; nothing where files of one source differ in them."""
    if len(roles) != 1:
        return {}
    (only,) = roles
    value = "" if only.wide else only.values[0].column
    return {"time": only.time.column, "value": value, "id": only.id.column if only.id else "", "wide": only.wide}
