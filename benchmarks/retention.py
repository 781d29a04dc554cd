"""Seconds and memory of a plan over a million partitions: a thousand buckets on a thousand days.

    python benchmarks/retention.py [--days 1000] [--buckets 1000]

The items are those of a lake: a path and a checksum each, listed a day at a time. There are 20 policies, some of which
keep the newest versions or ask for tags, and 300 needs with spans of their own beside a hold on a thousand items. The
plan runs in a process of its own, whose memory is told as its peak of resident pages; seconds are those of the plan
with the listing of its items.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from benchmarks.figures import Figure, json_option, report
from sparkhu_retention.items import INSTANT, ITEMS
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.planner import plan_parts
from sparkhu_retention.planning.summary import added_up, held_back, totals
from sparkhu_retention.policies.policy import PolicyVersion, policy_of

MOST_SECONDS, MOST_MEGABYTES, MEGABYTE = 60.0, 500.0, 1_000_000
STORAGE, DAY = "s3://plant/lake", timedelta(days=1)
FIRST, NOW = datetime(2022, 1, 1, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC)
TABLES = ("observations", "clean", "forecasts", "snapshots")


def listed(days: int, buckets: int) -> Iterator[pl.DataFrame]:
    """List the partitions of a lake, a day at a time."""
    number = pl.int_range(buckets, dtype=pl.Int64, eager=True).alias("number")
    for day in range(days):
        start, table = FIRST + day * DAY, TABLES[day % len(TABLES)]
        checksum = (number + day * buckets).hash(7).cast(pl.String).str.zfill(20)
        path = pl.format(
            "tables/{}/data/{}/{}-{}.parquet", pl.lit(table), pl.lit(f"{start:%Y-%m-%d}"), number, checksum
        )
        yield pl.select(
            id=path,
            dataset=pl.lit(table),
            line=pl.format("bucket-{}", number),
            start=pl.lit(start, INSTANT),
            end=pl.lit(start + DAY, INSTANT),
            rows=pl.lit(1_000, pl.Int64),
            bytes=number + 10_000,
            content=pl.concat_str(checksum, checksum, checksum),
            tags=pl.lit([f"table={table}"], dtype=pl.List(pl.String())),
            holds=pl.lit([], dtype=pl.List(pl.String())),
        ).cast(dict(ITEMS))


def policies() -> list[PolicyVersion]:
    """Give 20 policies, most of which are about something else."""
    documents = [
        {"match": {"dataset": "observations"}, "archive_after": "2 years", "delete_after": "10 years"},
        {"match": {"dataset": "clean"}, "archive_after": "18 months", "zone": "Europe/Berlin"},
        {"match": {"dataset": "forecasts"}, "without_archive": True, "delete_after": "90 days", "keep_newest": 30},
        {"match": {"tags": {"table": "snapshots"}}, "archive_after": "6 months", "floor": "2022-06-01"},
        *({"match": {"dataset": f"other-{number}/**"}, "archive_after": "1 year"} for number in range(16)),
    ]
    return [PolicyVersion(policy_of({"name": f"p{number}", **each})) for number, each in enumerate(documents)]


def needs(days: int) -> list[Need]:
    """Give what models were trained on and backfills will read, and a hold on items one by one."""
    held = frozenset(next(listed(1, 1_000))["id"])
    models = [
        Need(
            f"version {number} of 'm' was trained on it",
            STORAGE,
            TABLES[number % 4],
            FIRST + number * DAY,
            FIRST + (number + 60) * DAY,
        )
        for number in range(min(days, 200))
    ]
    slots = [
        Need(f"the backfill of day {number} reads it", STORAGE, "observations", FIRST + (days - 2 * number) * DAY, None)
        for number in range(100)
    ]
    return [*models, *slots, Need("hold 1", STORAGE, ids=held)]


def planned(days: int, buckets: int) -> None:
    """Plan in this process, and write what it took to its output."""
    began, worked = time.perf_counter(), time.process_time()
    sums = [
        (totals(part), held_back(part))
        for part in plan_parts(STORAGE, listed(days, buckets), policies(), now=NOW, needs=needs(days))
    ]
    found, held = (added_up(parts) for parts in zip(*sums, strict=True))
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    print(found, held, file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "worked": worked, "peak": peak, "items": int(found["items"].sum())}))


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=1_000)
    parser.add_argument("--buckets", type=int, default=1_000)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    json_option(parser)
    given = parser.parse_args()
    if given.here:
        planned(given.days, given.buckets)
        return
    call = [
        sys.executable,
        "-m",
        "benchmarks.retention",
        "--here",
        "--days",
        str(given.days),
        "--buckets",
        str(given.buckets),
    ]
    took = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout)
    beside = f"{took['items']:,} partitions, 20 policies, 301 needs; {took['worked']:.1f} s of processors"
    report(
        [
            Figure("Retention plan, time", took["seconds"], "s", beside, MOST_SECONDS),
            Figure("Retention plan, peak memory", took["peak"] / MEGABYTE, "MB", beside, MOST_MEGABYTES),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
