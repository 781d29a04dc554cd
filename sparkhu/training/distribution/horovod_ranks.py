"""Ranks that Horovod connects over gloo: begun by `horovodrun --gloo`. It is built without MPI."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np

from sparkhu.errors import InputError
from sparkhu.models.neural.running import require_torch
from sparkhu.training.distribution.ranks import Array
from sparkhu.training.distribution.torch_ranks import take_device


def require_horovod() -> None:
    """Check that Horovod is there.

    Raises:
        InputError: It is not, or torch is not.
    """
    require_torch("of several workers")
    if find_spec("horovod") is None:
        raise InputError(
            "Horovod is not installed. Build it with scripts/build_horovod.sh and install the wheel that it names, or "
            "give the distribution torch."
        )


class HorovodRanks:
    """The processes of Horovod. What they add is named by its form, so that Horovod agrees upon each form once."""

    def __init__(self) -> None:
        import horovod.torch as hvd

        self.rank, self.size = int(hvd.rank()), int(hvd.size())

    def all_reduce(self, array: Array) -> Array:
        """Add the arrays of all ranks."""
        import horovod.torch as hvd
        import torch

        tensor = torch.from_numpy(np.array(array))
        found: Array = hvd.allreduce(tensor, op=hvd.Sum, name=_name("sum", array)).numpy()
        return found

    def gather(self, array: Array) -> list[Array]:
        """Give every rank the arrays of all ranks."""
        import horovod.torch as hvd
        import torch

        tensor = torch.from_numpy(np.array(array)).unsqueeze(0)
        found: Array = hvd.allgather(tensor, name=_name("gather", array)).numpy()
        return list(found)

    def broadcast(self, data: bytes) -> bytes:
        """Give every rank the bytes of rank 0."""
        import horovod.torch as hvd
        import torch

        length = int(hvd.broadcast(torch.tensor([len(data)]), 0, name="length"))
        content = torch.zeros(length, dtype=torch.uint8)
        if self.rank == 0 and data:
            content = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        return bytes(hvd.broadcast(content, 0, name=f"content.{length}").numpy()) if length else b""

    def barrier(self) -> None:
        """Wait until every rank has come here."""
        self.all_reduce(np.zeros(1))


@contextmanager
def horovod_ranks() -> Iterator[HorovodRanks]:
    """Join the processes that `horovodrun` began.

    Raises:
        InputError: Horovod is not installed, or did not begin this process.
    """
    require_horovod()
    if "HOROVOD_RANK" not in os.environ:
        raise InputError(
            "this worker was not begun by horovodrun: HOROVOD_RANK is not set. Begin it with horovodrun --gloo, also "
            "where mpirun would do: Horovod is built with gloo alone."
        )
    import horovod.torch as hvd

    hvd.init()
    take_device(int(hvd.local_rank()))
    try:
        yield HorovodRanks()
    finally:
        hvd.shutdown()


def _name(step: str, array: Array) -> str:
    return f"{step}.{array.dtype}.{'x'.join(str(size) for size in array.shape)}"
