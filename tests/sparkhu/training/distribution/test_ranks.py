import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.training.distribution import torch_ranks
from sparkhu.training.distribution.environment import loopback, worker_environment
from sparkhu.training.distribution.fitting import merged_grams, shards_of
from sparkhu.training.distribution.launching import Launch
from sparkhu.training.distribution.lock import HOLDER, ORPHANED, locked
from sparkhu.training.distribution.ranks import Array, Single, total
from sparkhu.training.distribution.torch_ranks import never_joined
from sparkhu.training.window_sets import GroupWindows, rank_sets


def test_one_process_is_all_ranks() -> None:
    alone = Single()
    array = np.arange(3.0)
    assert alone.all_reduce(array) is array
    assert alone.gather(array) == [array]
    assert alone.broadcast(b"abc") == b"abc"
    assert total(alone, 4) == 4
    alone.barrier()


class Reading(Single):
    """One of several ranks, of which the others add nothing."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size  # type: ignore[misc]

    def gather(self, array: Array) -> list[Array]:
        return [array if rank == self.rank else np.zeros_like(array) for rank in range(self.size)]


def read_of(read: list[int], number: int) -> dict[str, GroupWindows]:
    read.append(number)
    return {}


@pytest.mark.parametrize(("shards", "size"), [(1, 1), (1, 3), (5, 2), (40, 2), (100, 3)])
@pytest.mark.parametrize("recipe", ["linear", "nhits"])
def test_a_rank_reads_the_shards_that_are_named_as_its_own(recipe: str, shards: int, size: int) -> None:
    for rank in range(size):
        read: list[int] = []
        readers = [partial(read_of, read, number) for number in range(shards)]
        if recipe == "linear":
            merged_grams(readers, ["a"], Reading(rank, size))
        else:
            rank_sets(readers, Reading(rank, size))
        assert shards_of(recipe, shards, rank, size) == read
    if recipe == "linear":
        every = [number for rank in range(size) for number in shards_of(recipe, shards, rank, size)]
        assert sorted(every) == list(range(shards))


def test_a_rank_that_never_joins_is_named() -> None:
    distributed = pytest.importorskip("torch.distributed", reason="torch is not installed")
    store = distributed.HashStore()
    store.set("joined-2", "1")
    with pytest.raises(SparkhuError, match=r"ranks 1, 3 of 4 have not joined within 0\.3 s\. See whether their "):
        torch_ranks._meet(store, 0, 4, 0.3)
    store.set("joined-1", "1")
    store.set("joined-3", "1")
    torch_ranks._meet(store, 0, 4, 60)


def test_a_worker_of_torchs_that_was_begun_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match=r"RANK and WORLD_SIZE are not set\. Begin it with torchrun"):
        torch_ranks.torch_ranks(1).__enter__()


def test_each_worker_of_a_machine_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = pytest.importorskip("torch", reason="torch is not installed").cuda
    taken: list[int] = []
    monkeypatch.setattr(cuda, "set_device", taken.append)
    torch_ranks.take_device(3)
    assert taken == ([] if not cuda.is_available() else [3 % cuda.device_count()])
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "device_count", lambda: 2)
    taken.clear()
    for local_rank in range(3):
        torch_ranks.take_device(local_rank)
    assert taken == [0, 1, 0]


def test_workers_are_given_named_variables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        monkeypatch.delenv(name)
    given = {"PATH": "/bin", "LC_ALL": "C", "TMPDIR": "/t", "CUDA_VISIBLE_DEVICES": "1", "HOROVOD_LOG_LEVEL": "debug"}
    withheld = ["AWS_ACCESS_KEY_ID", "PGPASSWORD", "HOROVOD_SECRET_KEY", "GLOO_TOKEN", "HOROVOD_RANK", "RANK", "EDITOR"]
    for name, value in {**given, **dict.fromkeys(withheld, "x"), "SSH_AUTH_SOCK": "/s"}.items():
        monkeypatch.setenv(name, value)
    told = worker_environment({"RANK": "1"})
    own = {"RANK", "PYTHONPATH", "PYTHONUNBUFFERED", *(name for name in told if name.endswith("_THREADS"))}
    assert {name: told[name] for name in told.keys() - own} == given
    assert told["RANK"] == "1"
    assert told["OMP_NUM_THREADS"] == "1"
    assert worker_environment({}, elsewhere=True)["SSH_AUTH_SOCK"] == "/s"


def test_the_loopback_interface_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loopback() == "lo"
    monkeypatch.setattr("socket.if_nameindex", lambda: [(1, "eth0")])
    with pytest.raises(SparkhuError, match=r"no loopback interface.*distribution single"):
        loopback()


WATCHER = """
import sys, time
from pathlib import Path
from sparkhu.training.distribution.lock import end_with_holder
end_with_holder(Path(sys.argv[1]), sys.argv[2])
print("watching", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("another", [True, False], ids=["another holder", "none"])
def test_a_worker_ends_where_its_launcher_does_not_hold_the_lock(another: bool, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with locked(tmp_path) as holder:
        names = [holder, "another" if another else holder]
        watchers = [
            subprocess.Popen(
                [sys.executable, "-c", WATCHER, str(tmp_path), name], env=environment, stdout=subprocess.PIPE
            )
            for name in names
        ]
        for watcher in watchers[:1] if another else watchers:
            assert watcher.stdout
            assert watcher.stdout.readline() == b"watching\n"
        if another:
            assert watchers[1].wait(30) == ORPHANED
        assert watchers[0].poll() is None
    assert [watcher.wait(30) for watcher in watchers] == [ORPHANED] * 2
    for watcher in watchers:
        if watcher.stdout:
            watcher.stdout.close()
    assert HOLDER not in os.environ


def test_the_ranks_that_lack_are_told_in_short() -> None:
    said = never_joined([0, 1, 3, 4, 5, 6, 9], 10, 120)
    assert said.startswith("ranks 0, 1, 3–6, 9 of 10 have not joined within 120 s. See whether their machines have mem")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"distribution": "mpi"}, "distribution must be one of torch, horovod, got 'mpi'"),
        ({"workers": 0}, "workers must be 1 or more, got 0"),
        (
            {"workers": 4 * len(os.sched_getaffinity(0)) + 1},
            r"workers must be \d+ or fewer on the ",
        ),
        ({"restarts": -1}, "restarts must be 0 or more, got -1"),
        ({"join_seconds": 0}, "join_seconds must be 1 or more, got 0"),
        ({"hosts": "a:1"}, "hosts are Horovod's, got 'a:1'. Begin torchrun on every host instead"),
        ({"distribution": "horovod", "hosts": "a:1"}, "interface must name the network by which the hosts 'a:1'"),
    ],
)
def test_what_cannot_be_begun_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Launch(**given)
