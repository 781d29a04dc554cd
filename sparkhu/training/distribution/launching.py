"""Begin the workers of a job on this machine, follow them, and end them with this process, however it ends."""

import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.neural.running import require_torch
from sparkhu.training.distribution.horovod_ranks import require_horovod
from sparkhu.training.distribution.job import ERRORS, FITTED, LOCK, LOG, PROGRESS, RANKS
from sparkhu.training.distribution.torch_ranks import never_joined
from sparkhu.tuning.processes import Process, Reaper

Distribution = Literal["torch", "horovod"]
WORKER: Final = "sparkhu.training.distribution.worker"
POLL_SECONDS: Final = 0.1
SLACK_SECONDS: Final = 15.0
"""How much longer than the ranks themselves the launcher waits for them to begin."""
THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
TAIL: Final = 2000


@dataclass(frozen=True)
class Launch:
    """How the workers of a job are begun.

    Attributes:
        distribution: `torch` begins them anew from the last checkpoint where one is killed; `horovod` ends.
        workers: How many, of all hosts together.
        threads: Of each worker.
        restarts: How often torch begins the workers anew.
        join_seconds: How long ranks wait for each other at the beginning.
        hosts: Hosts of Horovod's, as `a:2,b:2`, which reach the folder of the job and this one by SSH; none: this one.

    Raises:
        InputError: A value lies outside.
    """

    distribution: Distribution = "torch"
    workers: int = 2
    threads: int = 1
    restarts: int = 2
    join_seconds: float = 120.0
    hosts: str = ""

    def __post_init__(self) -> None:
        if self.distribution not in get_args(Distribution):
            known = ", ".join(get_args(Distribution))
            raise InputError(f"distribution must be one of {known}, got '{self.distribution}'")
        for name, least in (("workers", 1), ("threads", 1), ("restarts", 0), ("join_seconds", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be {least} or more, got {getattr(self, name)}")
        if self.hosts and self.distribution == "torch":
            raise InputError(f"hosts are Horovod's, got '{self.hosts}'. Begin torchrun on every host instead.")

    def command(self, folder: Path) -> list[str]:
        """Give the command that begins the workers."""
        if self.distribution == "horovod":
            begin = ["-m", "horovod.runner.launch", "-np", str(self.workers), "--gloo"]
            begin += ["-H", self.hosts or f"localhost:{self.workers}", "--start-timeout", f"{self.join_seconds:.0f}"]
            return [sys.executable, *begin, sys.executable, "-m", WORKER, str(folder), "horovod"]
        begin = ["-m", "torch.distributed.run", "--standalone", "--nnodes=1", f"--nproc-per-node={self.workers}"]
        begin += [f"--max-restarts={self.restarts}", "--monitor-interval=0.2"]
        return [sys.executable, *begin, "-m", WORKER, str(folder), "torch"]


def launch(folder: Path, how: Launch, on_epoch: Callable[[Mapping[str, Any]], None] | None = None) -> None:
    """Run a job to its end; its result is in the folder then.

    What a job has reached stays in its folder: run again, it goes on from its last checkpoint.

    Args:
        folder: As `sparkhu.training.distribution.job.write_job` wrote it.
        how: How its workers are begun.
        on_epoch: Is given `group` and what the epoch brought, for each epoch.

    Raises:
        InputError: What the distribution needs is not installed, a worker says so, or another process runs the job.
        SparkhuError: A worker was killed too often, or never joined, or says so.
    """
    require_torch("of several workers")
    if how.distribution == "horovod":
        require_horovod()
    folder = folder.absolute()
    with _locked(folder):
        for path in [*folder.glob(f"{ERRORS}/*.json"), *folder.glob(f"{RANKS}/*.json"), folder / FITTED]:
            path.unlink(missing_ok=True)
        (folder / PROGRESS).write_bytes(b"")
        with (folder / LOG).open("wb") as log, _begun(folder, how, log) as process:
            _follow(folder, how, process, on_epoch or (lambda _: None))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a job, by which its workers see that this process lives."""
    with (folder / LOCK).open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"another process runs the job in '{folder}'. Wait for it, or give a folder.") from error
        yield


@contextmanager
def _begun(folder: Path, how: Launch, log: Any) -> Iterator[Process]:
    threads = dict.fromkeys(THREADS, str(how.threads))
    paths = os.pathsep.join(each for each in sys.path if each)
    told = {"SPARKHU_LAUNCHED": "1", "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    reaper = Reaper()
    try:
        started = subprocess.Popen(
            how.command(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads, **told},
            start_new_session=True,
        )
        reaper.take(started.pid)
        process = Process(started, reaper)
        try:
            yield process
        finally:
            process.end()
    finally:
        reaper.close()


def _follow(folder: Path, how: Launch, process: Process, on_epoch: Callable[[Mapping[str, Any]], None]) -> None:
    until = time.monotonic() + how.join_seconds + SLACK_SECONDS
    with (folder / PROGRESS).open(encoding="utf-8") as progress:
        code = None
        while code is None:
            code = process.wait(POLL_SECONDS)
            for line in progress:
                on_epoch(json.loads(line))
            _raise_told(folder)
            lacking = [rank for rank in range(how.workers) if not (folder / RANKS / f"rank-{rank}.json").is_file()]
            if code is None and lacking and time.monotonic() > until:
                raise SparkhuError(never_joined(lacking, how.workers, how.join_seconds))
    if code or not (folder / FITTED).is_file():
        raise SparkhuError(_ended(folder, how))


def _raise_told(folder: Path) -> None:
    """Raise what a worker ended with."""
    for path in sorted((folder / ERRORS).glob("*.json")):
        told = json.loads(path.read_text("utf-8"))
        raise (InputError if told["kind"] == "InputError" else SparkhuError)(told["message"])


def _ended(folder: Path, how: Launch) -> str:
    log = (folder / LOG).read_text("utf-8", "replace")
    first = re.search(r"Process name: (\d+)\s+Exit code: (-?\d+)", log) or re.search(
        r"local_rank: (\d+).*?exitcode\s*: (-?\d+)", log, re.DOTALL
    )
    which = f"rank {first[1]} ended with {first[2]}" if first else "a worker ended"
    tried = f", after {how.restarts} restarts" if how.distribution == "torch" else ""
    return (
        f"{which}{tried}. What was reached is kept in '{folder}': the same training goes on from its last checkpoint "
        f"there. The end of its log:\n{log[-TAIL:]}"
    )
