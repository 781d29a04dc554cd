"""Read a source into shards: the one shuffle of a run."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu import ledger
from sparkhu.execution import MAX_FAILED_SHARE, metadata, recorded
from sparkhu.frame import SCHEMA
from sparkhu.shards import write_manifest, write_shard
from sparkhu.sources import Roles, SourceOptions, read_source, redacted
from sparkhu.steps.ingestion import ROWS_PER_SHARD, raw_shards
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
) -> dict[str, Any]:
    """Read a source, sort it by series and time, and write it as shards of whole series.

    Args:
        source: File, folder, glob or URI, or the SQLAlchemy URL of a database.
        options: What is known of the source; the rest is found from it and said.
        out: Folder of the new dataset.
        history: Folder of a dataset about days that are not read; of a source there are none, and it is empty.
        versions: Folder of a dataset of points that were revised; of a source there are none: all of its rows are read.
        max_failed_share: Largest share of failed series that the run goes on with.
        rows_per_shard: Rows of a shard, about; a series is never split.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: The source cannot be read, or what it holds cannot be told safely.
    """
    params: dict[str, Any] = {"source": redacted(source), **asdict(options), "max_failed_share": max_failed_share}
    params["query"] = redacted(options.query)
    with recorded("ingest", inputs=[], outputs=[out, history, versions], params=params) as (notes, at):
        raw = read_source(source, options)
        for message in raw.notes:
            notes.say(message)
        params.update(_chosen(raw.roles))
        slices = raw_shards(raw.frame, rows_per_shard)
        shards = [write_shard(at[0], f"{number:05d}", frame) for number, frame in enumerate(slices)]
        write_manifest(at[0], "rows", shards)
        write_manifest(at[1], "series", [write_shard(at[1], "00000", pl.DataFrame(schema=HISTORY_SCHEMA))])
        none = pl.DataFrame(schema=SCHEMA)
        write_manifest(at[2], "series", [write_shard(at[2], shard.name, none) for shard in shards])
        notes.sources = tuple(asdict(file) for file in raw.files)
        counts = raw.frame.drop_nulls("unique_id").group_by("unique_id", maintain_order=True).len("rows")
        notes.entries = ledger.entries(counts["unique_id"], counts={"rows": counts["rows"]})
        notes.rows_in = notes.rows_out = raw.frame.height
        notes.series_in = counts.height
    return metadata(out)


def _chosen(roles: Sequence[Roles]) -> dict[str, Any]:
    """Give the columns that were taken, for the record; nothing where files of one source differ in them."""
    if len(roles) != 1:
        return {}
    (only,) = roles
    value = "" if only.wide else only.values[0].column
    return {"time": only.time.column, "value": value, "id": only.id.column if only.id else "", "wide": only.wide}
