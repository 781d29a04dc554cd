"""Several publishers and readers at once, as threads and as processes."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from multiprocessing import get_context

import pytest

from sparkhu.errors import InputError
from sparkhu.lake import Append, Lake, create_lake, open_lake
from tests.sparkhu.lake import publisher
from tests.sparkhu.lake.made_rows import START, observed

READS, READERS = 10_000, ("ab", "cd")
"""Whole reads, five requests each on S3; the processes that share them, a thread a letter."""
PAUSES = (1.0, 5.0)
"""Seconds between two publications and two sweeps, or the history grows so long that sweeping is all that happens."""

QUICK_ON_A_FOLDER = pytest.mark.parametrize(
    "place",
    ["folder", *[pytest.param(name, marks=pytest.mark.slow) for name in ("s3", "s3 without conditions")]],
    indirect=True,
)


@contextmanager
def started(
    what: str, lake: Lake, names: Sequence[str], times: int, answers: list[str] | None = None
) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a process a name; at the end of the block all are waited for, and after a failure in it killed.

    What they answer is added to `answers`.
    """
    command = [sys.executable, "-m", "tests.sparkhu.lake.publisher", what, lake.uri]
    with ExitStack() as stack:
        processes = []
        for name in names:
            call = [*command, name, str(times)]
            process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            processes.append(process)
        yield processes
        for process in processes:
            answer, said = process.communicate(timeout=900 if what == "read" else 120)
            assert process.returncode == 0, said
            if answers is not None:
                answers.append(answer)


@QUICK_ON_A_FOLDER
def test_threads_that_append_at_once_lose_no_row(lake: Lake) -> None:
    names = "abcd"
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: publisher.append_own(lake, name, 5), names))
    rows = lake.version().table("observations").read()
    assert rows.group_by("unique_id").len().sort("unique_id").rows() == [(name, 5) for name in names]
    assert lake.version().number == 20


def test_processes_that_append_at_once_lose_no_row(lake: Lake) -> None:
    with started("series", lake, "ab", 8):
        pass
    rows = lake.version().table("observations").read()
    assert rows.group_by("unique_id").len().sort("unique_id").rows() == [("a", 8), ("b", 8)]
    assert rows.n_unique(["unique_id", "ds"]) == 16
    # Every version in between is there, and each has one row more.
    assert [lake.version(n).table("observations").rows for n in range(1, 17)] == list(range(1, 17))


def test_two_threads_that_publish_one_interval_give_one_result(lake: Lake) -> None:
    ready = threading.Barrier(2)

    def once(run: str) -> int:
        opened = open_lake(lake.uri)
        ready.wait()
        return publisher.publish(opened, 7, run=run).number

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(once, ["one", "two"])) == [1, 1]
    version = lake.version()
    assert (version.number, publisher.whole(version)) == (1, 7.0)
    assert len(version.table("clean").intervals) == 1
    lake.sweep(timedelta(0))
    assert len(lake._storage.listed("tables/clean/data/")) == 1


def test_a_lake_that_two_create_at_once_is_created_once(place: str) -> None:
    ready = threading.Barrier(3)

    def create(_: int) -> bool:
        ready.wait()
        try:
            create_lake(place)
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(create, range(3))) == 1
    lake = open_lake(place)
    assert (lake.version().number, lake.sweep(timedelta(seconds=-5))) == (0, [])


def test_two_processes_that_publish_one_interval_give_one_result(lake: Lake) -> None:
    with started("one", lake, "7", 1), started("two", lake, "7", 1):
        pass
    assert (lake.version().number, publisher.whole(lake.version())) == (1, 7.0)


@QUICK_ON_A_FOLDER
def test_readers_see_whole_versions_while_others_publish_and_sweep(lake: Lake) -> None:
    publisher.publish(lake, 0)
    seen = []
    with started("generations", lake, "12", 12) as writers:
        while any(process.poll() is None for process in writers):
            seen.append(publisher.whole(open_lake(lake.uri).version()))
            lake.sweep(timedelta(minutes=5))
    assert len(set(seen)) > 3
    assert lake.version().number == 1 + 24


@pytest.mark.slow
@pytest.mark.parametrize("place", ["folder", "s3"], indirect=True)
def test_ten_thousand_reads_while_two_publish_and_one_sweeps_are_all_whole(lake: Lake) -> None:
    publisher.publish(lake, 0)
    done = threading.Event()

    def keep_publishing(first: int) -> int:
        opened, number = open_lake(lake.uri), first
        while not done.is_set():
            publisher.publish(opened, number)
            number += 1
            done.wait(PAUSES[0])
        return number - first

    def keep_sweeping() -> int:
        swept, rounds = 0, 0
        while not done.wait(PAUSES[1]):
            left = f"tables/clean/data/2024-01-01/0-left-{rounds}.parquet"
            lake._storage.write(left, b"by a publisher that was killed")
            swept, rounds = swept + len(open_lake(lake.uri).sweep(timedelta(seconds=45))), rounds + 1
        return swept

    answers: list[str] = []
    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(keep_publishing, first) for first in (1000, 100_000)]
        sweeper = pool.submit(keep_sweeping)
        try:
            with started("read", lake, READERS, READS // len(READERS), answers):
                pass
        finally:
            done.set()
    found = [(int(number), values) for answer in answers for number, values in json.loads(answer).items()]
    assert sum(len(values) for _, values in found) == READS
    held = {(number, value) for number, values in found for value in values}
    assert len(held) > 20
    assert len(held) == len({number for number, _ in held}), "one version was read in two ways"
    assert lake.version().number == 1 + sum(writer.result() for writer in writers)
    sweeper.result()


def test_a_reader_that_holds_a_version_reads_it_after_a_sweep(lake: Lake) -> None:
    lake.commit({"observations": Append(observed(hours=3))}, run="run", based_on=lake.version())
    held = lake.version()
    for number in range(3):
        publisher.publish(lake, number)
    lake.sweep(timedelta(0))
    assert held.table("observations").read(start=START).height == 3
    assert "clean" not in held.tables


@QUICK_ON_A_FOLDER
def test_what_was_opened_here_is_read_in_another_process(lake: Lake) -> None:
    publisher.publish(lake, 3)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(publisher.whole, lake.version()).result() == 3.0
