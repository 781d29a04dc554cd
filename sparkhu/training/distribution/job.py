"""A job: all that workers need to fit a recipe, in a folder, as JSON and safetensors. Nothing in it is code.

| file | what |
| --- | --- |
| `job.json` | recipe, settings, plan, seed, seasons, and the SHA-256 of the windows of each shard |
| `shards/N/group-M.safetensors` | the windows of a group in a shard |
| `ranks/rank-R.json` | the process of a rank that has begun |
| `errors/rank-R.json` | what a rank ended with |
| `checkpoints/` | of each group (`sparkhu.training.checkpoints`) |
| `progress.jsonl` | a line an epoch |
| `log.txt` | what the workers printed |
| `models/M`, `fitted.json` | the result; `fitted.json` is written last |
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Forecaster
from sparkhu.models.loading import load_model
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, Settings, TrainingData
from sparkhu.training.window_sets import GroupWindows, shard_sets

SCHEMA_VERSION = 1
JOB, SHARDS, FITTED, MODELS = "job.json", "shards", "fitted.json", "models"
RANKS, ERRORS, CHECKPOINTS, PROGRESS, LOG, LOCK = (
    *("ranks", "errors", "checkpoints", "progress.jsonl", "log.txt", "launcher.lock"),
)


@dataclass(frozen=True)
class Order:
    """What is to be fitted.

    Attributes:
        recipe: Its name.
        settings: Values of its parameters by group.
        seasons: Points in a season by group, in the order of the groups.
        seed: Of the training.
        plan: How neural models are trained.
        join_seconds: How long ranks wait for each other at the beginning.
    """

    recipe: str
    settings: Settings
    seasons: Mapping[str, int]
    seed: int
    plan: Plan
    join_seconds: float = 120.0

    @property
    def groups(self) -> list[str]:
        """The groups, in their order."""
        return list(self.seasons)


def write_job(folder: Path, order: Order, data: TrainingData) -> None:
    """Write a job; where the folder holds the same one, what it has reached stays.

    Args:
        folder: Where to; made if it is not there.
        order: What is to be fitted.
        data: The windows; each shard is read once.

    Raises:
        InputError: The folder holds another job.
        SparkhuError: The disk refuses.
    """
    try:
        digests = [_write_shard(folder / SHARDS / str(at), data, read, order) for at, read in enumerate(data.shards)]
        document = {"schema_version": SCHEMA_VERSION, **_document(order), "shards": digests}
        content = json.dumps(document, indent=1)
        if (folder / JOB).is_file() and (folder / JOB).read_text("utf-8") != content:
            raise InputError(
                f"'{folder}' holds a job with other data or settings. Give another folder, or remove this one."
            )
        (folder / JOB).write_text(content, "utf-8")
    except OSError as error:
        raise SparkhuError(f"the job cannot be written to '{folder}': {error}. Make room there.") from error


def read_order(folder: Path) -> tuple[Order, int]:
    """Read what is to be fitted, and how many shards there are.

    Raises:
        SparkhuError: The folder holds no job that can be read.
    """
    try:
        told: dict[str, Any] = json.loads((folder / JOB).read_text("utf-8"))
        if told.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError("it is of another version of Sparkhu")
        shards = len(told.pop("shards"))
        return Order(**{**told, "plan": Plan(**told["plan"])}), shards
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SparkhuError(f"'{folder}' holds no job that can be read: {error}. Write the job again.") from error


def shard_readers(folder: Path, order: Order, count: int) -> list[Callable[[], dict[str, GroupWindows]]]:
    """Give what reads the windows of each shard, by group."""
    return [partial(_read_shard, folder / SHARDS / str(number), order.groups) for number in range(count)]


def write_fitted(folder: Path, order: Order, fitted: Fitted) -> None:
    """Write the models; `fitted.json` stands once they are whole."""
    groups = {group: number for number, group in enumerate(order.groups) if group in fitted.models}
    for group, number in groups.items():
        fitted.models[group].save(folder / MODELS / str(number))
    (folder / FITTED).write_text(json.dumps({"groups": groups, "notes": fitted.notes}, indent=1), "utf-8")


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


def _write_shard(folder: Path, data: TrainingData, read: Callable[[], Any], order: Order) -> str:
    """Write the windows of a shard, and give their SHA-256."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    for group, windows in shard_sets(data, read).items():
        content = save(windows.arrays())
        found.update(group.encode() + content)
        (folder / _file(order.groups, group)).write_bytes(content)
    return found.hexdigest()


def _read_shard(folder: Path, groups: Sequence[str]) -> dict[str, GroupWindows]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    found = {}
    for group in groups:
        path = folder / _file(groups, group)
        try:
            if path.is_file():
                found[group] = GroupWindows.of_arrays(load(path.read_bytes()))
        except (OSError, SafetensorError) as error:
            raise SparkhuError(f"the windows in '{path}' cannot be read: {error}. Write the job again.") from error
    return found


def _file(groups: Sequence[str], group: str) -> str:
    return f"group-{list(groups).index(group):03d}.safetensors"
