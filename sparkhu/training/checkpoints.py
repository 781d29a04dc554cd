"""Checkpoints of a training: safetensors for what is learnt, JSON for where it stands; none of it is code.

A checkpoint counts once its JSON is there, which is written last and holds a SHA-256 of all else that it says and of
the arrays. Both files are written under another name, brought to the disk, and renamed: so a checkpoint is whole or is
not there. The last two that are whole are kept; where the newest is damaged, the one before it is taken.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkhu.errors import InputError, SparkhuError

KEPT: Final = 2
SCHEMA_VERSION: Final = 1
Arrays = Mapping[str, npt.NDArray[np.float32]]
Training = Mapping[str, int | str]
DAMAGES: Final = (OSError, ValueError, KeyError, TypeError, SparkhuError)
"""What reading a checkpoint that is not whole raises."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a training stands after an epoch.

    Attributes:
        epoch: Epochs that are done.
        training: What decides the result, each under its name in words: how many ranks, the seed, a digest of the
            windows.
        arrays: The weights, the best weights and the moments of the optimiser.
        course: All else: what the epochs brought.
    """

    epoch: int
    training: Training
    arrays: Arrays
    course: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one training in a folder.

    Args:
        folder: Where they lie; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._whole: set[int] = set()

    def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, whole or not at all, and remove all but the last two that are whole.

        Raises:
            SparkhuError: The disk refuses.
        """
        from safetensors.numpy import save

        arrays, document = self._paths(checkpoint.epoch)
        content = save({name: np.ascontiguousarray(array) for name, array in checkpoint.arrays.items()})
        described = {
            "schema_version": SCHEMA_VERSION,
            "epoch": checkpoint.epoch,
            "training": dict(checkpoint.training),
            "course": dict(checkpoint.course),
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(arrays, content)
            _write_whole(document, json.dumps({**described, "sha256": _digest(described, content)}, indent=1).encode())
            self._whole.add(checkpoint.epoch)
            self._remove_others(checkpoint.epoch)
        except OSError as error:
            raise SparkhuError(f"no checkpoint can be written to '{self.folder}': {error}. Make room there.") from error

    def newest(self, training: Training) -> tuple[Checkpoint | None, list[str]]:
        """Read the newest checkpoint that is whole, and say which were passed over.

        Args:
            training: What is trained.

        Raises:
            InputError: The checkpoint is of another training.
        """
        passed = []
        for epoch in self._epochs():
            try:
                found = self._read(epoch)
            except DAMAGES as error:
                passed.append(f"the checkpoint of epoch {epoch} is damaged ({error}) and was passed over")
                continue
            self._check_same(found.training, training)
            return found, passed
        return None, passed

    def _check_same(self, found: Training, wanted: Training) -> None:
        for name in dict.fromkeys([*wanted, *found]):
            if found.get(name) != wanted.get(name):
                theirs, ours = (str(each.get(name))[:12] for each in (found, wanted))
                raise InputError(
                    f"the checkpoints in '{self.folder}' are of another training: {name} {theirs}, and not {ours}. "
                    "Train on with what it was begun with, give another folder, or remove this one to train anew."
                )

    def _remove_others(self, newest: int) -> None:
        """Remove all checkpoints but the newest and the one before it that is whole."""
        kept = {newest, *[epoch for epoch in self._epochs() if epoch < newest and self._is_whole(epoch)][: KEPT - 1]}
        for epoch in _numbers(self.folder.glob("epoch-*")) - kept:
            for path in reversed(self._paths(epoch)):
                path.unlink(missing_ok=True)

    def _is_whole(self, epoch: int) -> bool:
        """Say whether a checkpoint can be read; what this process wrote or read is not read again."""
        if epoch not in self._whole:
            try:
                self._read(epoch)
            except DAMAGES:
                return False
        return True

    def _read(self, epoch: int) -> Checkpoint:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        arrays, document = self._paths(epoch)
        described = json.loads(document.read_bytes())
        if described["schema_version"] != SCHEMA_VERSION:
            raise SparkhuError(f"schema {described['schema_version']}, and {SCHEMA_VERSION} is read")
        content = arrays.read_bytes()
        if described.pop("sha256") != _digest(described, content):
            raise SparkhuError("its checksum differs")
        try:
            found = Checkpoint(described["epoch"], described["training"], load(content), described["course"])
        except SafetensorError as error:
            raise SparkhuError(str(error)) from error
        self._whole.add(epoch)
        return found

    def _epochs(self) -> list[int]:
        """List the epochs that have a checkpoint, the newest first."""
        return sorted(_numbers(self.folder.glob("epoch-*.json")), reverse=True)

    def _paths(self, epoch: int) -> tuple[Path, Path]:
        return self.folder / f"epoch-{epoch:06d}.safetensors", self.folder / f"epoch-{epoch:06d}.json"


def _numbers(paths: Iterable[Path]) -> set[int]:
    names = (path.stem.removeprefix("epoch-") for path in paths)
    return {int(name) for name in names if name.isdecimal()}


def _digest(described: Mapping[str, Any], content: bytes) -> str:
    """Give the SHA-256 of what a checkpoint says and holds."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode() + content).hexdigest()


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
