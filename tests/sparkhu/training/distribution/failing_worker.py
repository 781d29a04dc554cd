"""Workers of which rank 1 fails as a file in the folder of the job is named.

`kill`: it is killed once, in the middle of the training. `die`: it is killed whenever it begins. `hang`: it never
joins. `absent`: none does.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sparkhu.training.distribution import worker

if TYPE_CHECKING:
    from sparkhu.training.distribution.ranks import Array, Ranks

KILL, DIE, HANG, ABSENT = "kill", "die", "hang", "absent"
CHECKPOINT = "checkpoints/group-000/train/epoch-000002.json"


class Killed:
    """Ranks of which one is killed in its next sum behind the checkpoint of epoch 2, the first time.

    Rank 0 writes a checkpoint before it adds anything of the next epoch, in which all ranks wait for each other.
    """

    def __init__(self, ranks: "Ranks", folder: Path) -> None:
        self._ranks, self._folder = ranks, folder
        self.rank, self.size = ranks.rank, ranks.size
        self.gather, self.broadcast, self.barrier = ranks.gather, ranks.broadcast, ranks.barrier

    def all_reduce(self, array: "Array") -> "Array":
        if self.rank == 1 and (self._folder / CHECKPOINT).is_file() and (self._folder / KILL).is_file():
            (self._folder / KILL).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return self._ranks.all_reduce(array)


def main() -> int:
    """Run a worker that fails as it is told."""
    folder, rank = Path(sys.argv[1]), os.environ.get("HOROVOD_RANK") or os.environ["RANK"]
    if (folder / DIE).is_file():
        with (folder / DIE).open("a") as file:
            file.write(rank)
        if rank == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)
    if (folder / ABSENT).is_file():
        time.sleep(600)
    if (folder / HANG).is_file() and rank == "1":
        (folder / HANG).write_text(str(os.getpid()))
        time.sleep(600)
    return worker.main(sys.argv[1:], lambda folder, ranks: worker.fit(folder, Killed(ranks, folder)))


if __name__ == "__main__":
    sys.exit(main())
