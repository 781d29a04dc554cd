"""Policies and their versions."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path

from sparkhu.errors import InputError
from sparkhu_retention.names import Name
from sparkhu_retention.service.answers import PolicyAnswer
from sparkhu_retention.service.routes.asking import CHANGING, FINDING, REFUSALS, Asked, By

router = APIRouter(prefix="/v1/policies", tags=["policies"])
PolicyName = Annotated[Name, Path(description="Name of the policy.", examples=["raw-observations"])]
EXAMPLE = {
    "match": {"storage": "plant", "dataset": "observations"},
    "archive_after": "1 year",
    "delete_after": "5 years",
    "zone": "Europe/Berlin",
}


@router.get("", summary="Policies in force, each in its newest version.", responses=REFUSALS)
def policies(asked: Asked) -> list[PolicyAnswer]:
    """List the policies in force."""
    return asked.operations.policies()


@router.get("/{name}", summary="Versions of a policy, the newest first.", responses=FINDING)
def policy(asked: Asked, name: PolicyName) -> list[PolicyAnswer]:
    """List the versions of a policy."""
    return asked.operations.versions(name)


@router.put("/{name}", summary="Put a policy into force, as a new version.", responses=CHANGING)
def set_policy(
    asked: Asked, by: By, name: PolicyName, document: Annotated[dict[str, Any], Body(examples=[EXAMPLE])]
) -> PolicyAnswer:
    """Put a policy into force."""
    if document.get("name", name) != name:
        raise InputError(f"name must be '{name}' as in the address, got {document['name']!r}; leave it out.")
    return asked.operations.set_policy({**document, "name": name}, by=by)


@router.delete(
    "/{name}",
    summary="Take a policy out of force; no data are deleted. Warns of policies that it alone has told apart.",
    responses=CHANGING,
)
def remove_policy(asked: Asked, by: By, name: PolicyName) -> PolicyAnswer:
    """Take a policy out of force."""
    return asked.operations.remove_policy(name, by=by)
