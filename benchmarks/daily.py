"""One day's run over a lake beside the run over all of it.

    python benchmarks/daily.py [--series 200] [--days 365] [--lookback 70d]

A lake of hourly series with a day's and a week's season, gaps and spikes is made in a temporary folder. The pipeline
then runs over all days, and over the last one with its look-back, each as `sparkhu run` in processes of its own. The
goal: the day's run takes at most 1.5 times its share of the days of the full run, and 1.2 s a task.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.figures import Figure, json_option, report
from sparkhu.lake import Append, create_lake

START = datetime(2023, 1, 1, tzinfo=UTC)
SHARE, SECONDS_PER_TASK = 1.5, 1.2
COMMAND = "from sparkhu_cli.main import main; main()"


def observations(series: int, days: int) -> pl.DataFrame:
    """Make hourly series: 3 % of the points are missing, one in five hundred is a spike."""
    random, hours = np.random.default_rng(0), np.arange(days * 24)
    frames = []
    for number in range(series):
        value = 50 + 8 * np.sin(2 * np.pi * hours / 24) + 3 * (hours // 24 % 7 >= 5) + random.normal(0, 1, len(hours))
        value[random.random(len(hours)) < 0.002] += 40
        kept = random.random(len(hours)) >= 0.03
        frame = pl.DataFrame({"unique_id": f"series-{number:04d}", "hour": hours[kept], "y": value[kept]})
        ds = (pl.lit(START) + pl.col("hour") * pl.duration(hours=1)).cast(pl.Datetime("us", "UTC"))
        frames.append(frame.select("unique_id", ds=ds, y="y", available_at=ds))
    return pl.concat(frames)


def run(lake: Path, folder: Path, *arguments: str) -> tuple[float, int, float]:
    """Run the pipeline: seconds in all, number of tasks, seconds of the steps themselves."""
    out, environment = folder / "out", {**os.environ, "SPARKHU_HOME": str(folder)}
    call = [sys.executable, "-c", COMMAND, "run", "--lake", str(lake), "--out", str(out), *arguments]
    began = time.perf_counter()
    subprocess.run(call, env=environment, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    steps = json.loads((out / "run.json").read_text())["steps"]
    return seconds, len(steps), sum(step["seconds"] for step in steps)


def main() -> None:
    """Make the lake, run both, and print what they took."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--lookback", default="70d")
    json_option(parser)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = observations(given.series, given.days)
        lake = create_lake(str(folder / "lake"), partition="month")
        lake.commit({"observations": Append(rows)}, run="made", based_on=lake.version())
        last = START + timedelta(days=given.days - 1)
        limits = ["--start", last.isoformat(), "--end", (last + timedelta(days=1)).isoformat()]
        whole, tasks, whole_steps = run(folder / "lake", folder / "whole")
        day, _, day_steps = run(folder / "lake", folder / "day", *limits, "--lookback", given.lookback)
    read = int(given.lookback.removesuffix("d")) + 1
    goal = SHARE * read / given.days * whole + SECONDS_PER_TASK * tasks
    print(f"{rows.height:,} rows of {given.series} series over {given.days} days; {tasks} tasks")
    print(f"all days:            {whole:6.1f} s, of which {whole_steps:6.1f} s in the steps")
    print(f"one day, {read} read: {day:6.1f} s, of which {day_steps:6.1f} s in the steps")
    print(f"of the steps:        {day_steps / whole_steps:.2f} for {read / given.days:.2f} of the days")
    beside = f"{tasks} tasks, {read} of {given.days} days read; the run over all days takes {whole:.0f} s"
    report([Figure(f"One day of a lake of {given.series} hourly series", day, "s", beside, goal)], given.json)


if __name__ == "__main__":
    main()
