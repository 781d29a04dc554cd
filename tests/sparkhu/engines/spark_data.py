"""Datasets that the tests of the Spark engine map over, and how sessions end."""

from pathlib import Path

import polars as pl

from sparkhu.execution import recorded, run_step
from sparkhu.shards import open_dataset, write_manifest, write_shard


def made_rows(folder: Path, *, shards: int = 3) -> Path:
    """Write rows of two series a shard: a and b, c and d, …"""
    with recorded("ingest", inputs=[], outputs=[folder]) as (_, (draft,)):
        written = []
        for number in range(shards):
            ids = [chr(ord("a") + 2 * number + each) for each in (0, 1) for _ in range(5)]
            frame = pl.DataFrame({"unique_id": ids, "y": [float(number + row) for row in range(10)]})
            written.append(write_shard(draft, f"{number:05d}", frame))
        write_manifest(draft, "rows", written)
    return folder


def doubled_by(step: object, rows: Path, out: Path, **params: object) -> pl.DataFrame:
    """Run a step and read what it wrote."""
    outputs = {"doubled": (out, "rows")}
    run_step(step, name="double", inputs={"observations": rows}, outputs=outputs, params=params)  # type: ignore[arg-type]
    return open_dataset(out).scan().collect()


def stop_classic() -> None:
    """End the classic session of this process."""
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is not None:
        session.stop()


def stop_connect(master: str) -> None:
    """End the session of this process at a Connect server."""
    from sparkhu.engines.spark.sessions import open_session

    open_session(master, {}).stop()
