"""A job: all that workers need to fit a recipe, in a folder, as JSON and safetensors. Nothing in it is code.

| file | what |
| --- | --- |
| `job.json` | recipe, settings, plan, seed, seasons, and the SHA-256 of each file of each shard; it is written last |
| `job.begun` | that the job is being written, in a folder that held nothing |
| `shards/N/group-M.safetensors` | the windows of a group in a shard |
| `launcher.lock` | who runs the job |
| `meeting-A` | where torch's ranks of this machine meet in attempt A |
| `ranks/rank-R.json` | the process of a rank that has begun, and whether it has joined the others |
| `errors/rank-R.json` | what a rank ended with |
| `checkpoints/` | of each group (`sparkhu.training.checkpoints`) |
| `progress.jsonl` | a line an epoch |
| `log.txt` | what the workers printed |
| `models/M`, `fitted.json` | the result; `fitted.json` is written last |
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Forecaster
from sparkhu.models.loading import load_model
from sparkhu.training.distribution.lock import LOCK, locked
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.window_sets import GroupWindows, shard_sets

SCHEMA_VERSION = 1
JOB, BEGUN, SHARDS, FITTED, MODELS = "job.json", "job.begun", "shards", "fitted.json", "models"
CHECKPOINTS, PROGRESS, LOG = "checkpoints", "progress.jsonl", "log.txt"
Digests = Sequence[Mapping[str, str]]
"""Of each shard, the SHA-256 of each of its files by name."""


@dataclass(frozen=True)
class Order:
    """What is to be fitted.

    Attributes:
        recipe: Its name.
        settings: Values of its parameters by group.
        seasons: Points in a season by group, in the order of the groups.
        seed: Of the training.
        plan: How neural models are trained.
    """

    recipe: str
    settings: Settings
    seasons: Mapping[str, int]
    seed: int
    plan: Plan = field(default_factory=Plan)

    @property
    def groups(self) -> list[str]:
        """The groups, in their order."""
        return list(self.seasons)


def write_job(folder: Path, order: Order, data: TrainingData) -> None:
    """Write a job; where the folder holds the same one, what it has reached stays.

    Nothing of another job is touched, nor of anything else. A file is whole or is not there.

    Args:
        folder: Where to; made if it is not there.
        order: What is to be fitted.
        data: The windows; each shard is read once.

    Raises:
        InputError: The folder holds another job or other things, or another process runs it.
        SparkhuError: The disk refuses, or the job that is there cannot be read.
    """
    _check_room(folder)
    with locked(folder):
        try:
            there = read_order(folder)[1] if (folder / JOB).is_file() else None
            _check_same(folder, order, len(data.shards))
            if there is None:
                _begin(folder)
            digests = [
                _write_shard(folder / SHARDS / str(at), shard_sets(data, read), order, there[at] if there else None)
                for at, read in enumerate(data.shards)
            ]
            document = {"schema_version": SCHEMA_VERSION, **_document(order), "shards": digests}
            _write_whole(folder / JOB, json.dumps(document, indent=1).encode())
            (folder / BEGUN).unlink(missing_ok=True)
        except OSError as error:
            raise SparkhuError(f"the job cannot be written to '{folder}': {error}. Make room there.") from error


def _check_room(folder: Path) -> None:
    """Check that a folder holds a job, one that was begun to be written, or nothing."""
    if not folder.is_dir() or (folder / BEGUN).is_file() or (folder / JOB).is_file():
        return
    try:
        others = sorted(path.name for path in folder.iterdir() if path.name != LOCK)
    except OSError as error:
        raise SparkhuError(f"'{folder}' cannot be read: {error}. Give a folder to read and write in.") from error
    if others:
        raise InputError(
            f"'{folder}' holds no job, but other things, such as '{others[0]}', which stay as they are. Give a folder "
            "that is empty or not there yet."
        )


def _begin(folder: Path) -> None:
    """Mark a folder as one of a job, and remove the windows of one whose writing was interrupted."""
    (folder / BEGUN).touch()
    if (folder / SHARDS).is_dir():
        shutil.rmtree(folder / SHARDS)


def _check_same(folder: Path, order: Order, shards: int) -> None:
    """Check that a job which is there is this one, as far as can be told without its data."""
    if not (folder / JOB).is_file():
        return
    wanted, told = _document(order), json.loads((folder / JOB).read_text("utf-8"))
    # As text, in which the order of the groups counts too.
    if len(told["shards"]) != shards or json.dumps({name: told[name] for name in wanted}) != json.dumps(wanted):
        raise _another(folder)


def _another(folder: Path) -> InputError:
    return InputError(f"'{folder}' holds a job with other data or settings. Give another folder, or remove this one.")


def read_order(folder: Path) -> tuple[Order, Digests]:
    """Read what is to be fitted, and the digests of its shards.

    Raises:
        SparkhuError: The folder holds no job that can be read.
    """
    try:
        told: dict[str, Any] = json.loads((folder / JOB).read_text("utf-8"))
        if told.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError("it is of another version of Sparkhu")
        digests = [dict(each) for each in told.pop("shards")]
        return Order(**{**told, "plan": Plan(**told["plan"])}), digests
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SparkhuError(
            f"'{folder}' holds no job that can be read: {error}. Give another folder, or remove this one where it "
            "holds nothing else, and begin the training again."
        ) from error


def shard_readers(folder: Path, order: Order, digests: Digests) -> list[Callable[[], dict[str, GroupWindows]]]:
    """Give what reads the windows of each shard, by group; it raises SparkhuError where a file is not as written."""
    return [partial(_read_shard, folder / SHARDS / str(at), order.groups, each) for at, each in enumerate(digests)]


def write_fitted(folder: Path, order: Order, fitted: Fitted) -> None:
    """Write the models; `fitted.json` stands once they are whole."""
    groups = {group: number for number, group in enumerate(order.groups) if group in fitted.models}
    for group, number in groups.items():
        fitted.models[group].save(folder / MODELS / str(number))
    _write_whole(folder / FITTED, json.dumps({"groups": groups, "notes": fitted.notes}, indent=1).encode())


def read_fitted(folder: Path) -> Fitted:
    """Read the models.

    Raises:
        SparkhuError: There are none, or they are damaged.
    """
    try:
        told = json.loads((folder / FITTED).read_text("utf-8"))
        groups: dict[str, int] = told["groups"]
        notes = list(told["notes"])
    except (OSError, ValueError, KeyError) as error:
        raise SparkhuError(f"'{folder}' holds no fitted models: {error}. Run the job again.") from error
    models: dict[str, Forecaster] = {
        group: load_model(folder / MODELS / str(number)) for group, number in groups.items()
    }
    return Fitted(models, notes)


def _document(order: Order) -> dict[str, Any]:
    settings = {group: dict(values) for group, values in order.settings.items()}
    return {**asdict(order), "settings": settings, "seasons": dict(order.seasons)}


def _write_shard(
    folder: Path, windows: Mapping[str, GroupWindows], order: Order, told: Mapping[str, str] | None
) -> dict[str, str]:
    """Write the windows of a shard where they are not there yet, and give the SHA-256 of each file.

    Args:
        folder: Of the shard.
        windows: By group.
        order: Of the job.
        told: The digests of the job that is there; None: there is none.
    """
    from safetensors.numpy import save

    contents = {_file(order.groups, group): save(each.arrays()) for group, each in windows.items()}
    digests = {name: _digest(content) for name, content in contents.items()}
    if told is not None and digests != told:
        raise _another(folder.parent.parent)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = folder / name
        if told is None or not path.is_file() or _digest(path.read_bytes()) != digests[name]:
            _write_whole(path, content)
    return digests


def _read_shard(folder: Path, groups: Sequence[str], digests: Mapping[str, str]) -> dict[str, GroupWindows]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    found = {}
    for group in groups:
        path = folder / _file(groups, group)
        if path.name not in digests:
            continue
        try:
            content = path.read_bytes()
            if _digest(content) != digests[path.name]:
                raise ValueError("its SHA-256 is not that of the job")
            found[group] = GroupWindows.of_arrays(load(content))
        except (OSError, ValueError, SafetensorError) as error:
            raise SparkhuError(
                f"the windows in '{path}' cannot be read: {error}. Begin the same training again: it writes them anew."
            ) from error
    return found


def _file(groups: Sequence[str], group: str) -> str:
    return f"group-{list(groups).index(group):03d}.safetensors"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)
