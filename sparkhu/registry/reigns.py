"""Which versions of a model were champion one after the other, and the way back to an earlier one.

What has happened is a tag of the registered model, a line an event. A promotion puts a version on top; going back takes
the version on top away, so that going back twice leads to the champion before the one before. Nothing is deleted: the
version that is left stays registered, and `roll_back(name, to=...)` brings it back.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sparkhu.errors import InputError
from sparkhu.registry.store import alone, registry
from sparkhu.registry.versions import CHAMPION, check_name, version_by_alias, versions_of

REIGNS = "sparkhu.reigns"
How = Literal["promotion", "update", "rollback"]
MOST = 40
"""Events that are kept, the newest: MLflow takes 5,000 characters in a tag."""


@dataclass(frozen=True)
class Reign:
    """An event: a version became champion.

    Attributes:
        version: Its number.
        since: When this was written down, UTC, ISO 8601.
        how: By a promotion, by learning from new observations as champion, or by going back to it.
    """

    version: str
    since: str
    how: How


@dataclass(frozen=True)
class Rollback:
    """A way back that was gone.

    Attributes:
        name: The registered model.
        champion: Number of the version that is champion now.
        previous: Number of the version that was.
    """

    name: str
    champion: str
    previous: str


def note_champion(client: Any, name: str, version: str, how: How, previous: str | None) -> None:
    """Write down that a version became champion after `previous`, which may have got there without a word of it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    events = read_reigns(client, name)
    if previous is not None and line_of(events)[-1:] != [previous]:
        events.append(Reign(previous, now, "promotion"))
    events = [*events, Reign(version, now, how)][-MOST:]
    client.set_registered_model_tag(name, REIGNS, json.dumps([asdict(each) for each in events]))


def read_reigns(client: Any, name: str) -> list[Reign]:
    """Read the events of a model that is registered, the oldest first."""
    return reigns_of(client.get_registered_model(name))


def reigns_of(model: Any) -> list[Reign]:
    """Give the events of a model, the oldest first, from MLflow's record of it."""
    return [Reign(**event) for event in json.loads(model.tags.get(REIGNS, "[]"))]


def line_of(events: Sequence[Reign]) -> list[str]:
    """Give the versions that one can go back along: the champion last, the one before it in front of it."""
    line: list[str] = []
    for event in events:
        if event.how == "rollback" and event.version in line:
            del line[len(line) - line[::-1].index(event.version) :]
        elif not line or line[-1] != event.version:
            line.append(event.version)
    return line


def roll_back(name: str, *, to: str | None = None) -> Rollback:
    """Make the version champion that was champion before, or another one that is named.

    Args:
        name: The registered model.
        to: Number of a version of it; None: the champion before this one.

    Raises:
        InputError: There is no such model or version, it has no champion, or no champion before this one is known.
        SparkhuError: The registry cannot be used.
    """
    check_name(name)
    with registry() as (client, _), alone():
        reigning = version_by_alias(client, name, CHAMPION)
        if reigning is None:
            raise InputError(
                f"model '{name}' has no champion to go back from. sparkhu models lists what is registered."
            )
        previous, known = str(reigning.version), _numbers(client, name)
        target = champion_before(read_reigns(client, name), previous, known) if to is None else to
        if target is None:
            raise InputError(
                f"no champion of '{name}' before version {previous} is known. Name the version with --to; there is "
                f"{', '.join(known)}."
            )
        if target not in known:
            raise InputError(f"to must be a version of '{name}', got '{target}'; there is {', '.join(known)}.")
        if target == previous:
            raise InputError(f"version {target} is champion of '{name}' already. Name another one with --to.")
        note_champion(client, name, target, "rollback", previous)
        client.set_registered_model_alias(name, CHAMPION, target)
    return Rollback(name, champion=target, previous=previous)


def _numbers(client: Any, name: str) -> list[str]:
    return [str(number) for number in sorted(int(version.version) for version in versions_of(client, name))]


def champion_before(events: Sequence[Reign], champion: str, known: Sequence[str]) -> str | None:
    """Find the champion before this one, which a roll back leads to; null: none is known.

    Args:
        events: What `read_reigns` gave.
        champion: Number of the champion.
        known: Numbers of the versions that there are; those that were deleted since are passed over.
    """
    line = [version for version in line_of(events) if version in known]
    if champion in line:
        line = line[: len(line) - 1 - line[::-1].index(champion)]
    return line[-1] if line else None
