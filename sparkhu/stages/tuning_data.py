"""What a search of a model's parameters is about, as a fingerprint: equal ones have equal answers."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from sparkhu import ledger
from sparkhu.lineage import code_fingerprint, file_checksum, read_trail
from sparkhu.models.neural.running import best_device
from sparkhu.shards import Dataset
from sparkhu.stages.storing import Stored
from sparkhu.training.known import RECIPES
from sparkhu.training.stored import SCHEMAS
from sparkhu.tuning.declaring import Search
from sparkhu.tuning.space import Space


def data_checksum(stored: Stored) -> str:
    """Give the checksum of all that training reads: the stored tables, and the plan, windows and scalers of the series.

    Series that failed in an earlier step take no part in training, and so belong to it. No row is read: a table's
    manifest holds the checksums of its files.
    """
    digest = hashlib.sha256()
    for name in SCHEMAS:
        for file in sorted(stored.version.manifest(name).files, key=lambda each: (each.bucket, each.sha256)):
            _add(digest, (name, file.bucket, file.sha256))
    for name, dataset in (("plan", stored.plan), ("windows", stored.windows), ("scalers", stored.scalers)):
        for shard, checksum in _checksums(dataset):
            _add(digest, (name, shard, checksum))
    failed = ledger.failed_ids(read_trail(stored.folders).entries)
    _add(digest, ("failed", *sorted(failed.to_list())))
    return digest.hexdigest()


def search_fingerprint(*, data: str, model: str, group: str, space: Space, search: Search, seed: int = 0) -> str:
    """Give the fingerprint of a search: hex digits of a SHA-256.

    The code that makes an objective of data and an assignment reaches into most of the library, so all of it counts,
    and so do the versions of NumPy, Polars and the library that fits the model, and where torch computes.

    Args:
        data: What `data_checksum` gave.
        model: The model that is tuned.
        group: The group of series that it is tuned for.
        space: What is searched.
        search: How, and for which objective; how many trials run at a time does not count.
        seed: Of the fits.
    """
    how = {name: value for name, value in asdict(search).items() if name != "parallel"}
    space_told = [asdict(parameter) for parameter in space]
    about: dict[str, Any] = {"data": data, "model": model, "group": group, "space": space_told, "search": how}
    needs = RECIPES[model].needs
    libraries = ["numpy", "polars", *filter(None, [needs])]
    about |= {"seed": seed, "code": [code_fingerprint(), *map(version, libraries)]}
    if needs == "torch":
        about["device"] = best_device()  # on a GPU it computes with fewer digits
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _checksums(dataset: Dataset) -> Iterable[tuple[str, str]]:
    return [(shard.name, file_checksum(dataset.file(shard.name))) for shard in dataset.shards]


def _add(digest: Any, parts: Iterable[object]) -> None:
    digest.update(json.dumps(list(parts)).encode())
