"""What is registered: models with their champions, and the versions of a model."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sparkhu.errors import InputError
from sparkhu.registry.promotion import TOLD
from sparkhu.registry.store import registry
from sparkhu.registry.versions import CHAMPION, GREW_OUT_OF, check_name, registered_models, versions_of


@dataclass(frozen=True)
class RegisteredModel:
    """A registered model.

    Attributes:
        name: Its name.
        versions: How many it has.
        champion: Number of the champion; None where there is none.
    """

    name: str
    versions: int
    champion: str | None


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a model.

    Attributes:
        number: Its number.
        flavor: The forecaster that it asks first, such as `linear`.
        made: When it was registered.
        champion: Whether it is champion.
        score: Its score in the last decision that it took part in; None where it had none.
        metric: What the score is.
        window: What the score was taken on.
        reason: The reason of that decision, in words; of one that grew out of another version, which it was.
    """

    number: str
    flavor: str
    made: datetime
    champion: bool
    score: float | None
    metric: str
    window: str
    reason: str


def list_models() -> list[RegisteredModel]:
    """List the registered models, by name.

    Raises:
        SparkhuError: The registry cannot be used.
    """
    with registry() as (client, _):
        champions = {str(model.name): model.aliases.get(CHAMPION) for model in registered_models(client)}
        return [
            RegisteredModel(name, len(versions_of(client, name)), None if champion is None else str(champion))
            for name, champion in sorted(champions.items())
        ]


def list_versions(name: str) -> list[RegisteredVersion]:
    """List the versions of a model, the newest first.

    Raises:
        InputError: There is no such model.
        SparkhuError: The registry cannot be used.
    """
    check_name(name)
    with registry() as (client, _):
        found = {model.name: model.aliases.get(CHAMPION) for model in registered_models(client)}
        if name not in found:
            known = ", ".join(sorted(found)) or "none yet: sparkhu run trains one"
            raise InputError(f"no model '{name}' is registered; there is {known}.")
        versions = sorted(versions_of(client, name), key=lambda version: int(version.version), reverse=True)
        return [_described(version, str(found[name])) for version in versions]


def _described(version: Any, champion: str) -> RegisteredVersion:
    number = str(version.version)
    decision = json.loads(version.tags.get(TOLD, "{}"))
    before = version.tags.get(GREW_OUT_OF)
    grown = f"version {before}, and what it has learnt from new observations" if before else ""
    return RegisteredVersion(
        number=number,
        flavor=version.tags.get("sparkhu.flavor", ""),
        made=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        champion=number == champion,
        score=decision.get("scores", {}).get(number),
        metric=decision.get("metric", ""),
        window=decision.get("window", ""),
        reason=decision.get("reason", grown),
    )
