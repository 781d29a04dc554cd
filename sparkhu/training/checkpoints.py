"""Checkpoints of a training: safetensors for what is learnt, JSON for where it stands; none of it is code.

A checkpoint counts once its JSON is there, which is written last and names the SHA-256 of the arrays. Both files are
written under another name, brought to the disk, and renamed: so a checkpoint is whole or is not there. The last two are
kept; where the newest is damaged, the one before it is taken.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkhu.errors import InputError, SparkhuError

KEPT: Final = 2
SCHEMA_VERSION: Final = 1
Arrays = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a training stands after an epoch.

    Attributes:
        epoch: Epochs that are done.
        training: A name of what is trained, that differs where the design, the plan or the seed does.
        arrays: The weights, the best weights and the moments of the optimiser.
        course: All else: what the epochs brought, and the seed that the random numbers of an epoch are drawn from.
    """

    epoch: int
    training: str
    arrays: Arrays
    course: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one training in a folder.

    Args:
        folder: Where they lie; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, whole or not at all, and remove those older than the one before it.

        Raises:
            SparkhuError: The disk refuses.
        """
        from safetensors.numpy import save

        arrays, document = self._paths(checkpoint.epoch)
        content = save({name: np.ascontiguousarray(array) for name, array in checkpoint.arrays.items()})
        described = {
            "schema_version": SCHEMA_VERSION,
            "epoch": checkpoint.epoch,
            "training": checkpoint.training,
            "sha256": hashlib.sha256(content).hexdigest(),
            "course": dict(checkpoint.course),
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(arrays, content)
            _write_whole(document, json.dumps(described, indent=1).encode())
            for epoch in self._epochs()[KEPT:]:
                for path in reversed(self._paths(epoch)):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise SparkhuError(f"no checkpoint can be written to '{self.folder}': {error}. Make room there.") from error

    def newest(self, training: str) -> tuple[Checkpoint | None, list[str]]:
        """Read the newest checkpoint that is whole, and say which were passed over.

        Args:
            training: What is trained.

        Raises:
            InputError: The checkpoints are of another training.
        """
        passed = []
        for epoch in self._epochs():
            try:
                found = self._read(epoch)
            except (OSError, ValueError, KeyError, TypeError, SparkhuError) as error:
                passed.append(f"the checkpoint of epoch {epoch} is damaged ({error}); the one before it is taken")
                continue
            if found.training != training:
                raise InputError(
                    f"the checkpoints in '{self.folder}' are of other data, settings or another seed. "
                    "Give another folder, or remove this one to train anew."
                )
            return found, passed
        return None, passed

    def _read(self, epoch: int) -> Checkpoint:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        arrays, document = self._paths(epoch)
        described = json.loads(document.read_bytes())
        if described["schema_version"] != SCHEMA_VERSION:
            raise SparkhuError(f"schema {described['schema_version']}, and {SCHEMA_VERSION} is read")
        content = arrays.read_bytes()
        if hashlib.sha256(content).hexdigest() != described["sha256"]:
            raise SparkhuError("its checksum differs")
        try:
            return Checkpoint(described["epoch"], described["training"], load(content), described["course"])
        except SafetensorError as error:
            raise SparkhuError(str(error)) from error

    def _epochs(self) -> list[int]:
        """List the epochs that have a checkpoint, the newest first."""
        names = [path.stem.removeprefix("epoch-") for path in self.folder.glob("epoch-*.json")]
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def _paths(self, epoch: int) -> tuple[Path, Path]:
        return self.folder / f"epoch-{epoch:06d}.safetensors", self.folder / f"epoch-{epoch:06d}.json"


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
