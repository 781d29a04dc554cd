"""A worker of a job: `python -m sparkhu.training.distribution.worker JOB torch|horovod [JOIN_SECONDS]`.

Every rank runs it, begun by the launcher, by `torchrun` or by `horovodrun`, on this machine or on others that reach the
folder or the URI (`sparkhu.training.distribution.remote`). A worker of this machine whose launcher is gone ends itself.
It says that it is there before it imports anything that is large, and that it has joined once it is connected to the
others.
"""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sparkhu.errors import SparkhuError
from sparkhu.training.distribution.lock import HOLDER, end_with_holder
from sparkhu.training.distribution.remote import work_on_storage

if TYPE_CHECKING:
    from sparkhu.training.distribution.ranks import Ranks

RANKS, ERRORS = "ranks", "errors"
JOIN_SECONDS: Final = 120.0
FAILED: Final = 1


def fit(folder: Path, ranks: "Ranks") -> None:
    """Fit the job in a folder as one of its ranks; rank 0 writes what was fitted."""
    from sparkhu.training.distribution.fitting import fit_job
    from sparkhu.training.distribution.job import read_order, write_fitted

    fitted = fit_job(folder, ranks)
    if ranks.rank == 0:
        write_fitted(folder, read_order(folder)[0], fitted)
    ranks.barrier()


def main(arguments: Sequence[str], work: "Callable[[Path, Ranks], None]" = fit) -> int:
    """Do the work of a job as one of its ranks, and give the exit code.

    Args:
        arguments: Folder or URI of the job, distribution, and how long ranks wait for each other at the beginning.
        work: Is given the folder and the ranks.
    """
    if "://" in arguments[0]:
        return work_on_storage(arguments, partial(main, work=work))
    folder, distribution = Path(arguments[0]), arguments[1]
    seconds = float(arguments[2]) if len(arguments) > 2 else JOIN_SECONDS
    rank = int(os.environ.get("HOROVOD_RANK" if distribution == "horovod" else "RANK", "0"))
    if holder := os.environ.get(HOLDER):
        end_with_holder(folder, holder)
    here = {"pid": os.getpid(), "host": socket.gethostname()}
    _note(folder / RANKS, rank, {**here, "joined": False})
    try:
        # What the work fails of is told before its rank leaves the others, which end with an error of their own then.
        with _told(folder, rank), _ranks(distribution, seconds) as ranks, _told(folder, rank):
            _note(folder / RANKS, rank, {**here, "joined": True})
            work(folder, ranks)
    except SparkhuError as error:
        print(f"rank {rank}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the log of the job
        return FAILED
    return 0


@contextmanager
def _told(folder: Path, rank: int) -> Iterator[None]:
    """Write what a rank ends with."""
    try:
        yield
    except SparkhuError as error:
        _note(folder / ERRORS, rank, {"kind": type(error).__name__, "message": str(error)})
        raise


def _ranks(distribution: str, seconds: float) -> "AbstractContextManager[Ranks]":
    from sparkhu.training.distribution.horovod_ranks import horovod_ranks
    from sparkhu.training.distribution.torch_ranks import torch_ranks

    return horovod_ranks() if distribution == "horovod" else torch_ranks(seconds)


def _note(folder: Path, rank: int, content: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".rank-{rank}.draft"
    draft.write_text(json.dumps(content), "utf-8")
    draft.replace(folder / f"rank-{rank}.json")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
