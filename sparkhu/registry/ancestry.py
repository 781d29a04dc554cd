"""What a registered model was made from, as its run wrote it down."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparkhu.errors import InputError
from sparkhu.registry.store import registry
from sparkhu.registry.versions import CHAMPION, check_name, version_by_alias


@dataclass(frozen=True)
class Ancestry:
    """A version of a model and what it was made from.

    Attributes:
        name: Name of the registered model.
        version: Its number.
        run: The run of MLflow that made it.
        aliases: What points to it, such as `champion`.
        flavor: Kind of forecaster.
        code: Version and fingerprint of the library.
        parents: Runs that it stands on.
        sources: Fingerprints of what it was trained on.
        params: Parameters of its preparation and training.
    """

    name: str
    version: str
    run: str
    aliases: tuple[str, ...]
    flavor: str
    code: str
    parents: tuple[str, ...]
    sources: tuple[Mapping[str, Any], ...]
    params: Mapping[str, Any]


def read_ancestry(model: str) -> Ancestry:
    """Read what a version of a model was made from.

    Args:
        model: `name` (its champion), `name@alias` or `name/version`.

    Raises:
        InputError: There is no such model, alias or version.
        SparkhuError: The registry cannot be used.

    Example:
        >>> read_ancestry("forecaster@champion").sources  # doctest: +SKIP
    """
    name, version, alias = _parts(model)
    with registry() as (client, _):
        found = _by_number(client, name, version) if version else version_by_alias(client, name, alias)
        if found is None:
            which = f"version {version}" if version else f"alias '{alias}'"
            raise InputError(
                f"model '{name}' has no {which} in the registry at '{client.tracking_uri}'. Name another, or train one."
            )
        with tempfile.TemporaryDirectory() as scratch:
            told = json.loads(Path(client.download_artifacts(found.run_id, "lineage.json", scratch)).read_text())
        aliases = client.get_model_version(name, found.version).aliases
        tags = found.tags
    return Ancestry(
        name=name,
        version=str(found.version),
        run=found.run_id,
        aliases=tuple(aliases),
        flavor=tags.get("sparkhu.flavor", ""),
        code=told["code"],
        parents=tuple(filter(None, tags.get("sparkhu.parents", "").split(","))),
        sources=tuple(told["sources"]),
        params=told["params"],
    )


def _parts(model: str) -> tuple[str, str, str]:
    """Take `name@alias` and `name/version` apart."""
    name, _, version = model.partition("/")
    name, _, alias = name.partition("@")
    check_name(name)
    return name, version, alias or CHAMPION


def _by_number(client: Any, name: str, version: str) -> Any | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise
