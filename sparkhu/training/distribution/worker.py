"""A worker of a job: `python -m sparkhu.training.distribution.worker FOLDER torch|horovod`, begun on every rank.

It is what `torchrun` and `horovodrun` begin, on this machine or on others that reach the folder. A worker whose
launcher is gone ends itself.
"""

import fcntl
import json
import os
import sys
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

from sparkhu.errors import SparkhuError
from sparkhu.training.distribution.fitting import fit_job
from sparkhu.training.distribution.horovod_ranks import horovod_ranks
from sparkhu.training.distribution.job import ERRORS, LOCK, RANKS, read_order, write_fitted
from sparkhu.training.distribution.ranks import Ranks
from sparkhu.training.distribution.torch_ranks import torch_ranks

LAUNCHED = "SPARKHU_LAUNCHED"
"""Is in the environment of workers whose launcher holds the lock of the job."""
ORPHANED, FAILED = 3, 1
POLL_SECONDS = 0.5


def main(folder: Path, distribution: str) -> int:
    """Fit the job in a folder as one of its ranks, and give the exit code."""
    rank = int(os.environ.get("RANK") or os.environ.get("HOROVOD_RANK") or 0)
    if os.environ.get(LAUNCHED):
        threading.Thread(target=_end_with_launcher, args=(folder / LOCK,), daemon=True).start()
    _note(folder / RANKS, rank, {"pid": os.getpid()})
    try:
        order, _ = read_order(folder)
        with _ranks(distribution, order.join_seconds) as ranks:
            fitted = fit_job(folder, ranks)
            if ranks.rank == 0:
                write_fitted(folder, order, fitted)
            ranks.barrier()
    except SparkhuError as error:
        _note(folder / ERRORS, rank, {"kind": type(error).__name__, "message": str(error)})
        print(f"rank {rank}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the log of the job
        return FAILED
    return 0


def _ranks(distribution: str, seconds: float) -> AbstractContextManager[Ranks]:
    return horovod_ranks() if distribution == "horovod" else torch_ranks(seconds)


def _note(folder: Path, rank: int, content: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".rank-{rank}.draft"
    draft.write_text(json.dumps(content), "utf-8")
    draft.replace(folder / f"rank-{rank}.json")


def _end_with_launcher(lock: Path) -> None:
    """End this process as soon as nobody holds the lock of the job."""
    with lock.open("rb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                os._exit(ORPHANED)
            except OSError:
                time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
