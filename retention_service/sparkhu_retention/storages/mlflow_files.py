"""The files that MLflow keeps of a run or of a version: listed, fetched, removed and written anew."""

import logging
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparkhu.errors import SparkhuError
from sparkhu.registry.store import MLFLOW_SETTINGS
from sparkhu_retention.storages.failures import told
from sparkhu_retention.storages.ids import is_id

BEHIND_A_SERVER = ("mlflow-artifacts:", "http:", "https:", "runs:", "models:")
"""How places begin that only MLflow's server can tell the way to."""


def is_reachable(place: str) -> bool:
    """Tell whether files lie where this machine reaches them without MLflow's server."""
    return not place.startswith(BEHIND_A_SERVER)


def sizes_of(place: str) -> dict[str, int]:
    """List the files in a place with their sizes.

    Raises:
        SparkhuError: The place cannot be read, or a file has a name that leads out of it.
    """
    found: dict[str, int] = {}
    with _of_mlflow("list", place):
        files, todo = _files(place), [""]
        while todo:
            for each in files.list_artifacts(todo.pop() or None):
                if not is_id(each.path):
                    raise SparkhuError(f"'{place}' has a file whose name leads out of it. Look at it.")
                if each.is_dir:
                    todo.append(each.path)
                else:
                    found[each.path] = int(each.file_size or 0)
    return dict(sorted(found.items()))


def fetch(place: str, path: str, target: Path) -> None:
    """Copy a file into one of this machine."""
    with _of_mlflow("read", f"{place}/{path}"), TemporaryDirectory(prefix="sparkhu-retention-") as scratch:
        got = _files(place).download_artifacts(path, scratch)
        with told("export", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(got, target)


def remove(place: str, kept: Collection[str] = ()) -> int:
    """Remove the files of a place; what is gone already is no matter.

    Args:
        place: URI of the files.
        kept: Paths, of files or folders, that stay; an empty one stands for all.

    Returns:
        Bytes of what stays.
    """
    there = sizes_of(place)
    staying = {path: size for path, size in there.items() if any(_lies_in(path, each) for each in kept)}
    with _of_mlflow("remove", place):
        if there and not staying:
            _files(place).delete_artifacts()
        for path in there.keys() - staying.keys() if staying else ():
            _files(place).delete_artifacts(path)
    return sum(staying.values())


def write(place: str, files: Mapping[str, Path]) -> None:
    """Write files into a place."""
    with _of_mlflow("write", place), TemporaryDirectory(prefix="sparkhu-retention-") as scratch:
        for path, source in files.items():
            target = Path(scratch) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        if files:
            _files(place).log_artifacts(scratch)


class _of_mlflow:  # noqa: N801 - it is used as a function is
    """Tell of a failure of MLflow's files in Sparkhu's words."""

    def __init__(self, action: str, place: str) -> None:
        self._said = f"cannot {action} '{place}'"

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise what is told in the place of an error."""
        if isinstance(error, Exception) and not isinstance(error, SparkhuError):
            raise SparkhuError(f"{self._said}: {type(error).__name__}. Look whether the storage is there.") from error


def _files(place: str) -> Any:
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    for name, value in MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(place)


def _lies_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
