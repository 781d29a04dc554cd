"""Ranks that Horovod connects: started by `horovodrun`, or as an MPI job."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np

from sparkhu.errors import InputError
from sparkhu.training.distribution.ranks import Array


def require_horovod() -> None:
    """Check that Horovod is there.

    Raises:
        InputError: It is not.
    """
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
        InputError: Horovod is not installed.
    """
    require_horovod()
    import horovod.torch as hvd

    hvd.init()
    try:
        yield HorovodRanks()
    finally:
        hvd.shutdown()


def _name(step: str, array: Array) -> str:
    return f"{step}.{array.dtype}.{'x'.join(str(size) for size in array.shape)}"
