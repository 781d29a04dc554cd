"""The preprocessing chain as a run of a pipeline, beside the same steps as library calls, in one run.

    python benchmarks/pipeline.py [--series 10000] [--points 1000]

The library reads each shard once, calls all steps and writes once (`chain.py`); in the pipeline every step is a task of
its own, which reads what it needs and writes what it adds. The goal: at most three times the library, and 1.2 s a task.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.chain import turns
from benchmarks.figures import Figure, json_option, report
from benchmarks.shard_chain import HOUR, preprocessed, write_raw
from sparkhu.engines.base import ONE_THREAD, environment
from sparkhu.execution import recorded
from sparkhu.shards import Dataset, Shard, open_dataset, write_manifest
from sparkhu_pipelines.local.running import Event, run_locally

TIMES, SECONDS_PER_TASK = 3.0, 1.2
ROWS_PER_SHARD, SEASON = 1_000_000, 24


def write_dataset(folder: Path, series: int, points: int) -> Dataset:
    """Write raw hourly series as `ingest` leaves them."""
    import polars as pl

    each = max(ROWS_PER_SHARD // points, 1)
    with recorded("ingest", inputs=[], outputs=[folder]) as (_, (draft,)):
        shards = []
        for first in range(0, series, each):
            name, numbers = f"{first // each:05d}", range(first, min(first + each, series))
            write_raw(draft / f"{name}.parquet", numbers, points, step=HOUR, season=SEASON)
            rows = pl.scan_parquet(draft / f"{name}.parquet").select(pl.len()).collect().item()
            shards.append(Shard(name, rows, len(numbers)))
        write_manifest(draft, "rows", shards)
    return open_dataset(folder)


def library_seconds(raw: Dataset, folder: Path) -> float:
    """Run the chain as library calls, warm."""
    folder.mkdir()
    shards = [folder / file.name for file in raw.files()]
    for shard, file in zip(shards, raw.files(), strict=True):
        shard.symlink_to(file)
    workers = len(os.sched_getaffinity(0))
    with environment(ONE_THREAD), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        (turn,) = turns(pool, [preprocessed], shards, 2)
    return turn.seconds


def pipeline_seconds(raw: Dataset, root: Path) -> tuple[float, int]:
    """Run the chain as a pipeline; give the seconds and the number of tasks."""
    root.mkdir()
    count: Counter[str] = Counter()

    def counted(event: Event) -> None:
        count[event["kind"]] += 1

    began = time.perf_counter()
    run_locally(
        "benchmarks.chain_pipeline",
        "chain_pipeline",
        {"raw": str(raw.path)},
        root=root,
        log=root / "log.txt",
        on_event=counted,
    )
    return time.perf_counter() - began, count["step_finished"]


def main() -> None:
    """Run both and print the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=1_000)
    json_option(parser)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        raw = write_dataset(Path(scratch) / "raw", given.series, given.points)
        library = library_seconds(raw, Path(scratch) / "library")
        pipeline, tasks = pipeline_seconds(raw, Path(scratch) / "pipeline")
    goal = TIMES * library + SECONDS_PER_TASK * tasks
    beside = f"{tasks} tasks; the same steps as library calls take {library:.1f} s; {raw.rows / 1e6:.1f} M rows"
    report([Figure("Chain as a pipeline run", pipeline, "s", beside, goal)], given.json)


if __name__ == "__main__":
    main()
