"""Gather the results of a run into one folder of files that other programs read."""

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from sparkhu.execution import metadata, recorded
from sparkhu.frame import CLEAN_SCHEMA, extra_columns
from sparkhu.mapping import Inputs, ShardFrames, map_shards, open_inputs
from sparkhu.shards import Dataset, Shard, open_dataset, write_shard

ROWS_SCHEMA: dict[str, pl.DataType] = {
    **CLEAN_SCHEMA,
    "is_anomaly": pl.Boolean(),
    "is_alert": pl.Boolean(),
    "anomaly_strategy": pl.String(),
    "anomaly_score": pl.Float64(),
    "trend": pl.Float64(),
    "seasonal": pl.Float64(),
    "resid": pl.Float64(),
}
"""The columns of `clean.parquet`; those of the source that travel along come behind them."""
FALSE = ("is_outlier", "is_anomaly", "is_alert")


def publish_results(
    *,
    clean: Inputs,
    tables: Mapping[str, Sequence[Path | str]],
    documents: Mapping[str, Path | str],
    out: Path | str,
) -> dict[str, Any]:
    """Write a results folder: `clean.parquet`, one Parquet file a table, the documents, the ledger and the history.

    Args:
        clean: Rows and their layers of each way of the split, by the way's name. Series keep the rows of their way:
            regular ones with marked gaps, irregular ones as they were observed.
        tables: Datasets about series per file name (without suffix), joined one below the other.
        documents: Files copied as they are, by name.
        out: Folder of the results.

    Returns:
        What happened, for the artifact's metadata.
    """
    sources = open_inputs(clean)
    folders = [dataset.path for group in sources.values() for dataset in group]
    folders += [Path(folder) for group in tables.values() for folder in group]
    folders += [Path(file).parent for file in documents.values()]
    inputs = list(dict.fromkeys(folders))
    with recorded("publish", inputs=inputs, outputs=[out]) as (notes, (draft,)):
        columns = {**ROWS_SCHEMA, **_extras(sources)}
        schema = pl.DataFrame(schema=columns).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        with (
            TemporaryDirectory(dir=draft.parent) as scratch,
            pq.ParquetWriter(draft / "clean.parquet", schema, compression="zstd") as writer,
        ):
            # Rows reach this process by way of files: workers may be on other machines.
            for part in map_shards(partial(_leave_clean, Path(scratch), columns), sources, step="publish"):
                left = Path(scratch) / f"{part.name}.parquet"
                writer.write_table(pl.read_parquet(left).to_arrow(compat_level=pl.CompatLevel.oldest()))
                left.unlink()
                notes.rows_out += part.rows
                notes.series_in += part.series
        notes.rows_in = sum(group[0].rows for group in sources.values())
        for name, group in tables.items():
            scans = [open_dataset(folder).scan() for folder in group]
            pl.concat(scans, how="diagonal").sink_parquet(draft / f"{name}.parquet")
        for name, file in documents.items():
            shutil.copyfile(file, draft / name)
    return metadata(out)


def _extras(sources: Mapping[str, Sequence[Dataset]]) -> dict[str, pl.DataType]:
    """Find the columns of the source that travel along, with their types."""
    found: dict[str, pl.DataType] = {}
    for rows, *_ in sources.values():
        empty = rows.scan().head(0).collect()
        found |= {name: empty.schema[name] for name in extra_columns(empty)}
    return found


def _leave_clean(folder: Path, columns: Mapping[str, pl.DataType], shard: ShardFrames) -> Shard:
    return write_shard(folder, shard.name, clean_rows(shard, columns))


def clean_rows(shard: ShardFrames, columns: Mapping[str, pl.DataType] = ROWS_SCHEMA) -> pl.DataFrame:
    """Bring both ways of a shard to the columns of `clean.parquet`, sorted by series and time.

    A frame without `y_raw` holds raw values; one without `is_gap` has a gap where the raw value is null. One with
    `handled` has that as its value.
    """
    ways = []
    for frame in shard.frames.values():
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in columns.items() if name not in frame]
        whole = frame.with_columns(missing)
        if "y_raw" not in frame:
            whole = whole.with_columns(y_raw="y")
        if "handled" in frame:
            whole = whole.with_columns(y="handled", available_at="handled_available_at")
        flags = {"is_gap": pl.col("y_raw").is_null(), **dict.fromkeys(FALSE, pl.lit(value=False))}
        ways.append(whole.with_columns(pl.col(name).fill_null(value) for name, value in flags.items()))
    rows = pl.concat(way.select(pl.col(name).cast(dtype) for name, dtype in columns.items()) for way in ways)
    return rows.sort("unique_id", "ds", maintain_order=True)
