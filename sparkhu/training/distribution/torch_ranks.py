"""Ranks that torch's own distribution connects, over gloo: started by `torchrun` or `torch.distributed.run`."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np

from sparkhu.errors import SparkhuError
from sparkhu.training.distribution.ranks import Array

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
    """Join the processes that `torchrun` began; what it put into the environment says where they meet.

    Args:
        seconds: How long ranks wait for each other at the beginning.

    Raises:
        SparkhuError: A rank has not joined in time; the message names it.
    """
    from torch import distributed

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    store, _, _ = next(distributed.rendezvous("env://", rank, size, timeout=timedelta(seconds=seconds)))
    attempt = distributed.PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    _meet(attempt, rank, size, seconds)
    distributed.init_process_group("gloo", store=attempt, rank=rank, world_size=size, timeout=STEP_TIME)
    try:
        yield TorchRanks(rank, size)
    finally:
        distributed.destroy_process_group()


def _meet(store: Any, rank: int, size: int, seconds: float) -> None:
    """Wait until every rank has written its name."""
    store.set(f"joined-{rank}", "1")
    until = time.monotonic() + seconds
    while lacking := [each for each in range(size) if not store.check([f"joined-{each}"])]:
        if time.monotonic() > until:
            raise SparkhuError(never_joined(lacking, size, seconds))
        time.sleep(POLL_SECONDS)


def never_joined(lacking: list[int], size: int, seconds: float) -> str:
    """Say which ranks have not joined, and what helps."""
    which = ", ".join(str(rank) for rank in lacking)
    return (
        f"rank {which} of {size} has not joined within {seconds:g} s. See whether its machine can reach that of rank 0 "
        "and has memory for another process, or give fewer workers or a longer time."
    )
