"""Ranks that torch's own distribution connects, over gloo.

Those that Sparkhu begins on one machine meet in a file of the job, and listen on the loopback interface alone. Those
that `torchrun` begins meet where it says.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.neural.running import require_torch
from sparkhu.training.distribution.ranks import Array

MEETING = "SPARKHU_MEETING"
"""Names the file in which ranks of one machine meet."""
POLL_SECONDS = 0.1
STEP_TIME = timedelta(minutes=30)
"""How long ranks wait for each other behind the beginning: one may read long. One that is gone is seen at once."""


class TorchRanks:
    """The processes of torch's default group.

    Args:
        rank: Of this process.
        size: How many there are.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def all_reduce(self, array: Array) -> Array:
        """Add the arrays of all ranks."""
        import torch
        from torch import distributed

        tensor = torch.from_numpy(np.array(array))
        distributed.all_reduce(tensor)
        found: Array = tensor.numpy()
        return found

    def gather(self, array: Array) -> list[Array]:
        """Give every rank the arrays of all ranks."""
        import torch
        from torch import distributed

        own = torch.from_numpy(np.array(array))
        found = [torch.empty_like(own) for _ in range(self.size)]
        distributed.all_gather(found, own)
        return [each.numpy() for each in found]

    def broadcast(self, data: bytes) -> bytes:
        """Give every rank the bytes of rank 0."""
        import torch
        from torch import distributed

        length = torch.tensor([len(data)], dtype=torch.int64)
        distributed.broadcast(length, 0)
        content = torch.empty(int(length), dtype=torch.uint8)
        if self.rank == 0:
            content = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else content
        if len(content):
            distributed.broadcast(content, 0)
        return bytes(content.numpy())

    def barrier(self) -> None:
        """Wait until every rank has come here."""
        from torch import distributed

        distributed.barrier()


@contextmanager
def torch_ranks(seconds: float) -> Iterator[TorchRanks]:
    """Join the processes that were begun together; the environment says which they are and where they meet.

    Args:
        seconds: How long ranks wait for each other at the beginning.

    Raises:
        InputError: This process was begun alone, or torch is not installed.
        SparkhuError: A rank has not joined in time; the message names it.
    """
    require_torch("of several workers")
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        raise InputError("this worker was begun alone: RANK and WORLD_SIZE are not set. Begin it with torchrun.")
    from torch import distributed

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    store = _meeting_place(rank, size, seconds)
    _meet(store, rank, size, seconds)
    take_device(int(os.environ.get("LOCAL_RANK", rank)))
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=STEP_TIME)
    try:
        yield TorchRanks(rank, size)
    finally:
        distributed.destroy_process_group()


def _meeting_place(rank: int, size: int, seconds: float) -> Any:
    from torch import distributed

    if MEETING in os.environ:
        return distributed.FileStore(os.environ[MEETING], size)
    store, _, _ = next(distributed.rendezvous("env://", rank, size, timeout=timedelta(seconds=seconds)))
    return distributed.PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def take_device(local_rank: int) -> None:
    """Let this process compute on a GPU of its own, where the machine has GPUs.

    Args:
        local_rank: Its number among the workers of this machine; beyond the number of GPUs, they are shared.
    """
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank % torch.cuda.device_count())


def _meet(store: Any, rank: int, size: int, seconds: float) -> None:
    """Wait until every rank has written its name."""
    store.set(f"joined-{rank}", "1")
    until = time.monotonic() + seconds
    while lacking := [each for each in range(size) if not store.check([f"joined-{each}"])]:
        if time.monotonic() > until:
            raise SparkhuError(never_joined(lacking, size, seconds))
        time.sleep(POLL_SECONDS)


def never_joined(lacking: Sequence[int], size: int, seconds: float) -> str:
    """Say which ranks have not joined, and what helps."""
    one = len(lacking) == 1
    return (
        f"{'rank' if one else 'ranks'} {_ranges(lacking)} of {size} {'has' if one else 'have'} not joined within "
        f"{seconds:g} s. See whether {'its machine has' if one else 'their machines have'} memory and processors for "
        "them and can reach that of rank 0, or give fewer workers or a longer time (join_seconds)."
    )


def _ranges(ranks: Sequence[int]) -> str:
    """Write numbers in order; three and more that follow each other as their first and last."""
    runs: list[list[int]] = []
    for rank in ranks:
        if runs and rank == runs[-1][-1] + 1:
            runs[-1].append(rank)
        else:
            runs.append([rank])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
