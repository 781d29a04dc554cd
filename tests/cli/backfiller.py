"""Backfills that are killed: `python -m tests.cli.backfiller`, told as `tests/sparkhu/lake/victim.py` is.

A task has the `lake`, a folder `out` for results and one for what the backfill itself writes, `scratch`; it may have
the end of the `last` interval and how many runs are `parallel`. Where it has `run_strike`, the backfill is killed right
before that write of the second interval's publication, to the lake or beside it; the run then waits to be ended with
it. A run is as cheap as can be: it publishes results that are made up from its interval.
"""

import io
import os
import signal
import sys
import tempfile
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from sparkhu.stages.lake_publishing import publish_interval
from sparkhu_cli import backfilling
from sparkhu_cli.staging import staged
from sparkhu_cli.terminal import Terminal
from tests.sparkhu.lake.victim import kill_at, serve
from tests.sparkhu.stages.test_lake_publishing import START, results

FIRST, LAST, EVERY = "2024-01-02T00:00Z", "2024-01-02T18:00Z", "6h"
SECOND = "2024-01-02T06:00Z"
SERIES = ("a", "b")
STRIKE = "STRIKE_AT"
HOUR = timedelta(hours=1)


def act(task: dict[str, str]) -> None:
    """Do a backfill; its runs are this module's."""
    os.environ[STRIKE] = task.get("run_strike", "0")
    tempfile.tempdir = task["scratch"]
    backfilling.COMMAND = "from tests.cli.backfiller import run; run()"
    backfilling.POLL_SECONDS = 0.02
    given = {"lake": task["lake"], "zone": "UTC", "metadata": ""}
    limits = {"first": FIRST, "last": task.get("last", LAST), "every": EVERY}
    parallel, out = int(task.get("parallel", "1")), Path(task["out"])
    backfilling.run_backfill(given, **limits, parallel=parallel, out=out, terminal=Terminal(io.StringIO()))


def run() -> None:
    """Take the place of `sparkhu run --params FILE --out OUT`, which holds its folder until it ends."""
    out = Path(sys.argv[5])
    with staged(out):
        _run(yaml.safe_load(Path(sys.argv[3]).read_text()), out.with_name(f"{out.name}-{uuid.uuid4().hex}"))


def _run(asked: dict[str, Any], out: Path) -> None:
    start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
    made = results(out, (end - START) // HOUR)
    for file in made.glob("*.parquet"):
        rows = pl.read_parquet(file)
        pl.concat([rows.with_columns(unique_id=pl.lit(name)) for name in SERIES]).write_parquet(file)
    limits = {"start": asked["start"], "end": asked["end"]}
    if start == datetime.fromisoformat(SECOND) and os.environ[STRIKE] != "0":
        kill_at(int(os.environ[STRIKE]), str(Path(asked["lake"]).parent), "before", _end_with_backfill)
    publish_interval(results=made, lake=asked["lake"], out=made.with_name(f"{made.name}-published"), **limits)


def _end_with_backfill() -> None:
    """Kill the backfill and wait to be ended; a run that nobody ends goes on, and publishes what it should not."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(20)


if __name__ == "__main__":
    serve(act)
