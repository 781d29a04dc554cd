"""Rows of the database as answers."""

from collections.abc import Callable, Iterable, Sequence

from sparkhu.sources.secrets import redacted
from sparkhu_retention.database.holds import Placed
from sparkhu_retention.database.policy_versions import Version
from sparkhu_retention.places import Place
from sparkhu_retention.policies.policy import Policy, PolicyVersion
from sparkhu_retention.service.answers import HoldAnswer, PolicyAnswer, StorageAnswer

shown = redacted


def storage(place: Place, kind: str | None) -> StorageAnswer:
    """Answer with a storage; `kind` is what its file says, or what was found out."""
    archive = None if place.archive is None else redacted(place.archive)
    return StorageAnswer(name=place.name, uri=redacted(place.uri), kind=kind, archive=archive)


def in_force(versions: Iterable[Version]) -> list[PolicyVersion]:
    """Read policies that were checked when they were set."""
    read = [(Policy.model_validate(each.document), each.version) for each in versions if each.document is not None]
    return [PolicyVersion(policy, version) for policy, version in read]


def policy_history(versions: Sequence[Version]) -> list[PolicyAnswer]:
    """Answer with all versions of a policy, the newest first."""
    return [policy(version) for version in versions]


def policy(version: Version, warnings: Sequence[str] = ()) -> PolicyAnswer:
    """Answer with a version of a policy."""
    said = {name: getattr(version, name) for name in ("name", "version", "made_at", "made_by")}
    return PolicyAnswer(
        policy=version.document or {}, removed=version.document is None, warnings=list(warnings), **said
    )


def hold(placed: Placed, name: Callable[[str | None], str | None], items_now: int | None = None) -> HoldAnswer:
    """Answer with a hold; `name` names the storage of a root, `items_now` fall under it."""
    return HoldAnswer(
        id=placed.id,
        storage=name(placed.storage),
        dataset=placed.dataset,
        items=placed.ids,
        items_now=items_now,
        start=placed.start,
        end=placed.end,
        reason=placed.reason,
        by=placed.placed_by,
        at=placed.placed_at,
        released_at=placed.lifted_at,
        released_by=placed.lifted_by,
    )
