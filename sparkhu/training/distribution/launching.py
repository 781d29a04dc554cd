"""Run a job on several workers: begin them, follow them, and end them with this process, however it ends."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TextIO, get_args

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.neural.running import require_torch
from sparkhu.training.distribution.beginning import Begun, begun
from sparkhu.training.distribution.horovod_ranks import require_horovod
from sparkhu.training.distribution.job import FITTED, LOG, PROGRESS, read_order
from sparkhu.training.distribution.lock import locked
from sparkhu.training.distribution.torch_ranks import never_joined
from sparkhu.training.distribution.worker import ERRORS, JOIN_SECONDS, RANKS

Distribution = Literal["torch", "horovod"]
POLL_SECONDS: Final = 0.1
WORKERS_A_CORE: Final = 4
"""More would wait for each other; some are for trying out here what is to run elsewhere."""
TAIL: Final = 2000


@dataclass(frozen=True)
class Launch:
    """How the workers of a job are begun. Each computes on one thread.

    Attributes:
        distribution: `torch` begins them anew from the last checkpoint where one is killed; `horovod` ends.
        workers: How many, of all hosts together.
        restarts: How often torch begins the workers anew.
        join_seconds: How long ranks wait for each other at the beginning.
        hosts: Hosts of Horovod's, as `a:2,b:2`, which reach the folder of the job and this one by SSH; none: this one.
        interface: The network interface by which these hosts reach each other, such as `eth0`; nothing listens on
            another one.
        module: What every rank runs, as `python -m MODULE FOLDER DISTRIBUTION JOIN_SECONDS`.

    Raises:
        InputError: A value lies outside.
    """

    distribution: Distribution = "torch"
    workers: int = 2
    restarts: int = 2
    join_seconds: float = JOIN_SECONDS
    hosts: str = ""
    interface: str = ""
    module: str = "sparkhu.training.distribution.worker"

    def __post_init__(self) -> None:
        if self.distribution not in get_args(Distribution):
            known = ", ".join(get_args(Distribution))
            raise InputError(f"distribution must be one of {known}, got '{self.distribution}'")
        for name, least in (("workers", 1), ("restarts", 0), ("join_seconds", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be {least} or more, got {getattr(self, name)}")
        cores = len(os.sched_getaffinity(0))
        if not self.hosts and self.workers > (most := WORKERS_A_CORE * cores):
            raise InputError(
                f"workers must be {most} or fewer on the {cores} processors that there are here, got {self.workers}. "
                "Give fewer; more take hosts (Horovod) or a cluster (training.engine: kubernetes)."
            )
        if self.hosts and self.distribution == "torch":
            raise InputError(f"hosts are Horovod's, got '{self.hosts}'. Begin torchrun on every host instead.")
        if self.hosts and not self.interface:
            raise InputError(
                f"interface must name the network by which the hosts '{self.hosts}' reach each other, such as eth0, "
                "got ''. Workers listen on no other one."
            )


def require(how: Launch) -> None:
    """Check that what a distribution needs is installed.

    Raises:
        InputError: It is not; the message says what helps.
    """
    require_torch("of several workers")
    if how.distribution == "horovod":
        require_horovod()


def launch(folder: Path, how: Launch, on_epoch: Callable[[Mapping[str, Any]], None] | None = None) -> None:
    """Run a job to its end; its result is in the folder then.

    What a job has reached stays in its folder: run again, it goes on from its last checkpoint.

    Args:
        folder: As `sparkhu.training.distribution.job.write_job` wrote it.
        how: How its workers are begun.
        on_epoch: Is given `group` and what the epoch brought, for each epoch.

    Raises:
        InputError: What the distribution needs is not installed, a worker says so, or another process runs the job.
        SparkhuError: The folder holds no job, or a worker was killed too often, or never joined, or says so.
    """
    require(how)
    folder = folder.absolute()
    read_order(folder)  # before anything in a folder that is none of a job is emptied
    with locked(folder) as holder:
        (folder / FITTED).unlink(missing_ok=True)
        (folder / PROGRESS).write_bytes(b"")
        (folder / LOG).write_bytes(b"")
        restarts = how.restarts if how.distribution == "torch" else 0
        with (folder / PROGRESS).open(encoding="utf-8") as progress:
            run = _Run(folder, how, progress, on_epoch or (lambda _: None))
            for attempt in range(restarts + 1):
                _forget(folder)
                with begun(folder, how, holder, attempt) as workers:
                    ended = run.follow(workers)
                if ended is None:
                    return
                if attempt == restarts:
                    raise SparkhuError(_told(folder, ended, restarts))


def _forget(folder: Path) -> None:
    """Forget what the ranks of an attempt before said."""
    for path in [*folder.glob(f"{ERRORS}/*.json"), *folder.glob(f"{RANKS}/*.json")]:
        path.unlink(missing_ok=True)


@dataclass
class _Run:
    """A job that is followed.

    Attributes:
        folder: Of the job.
        how: How its workers are begun.
        progress: Where rank 0 writes its epochs.
        on_epoch: Is given each.
        begun_line: What has been read of a line that is not whole yet.
    """

    folder: Path
    how: Launch
    progress: TextIO
    on_epoch: Callable[[Mapping[str, Any]], None]
    begun_line: str = field(default="", init=False)

    def follow(self, workers: Begun) -> str | None:
        """Wait for the end of an attempt; None where it has reached its end, else which worker failed and how."""
        until = time.monotonic() + self.how.join_seconds
        joined = False
        while True:
            over = workers.over()
            self._tell()
            self._raise_told()
            if over:
                return workers.failed() or (None if (self.folder / FITTED).is_file() else "a worker ended early")
            joined = joined or not self._lacking()
            if not joined and time.monotonic() > until:
                raise SparkhuError(never_joined(self._lacking(), self.how.workers, self.how.join_seconds))
            time.sleep(POLL_SECONDS)

    def _tell(self) -> None:
        """Tell of the epochs that have ended since."""
        *whole, self.begun_line = (self.begun_line + self.progress.read()).split("\n")
        for line in whole:
            self.on_epoch(json.loads(line))

    def _raise_told(self) -> None:
        """Raise what a worker ended with."""
        for path in sorted((self.folder / ERRORS).glob("*.json")):
            told = json.loads(path.read_text("utf-8"))
            raise (InputError if told["kind"] == "InputError" else SparkhuError)(told["message"])

    def _lacking(self) -> list[int]:
        """List the ranks that have not begun; where all have, those that have not joined."""
        notes = {path.name: path for path in (self.folder / RANKS).glob("rank-*.json")}
        every = range(self.how.workers)
        absent = [rank for rank in every if f"rank-{rank}.json" not in notes]
        return absent or [rank for rank in every if not json.loads(notes[f"rank-{rank}.json"].read_text())["joined"]]


def _told(folder: Path, ended: str, restarts: int) -> str:
    tried = f", after {restarts} restart{'s' * (restarts != 1)}" if restarts else ""
    log = (folder / LOG).read_text("utf-8", "replace")
    return (
        f"{ended}{tried}. What was reached is kept in '{folder}': the same training goes on from its last checkpoint "
        f"there. The end of its log:\n{log[-TAIL:]}"
    )
