"""A job in a storage that workers elsewhere reach: each rank fetches what it reads, and brings there what it wrote.

A worker whose job is a URI works on a copy in a folder of its own: `job.json`, the shards of its rank, and on rank 0
the checkpoints. What it writes is brought to the storage while it works, and what it finds there of an earlier attempt
is what it goes on from. Keys of the storage come as files, a variable each, which no command line shows.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sparkhu.errors import SparkhuError

JOB, SHARDS, FITTED, MODELS, CHECKPOINTS = "job.json", "shards", "fitted.json", "models", "checkpoints"
PROGRESS, ERRORS = "progress.jsonl", "errors"
SIGN_IN: Final = Path("/etc/sparkhu/storage")
"""Where a cluster lays the keys of the storage: files named as variables."""
BRING_SECONDS: Final = 2.0
FAILED: Final = 1


class Storage:
    """The files of a job in a storage.

    Args:
        uri: Where they lie; every fsspec URI.

    Raises:
        SparkhuError: There is no such kind of storage.
    """

    def __init__(self, uri: str) -> None:
        import fsspec

        self.uri = uri.rstrip("/")
        with self._told("opened"):
            options = {"auto_mkdir": True} if self.uri.startswith("file://") else {}
            self._files, self._root = fsspec.core.url_to_fs(self.uri, use_listings_cache=False, **options)

    def names(self, below: str = "") -> list[str]:
        """List the files, by their path inside the job."""
        with self._told("listed"):
            found = self._files.find(f"{self._root}/{below}".rstrip("/"))
            return sorted(str(path).removeprefix(self._root).lstrip("/") for path in found)

    def sizes(self, below: str) -> dict[str, int]:
        """Give the bytes of each file below a place, by its path inside the job."""
        with self._told("listed"):
            found = self._files.find(f"{self._root}/{below}", detail=True)
            return {str(path).removeprefix(self._root).lstrip("/"): int(of["size"]) for path, of in found.items()}

    def holds(self, name: str) -> bool:
        """Tell whether a file is there."""
        with self._told("read"):
            return bool(self._files.exists(f"{self._root}/{name}"))

    def send(self, name: str, content: bytes) -> None:
        """Write a file."""
        with self._told("written"):
            self._files.pipe_file(f"{self._root}/{name}", content)

    def read(self, name: str) -> bytes:
        """Read a file."""
        with self._told("read"):
            return bytes(self._files.cat_file(f"{self._root}/{name}"))

    def remove(self, name: str) -> None:
        """Remove a file, where it is there."""
        with self._told("written"):
            if self._files.exists(f"{self._root}/{name}"):
                self._files.rm_file(f"{self._root}/{name}")

    def fetch(self, names: Sequence[str], folder: Path) -> None:
        """Copy files into a folder."""
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(name))

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """There are as many kinds of errors as there are storages."""
        try:
            yield
        except Exception as error:
            raise SparkhuError(
                f"the job in '{self.uri}' cannot be {done}: {type(error).__name__}: {error}. See whether the storage "
                "answers and its keys are known here."
            ) from error


def send_job(folder: Path, storage: Storage) -> None:
    """Copy a job to a storage, `job.json` last; of one that is there already, the shards that are not as written.

    A shard of the same length is read and compared where an attempt before has told of errors: a rank that finds one
    damaged says so there.
    """
    there, doubted = storage.sizes(SHARDS), bool(storage.names(ERRORS))
    for path in sorted((folder / SHARDS).rglob("*.safetensors")):
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        if there.get(name) != len(content) or (doubted and storage.read(name) != content):
            storage.send(name, content)
    job = (folder / JOB).read_bytes()
    if not storage.holds(JOB) or storage.read(JOB) != job:
        storage.send(JOB, job)


def fetch_job(storage: Storage, folder: Path, rank: int, size: int) -> None:
    """Copy what a rank reads of a job: its shards, or all where ranks are more; rank 0 takes the checkpoints too."""
    from sparkhu.training.distribution.fitting import shards_of

    storage.fetch([JOB], folder)
    job = json.loads((folder / JOB).read_text("utf-8"))
    own = shards_of(job["recipe"], len(job["shards"]), rank, size)
    storage.fetch([f"{SHARDS}/{at}/{name}" for at in own for name in job["shards"][at]], folder)
    if rank == 0:
        storage.fetch(storage.names(CHECKPOINTS), folder)


def fetch_fitted(storage: Storage, folder: Path) -> bool:
    """Copy the fitted models of a job, and tell whether there are some."""
    if not storage.holds(FITTED):
        return False
    storage.fetch([*storage.names(MODELS), FITTED], folder)
    return True


class Bringing:
    """Brings to a storage what a rank writes into its folder, while it works and at the end.

    Args:
        storage: Where to.
        folder: Of the rank.
        rank: Its number; what is learnt is brought by rank 0 alone.
    """

    def __init__(self, storage: Storage, folder: Path, rank: int) -> None:
        self._storage, self._folder = storage, folder
        self._places = [ERRORS, *([CHECKPOINTS, PROGRESS, MODELS, FITTED] if rank == 0 else [])]
        self._known = self._stamps()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> "Bringing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self.bring()

    def bring(self) -> None:
        """Bring what has changed since, what is told of other files last.

        Raises:
            SparkhuError: The storage refuses.
        """
        now = self._stamps()
        changed = [name for name, stamp in now.items() if self._known.get(name) != stamp]
        for name in sorted(changed, key=lambda name: (name == FITTED, name.endswith(".json"), name)):
            try:
                content = (self._folder / name).read_bytes()
            except FileNotFoundError:
                continue  # an old checkpoint, removed meanwhile
            self._storage.send(name, content)
        for name in self._known.keys() - now.keys():
            self._storage.remove(name)
        self._known = now

    def _stamps(self) -> dict[str, tuple[int, int]]:
        found = {}
        for place in self._places:
            path = self._folder / place
            for file in [path] if path.is_file() else sorted(path.rglob("*")):
                if file.is_file() and not file.name.startswith("."):
                    status = file.stat()
                    found[file.relative_to(self._folder).as_posix()] = status.st_mtime_ns, status.st_size
        return found

    def _go_on(self) -> None:
        while not self._ending.wait(BRING_SECONDS):
            try:
                self.bring()
            except (SparkhuError, OSError) as error:
                # The next time may do; at the end it is an error.
                print(f"not brought yet: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the log of the job


def work_on_storage(arguments: Sequence[str], work: Callable[[Sequence[str]], int]) -> int:
    """Work as a rank of a job in a storage, and give the exit code.

    Args:
        arguments: URI of the job, distribution, and what else a worker is told.
        work: Is given the same with a folder in the place of the URI.
    """
    uri, distribution, *rest = arguments
    names = ("HOROVOD_RANK", "HOROVOD_SIZE") if distribution == "horovod" else ("RANK", "WORLD_SIZE")
    rank, size = int(os.environ.get(names[0], "0")), int(os.environ.get(names[1], "1"))
    sign_in()
    with TemporaryDirectory(prefix="sparkhu-job-") as scratch:
        folder, told, storage = Path(scratch), f"{ERRORS}/rank-{rank}.json", None
        try:
            storage = Storage(uri)
            storage.remove(told)
            fetch_job(storage, folder, rank, size)
            with Bringing(storage, folder, rank):
                return work([scratch, distribution, *rest])
        except SparkhuError as error:
            print(f"rank {rank}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the log of the job
            if storage is not None:
                with suppress(SparkhuError):  # it may be what failed
                    note = {"kind": type(error).__name__, "message": str(error)}
                    storage.send(told, json.dumps(note).encode())
            return FAILED


def sign_in(folder: Path = SIGN_IN) -> None:
    """Put the keys that a cluster has laid into files into the environment of this process, where they are not yet."""
    for file in sorted(folder.glob("*")) if folder.is_dir() else []:
        if file.is_file():
            os.environ.setdefault(file.name, file.read_text("utf-8").strip())


def forget_errors(storage: Storage) -> None:
    """Forget what the ranks of an attempt before ended with."""
    for name in storage.names(ERRORS):
        storage.remove(name)


def errors_of(storage: Storage) -> list[dict[str, Any]]:
    """Read what the ranks of a job ended with."""
    return [json.loads(storage.read(name)) for name in storage.names(ERRORS)]
