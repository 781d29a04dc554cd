"""Datasets that the tests of the Spark engine map over, and how sessions end."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import polars as pl

from sparkhu.execution import recorded, run_step
from sparkhu.shards import open_dataset, write_manifest, write_shard
from sparkhu.sources import SourceOptions
from sparkhu.sources.parts import PartSize
from sparkhu.stages.ingesting import ingest_source


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


def made_source(file: Path) -> Path:
    """Write a source of 50 series in the order of time, 10,000 rows."""
    number = pl.int_range(10_000, eager=True)
    ds = (pl.lit(1_704_067_200_000_000) + number // 50 * 3_600_000_000).cast(pl.Datetime("us"))
    pl.select(ds=ds, unique_id=pl.format("series-{}", number * 7 % 50), y=number / 7).write_csv(file)
    return file


def ingested(source: Path, out: Path) -> dict[str, bytes]:
    """Read a source in parts of a thousand rows, and give the data that was written."""
    size = PartSize(rows=1000, text=30_000, kept=0)
    places = {name: out / name for name in ("history", "versions")}
    ingest_source(str(source), SourceOptions(), out=out / "raw", **places, rows_per_shard=1500, part_size=size)
    assert not list(out.rglob(".*"))
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


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


@contextmanager
def counted_tasks() -> Iterator[list[int]]:
    """Give the number of tasks of every stage that Spark ran in the block, as its own page tells them."""
    from pyspark import SparkContext

    context, counts, mark = SparkContext._active_spark_context, list[int](), uuid.uuid4().hex
    assert context is not None
    context.setJobDescription(mark)
    yield counts
    context.setJobDescription(None)  # type: ignore[arg-type]
    address, until = f"{context.uiWebUrl}/api/v1/applications/{context.applicationId}/stages", time.monotonic() + 60
    while not counts and time.monotonic() < until:
        with urlopen(address, timeout=30) as answer:
            stages = [stage for stage in json.load(answer) if stage.get("description") == mark]
        # The page follows what happens a little later.
        if stages and all(stage["status"] == "COMPLETE" for stage in stages):
            counts += [stage["numTasks"] for stage in stages]
        time.sleep(0.2)
