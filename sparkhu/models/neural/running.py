"""How torch runs here: on one thread, the same way every time; and what is said where it is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import RLock
from typing import Final

from sparkhu.errors import InputError

ONE_BY_ONE: Final = RLock()
"""Is held where threads of one process may meet."""


def require_torch(name: str) -> None:
    """Check that torch is there.

    Raises:
        InputError: It is not.
    """
    if find_spec("torch") is None:
        raise InputError(f"the model '{name}' needs torch, which is not installed: pip install 'sparkhu[torch]'")


def best_device() -> str:
    """Give `cuda` where a GPU can be used, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def reproducible() -> Iterator[None]:
    """Let torch work on one thread and by deterministic algorithms inside the block, with random numbers of its own.

    Sums are taken in another order on another number of threads, and then the last bits differ. What the process had
    set holds again behind the block. These are settings of the whole process:
    threads of it that serve go through one by one (`ONE_BY_ONE`).
    """
    import torch

    with torch.random.fork_rng():
        threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        warned = torch.is_deterministic_algorithms_warn_only_enabled()
        try:
            torch.set_num_threads(1)
            torch.use_deterministic_algorithms(True, warn_only=True)
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict, warn_only=warned)
