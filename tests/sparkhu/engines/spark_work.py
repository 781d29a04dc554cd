"""What tests give to executors: they import it by this name."""

import os
import signal
import threading
import time
from pathlib import Path

import polars as pl

from sparkhu.ledger import entries
from sparkhu.stages import sorting
from sparkhu.steps.result import StepResult


class StubbornError(Exception):
    """Cannot be made again from its message alone."""

    def __init__(self, message: str, place: object) -> None:
        super().__init__(message)
        self.place = place


def square(number: int) -> int:
    return number * number


def refused(number: int) -> int:
    if number == 2:
        raise ValueError(f"{number} is refused")
    return number


def stubborn(_: int) -> None:
    raise StubbornError("no copy of this", threading.Lock())


def process_and_threads(_: int) -> tuple[int, str | None, int]:
    return os.getpid(), os.environ.get("POLARS_MAX_THREADS"), pl.thread_pool_size()


def killed_at_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def greedy(number: int) -> int:
    return len(bytearray(10**15)) if number == 1 else number


def told(folder: Path, number: int) -> int:
    """Leave one line for every attempt, and take a while."""
    with (folder / "attempts").open("a") as file:
        file.write(f"{number}\n")
    time.sleep(0.2)
    return number


def doubled(observations: pl.DataFrame) -> StepResult:
    """A step: two values for one."""
    frame = observations.select("unique_id", pl.col("y") * 2)
    return StepResult({"doubled": frame}, entries(frame["unique_id"].unique(maintain_order=True)))


def slowly_doubled(observations: pl.DataFrame, attempts: str) -> StepResult:
    """The same step, slow enough to be killed in the middle; every attempt leaves its process behind."""
    with Path(attempts).open("a") as file:
        file.write(f"{os.getpid()} {os.getppid()}\n")
    time.sleep(1.5)
    return doubled(observations)


def dying(observations: pl.DataFrame) -> StepResult:
    """A step that the system kills at one shard."""
    if "c" in observations["unique_id"].to_list():
        os.kill(os.getpid(), signal.SIGKILL)
    return doubled(observations)


def slowly(name: str, *arguments: object) -> object:
    """Do a movement of ingest, slow enough to be killed in the middle; every attempt leaves its process behind."""
    with Path(os.environ["ATTEMPTS"]).open("a") as file:
        file.write(f"{os.getpid()} {os.getppid()}\n")
    time.sleep(0.7)
    return getattr(sorting, name)(*arguments)
