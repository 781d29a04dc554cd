"""What an answer of the Kubernetes API means that is none: what was refused, why, and what can be done about it."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sparkhu.errors import InputError, SparkhuError

if TYPE_CHECKING:
    from kubernetes.client.exceptions import ApiException

PASSING: Final = {408, 429, 500, 502, 503, 504}
"""Answers of a server that may answer otherwise a moment later."""
DENIED: Final = "denied the request: "
NO_WEBHOOK: Final = "failed calling webhook"


class Resource(NamedTuple):
    """A kind of custom resource, and what people call it.

    Attributes:
        group: Its API group.
        version: Of the API.
        plural: Its name in addresses.
        noun: What one is called.
        maker: Who installs it and works on it.
        controller: Label by which the pods of that are found.
        role: What a role must allow, in words.
    """

    group: str
    version: str
    plural: str
    noun: str
    maker: str
    controller: str
    role: str


class MissingError(SparkhuError):
    """There is no such object."""


class TakenError(SparkhuError):
    """There is an object of this name."""


def passes(refused: "ApiException") -> bool:
    """Tell whether the same question may be answered a moment later; that a webhook refuses does not pass."""
    return refused.status in PASSING and not _is_of_webhook(told(refused))


def told(refused: "ApiException") -> str:
    """Give what the server says; never its headers."""
    return str(_status(refused).get("message") or refused.reason or "nothing more").strip().rstrip(".")


def refusal(doing: str, refused: "ApiException", *, server: str, namespace: str, resource: Resource) -> SparkhuError:
    """Say what a refusal means.

    Args:
        doing: What was tried, such as `create the experiment 'x'`.
        refused: The answer.
        server: Address of the API.
        namespace: Where it was tried.
        resource: What it was tried with.
    """
    said, status = told(refused), refused.status
    if _is_of_webhook(said):
        return _of_webhook(doing, said, resource)
    if status == 404:
        return _missing(
            doing, said, known=bool(_status(refused)), server=server, namespace=namespace, resource=resource
        )
    if status in (400, 422):
        return InputError(f"the cluster refuses the {resource.noun}: {said}")
    meanings = {
        0: f"the certificate of {server} is not trusted. Give the cluster's authority in the kubeconfig "
        "(certificate-authority-data).",
        401: "the server does not know you. Sign in to the cluster again, or put a fresh token into the kubeconfig.",
        403: f"you may not do that in the namespace '{namespace}'. Ask for a role that allows "
        f"{resource.role}. The server says: {said}",
        409: said,
    }
    kind = TakenError if status == 409 else SparkhuError
    return kind(f"cannot {doing}: {meanings.get(status, f'the server answers {status}: {said}')}")


def _of_webhook(doing: str, said: str, resource: Resource) -> SparkhuError:
    if NO_WEBHOOK not in said:
        return InputError(f"{resource.maker} refuses the {resource.noun}: {said.partition(DENIED)[2]}")
    return SparkhuError(
        f"cannot {doing}: {resource.maker}'s webhook does not answer. See whether its controller runs: kubectl get "
        f"pods --all-namespaces --selector {resource.controller}. The server says: {said}"
    )


def _missing(doing: str, said: str, *, known: bool, server: str, namespace: str, resource: Resource) -> SparkhuError:
    """Tell a missing object from a missing namespace and from a cluster that does not know its kind."""
    if f'namespaces "{namespace}" not found' in said:
        return InputError(f"the cluster has no namespace '{namespace}'. 'kubectl get namespaces' lists those it has.")
    if known:
        return MissingError(f"cannot {doing}: {said}")
    return SparkhuError(
        f"cannot {doing}: the cluster at {server} knows no {resource.plural} of "
        f"{resource.group}/{resource.version}. Install {resource.maker} there, or choose another cluster with 'kubectl "
        "config use-context'."
    )


def _status(refused: "ApiException") -> Mapping[str, Any]:
    """Read the `Status` that the API answers; empty where something else has answered."""
    try:
        found = json.loads(refused.body or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _is_of_webhook(said: str) -> bool:
    return NO_WEBHOOK in said or ("admission webhook" in said and DENIED in said)
