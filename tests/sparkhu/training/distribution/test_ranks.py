import threading

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.training.distribution import torch_ranks
from sparkhu.training.distribution.launching import Launch
from sparkhu.training.distribution.ranks import Single, total


def test_one_process_is_all_ranks() -> None:
    alone = Single()
    array = np.arange(3.0)
    assert alone.all_reduce(array) is array
    assert alone.gather(array) == [array]
    assert alone.broadcast(b"abc") == b"abc"
    assert total(alone, 4) == 4
    alone.barrier()


def test_a_rank_that_never_joins_is_named() -> None:
    distributed = pytest.importorskip("torch.distributed", reason="torch is not installed")
    store = distributed.HashStore()
    threading.Timer(0.1, lambda: store.set("joined-2", "1")).start()
    with pytest.raises(SparkhuError, match=r"rank 1, 3 of 4 has not joined within 0\.3 s\. See whether its machine"):
        torch_ranks._meet(store, 0, 4, 0.3)
    store.set("joined-1", "1")
    store.set("joined-3", "1")
    torch_ranks._meet(store, 0, 4, 0.3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"distribution": "mpi"}, "distribution must be one of torch, horovod, got 'mpi'"),
        ({"workers": 0}, "workers must be 1 or more, got 0"),
        ({"restarts": -1}, "restarts must be 0 or more, got -1"),
        ({"join_seconds": 0}, "join_seconds must be 1 or more, got 0"),
        ({"hosts": "a:1"}, "hosts are Horovod's, got 'a:1'. Begin torchrun on every host instead"),
    ],
)
def test_what_cannot_be_begun_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Launch(**given)
