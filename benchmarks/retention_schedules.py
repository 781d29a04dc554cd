"""Try what retention promises on random schedules: writes, policies, holds, promotions, crashes, clocks, rivals.

python benchmarks/retention_schedules.py                      ten thousand schedules, on all processors
python benchmarks/retention_schedules.py --schedules 500 --seed 7 --processes 1

They are made in lots, each with a seed of its own, which is told. It ends with a failure, and the shortest schedule
that shows it, when a promise is broken.
"""

import argparse
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # frames are small, and processes many
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

LOT = 250


def kept(schedules: int, steps: int, seed: int) -> int:
    """Run a lot of schedules, and give how many; a broken promise ends it."""
    from hypothesis import HealthCheck, settings
    from hypothesis import seed as seeded
    from hypothesis.stateful import run_state_machine_as_test

    from tests.retention_service.applying.schedules import MEMORY, Schedules

    tempfile.tempdir = str(MEMORY) if MEMORY.is_dir() else None
    logging.disable(logging.CRITICAL)  # failures are what is tried
    chosen = settings(
        max_examples=schedules,
        stateful_step_count=steps,
        deadline=None,
        derandomize=False,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seeded(seed)(type(f"Schedules{seed}", (Schedules,), {})), settings=chosen)
    return schedules


def main() -> None:
    """Run as many schedules as are asked for and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=10_000, help="how many")
    parser.add_argument("--steps", type=int, default=25, help="most steps of each")
    parser.add_argument("--seed", type=int, default=1, help="of the first lot; each one after it has the next")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="how many at once")
    given = parser.parse_args()
    began, done = time.perf_counter(), 0
    lots = [min(LOT, given.schedules - first) for first in range(0, given.schedules, LOT)]
    with ProcessPoolExecutor(given.processes, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        running = [pool.submit(kept, lot, given.steps, given.seed + number) for number, lot in enumerate(lots)]
        for number, lot in enumerate(running):
            try:
                done += lot.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            print(f"{done:,} schedules, the last of seed {given.seed + number}: {time.perf_counter() - began:,.0f} s")
    print(f"{done:,} schedules of up to {given.steps} steps kept all promises")


if __name__ == "__main__":
    main()
