"""Policies that name a storage as the file of the storages does, in place of its URI."""

from collections.abc import Iterable, Mapping, Sequence

from sparkhu_retention.policies.patterns import EVERYTHING, fits
from sparkhu_retention.policies.policy import Policy, PolicyVersion


def with_uri(policy: Policy, storages: Mapping[str, str]) -> Policy:
    """Give a policy with the URI of the storage that it names; one that names none stays as it is.

    Args:
        policy: The policy.
        storages: The URIs of the storages by name.
    """
    uri = storages.get(policy.match.storage)
    if uri is None:
        return policy
    return policy.model_copy(update={"match": policy.match.model_copy(update={"storage": uri})})


def with_uris(versions: Iterable[PolicyVersion], storages: Mapping[str, str]) -> list[PolicyVersion]:
    """Give versions of policies with the URIs of the storages that they name."""
    return [PolicyVersion(with_uri(each.policy, storages), each.version) for each in versions]


def about_no_storage(policies: Sequence[Policy], storages: Mapping[str, str]) -> dict[str, str]:
    """Say of each policy that is about a storage which there is none of, by its name, what there is."""
    known = ", ".join(f"'{name}'" for name in storages) or "none"
    return {
        policy.name: f"field 'match.storage' is '{policy.match.storage}', which is neither the name nor the URI of a "
        f"storage, so that the policy is about nothing now; there is {known}"
        for policy in policies
        if policy.match.storage != EVERYTHING and not _is_known(with_uri(policy, storages).match.storage, storages)
    }


def _is_known(storage: str, storages: Mapping[str, str]) -> bool:
    return any(fits(storage.rstrip("/"), uri.rstrip("/")) for uri in storages.values())
