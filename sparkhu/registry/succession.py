"""Register a version that grew out of the champion, and let it take the champion's place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sparkhu.errors import InputError
from sparkhu.registry.promotion import REACH, Reach
from sparkhu.registry.reigns import note_champion
from sparkhu.registry.store import alone, registry
from sparkhu.registry.versions import CHAMPION, GREW_OUT_OF, ModelVersion, log_model, version_by_alias


class Grown(NamedTuple):
    """A version that grew out of another, and whether it is champion now."""

    version: ModelVersion
    champion: bool


def register_grown(folder: Path, *, name: str, of: str, reach: Reach | None, params: Mapping[str, Any]) -> Grown:
    """Register a bundle as a version that grew out of another, and make it champion where that one is.

    It was compared with nothing: what it is scored by is what the version before it was scored by. Where another
    version has become champion meanwhile, that one stays.

    Args:
        folder: The bundle.
        name: The registered model.
        of: Number of the version that it grew out of.
        reach: Up to when it knows the table that it has learnt from since; None: that outlives no run. A table that the
            version before it was made from stays that of the version, and is known for longer only if it is this one.
        params: What it was made with.

    Raises:
        InputError: The version that it grew out of is gone.
        SparkhuError: The registry cannot be used.
    """
    with registry() as (client, _):
        from mlflow.exceptions import MlflowException

        try:
            before = client.get_model_version(name, of)
        except MlflowException as error:
            raise InputError(
                f"version {of} of '{name}' is gone; run the same again with the champion of now."
            ) from error
    tags = {GREW_OUT_OF: of}
    if REACH in before.tags:
        tags[REACH] = _later(before.tags[REACH], reach)
    version = log_model(folder, name=name, metrics={}, params=params, tags=tags, parents=[before.run_id])
    with registry() as (client, _), alone():
        reigning = version_by_alias(client, name, CHAMPION)
        if reigning is None or str(reigning.version) != of:
            return Grown(version, champion=False)
        note_champion(client, name, version.version, "update", of)
        client.set_registered_model_alias(name, CHAMPION, version.version)
    return Grown(version, champion=True)


def _later(tag: str, reach: Reach | None) -> str:
    """Give the tag of the version before, or a later one of the same table."""
    known = Reach.of(tag)
    return tag if reach is None or reach.table != known.table else Reach(known.table, max(known.until, reach.until)).tag
