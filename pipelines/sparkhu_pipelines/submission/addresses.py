"""Addresses that a run on a cluster is given: what its tasks can reach, and no password that its page would show."""

from collections.abc import Mapping
from typing import Any, Final

from sparkhu.errors import InputError
from sparkhu.sources.secrets import PLACEHOLDER, redacted
from sparkhu_pipelines.cluster.settings import TRACKING, Cluster

ADDRESSES: Final = ("source", "lake", "metadata", "past")
ON_THIS_MACHINE: Final = ("file", "local", "memory", "sqlite", "duckdb")


def check_addresses(arguments: Mapping[str, Any], cluster: Cluster) -> None:
    """Check that the tasks of a run on a cluster can use the addresses among its arguments.

    Raises:
        InputError: One is on this machine, holds a password, or asks for a variable that the tasks are not given.
    """
    for name in ADDRESSES:
        if arguments.get(name):
            _check(name, str(arguments[name]), cluster)


def check_registry(cluster: Cluster) -> None:
    """Check that the tasks share a registry: each has a disk of its own, which is gone with its pod.

    Raises:
        InputError: They are told of none.
    """
    if TRACKING not in cluster.variables:
        raise InputError(
            f"tasks on a cluster share a registry of models, and the settings name none. Set {TRACKING} to the address "
            "of an MLflow server under environment in the cluster file (--cluster FILE), or under secrets."
        )


def _check(name: str, uri: str, cluster: Cluster) -> None:
    shown = redacted(uri)
    if _is_local(uri):
        raise InputError(
            f"{name} '{shown}' is on this machine, where no task of a cluster sees it. Put it where they do, and give "
            "its URI, such as s3://BUCKET/PATH or a database URL."
        )
    if shown != uri:
        raise InputError(
            f"{name} '{shown}' holds a password, which the page of the run would show. Write ${{NAME}} in its place, "
            "and NAME under secrets in the cluster file."
        )
    for variable in PLACEHOLDER.findall(uri):
        if variable not in cluster.variables:
            raise InputError(
                f"{name} '{shown}' asks for the variable {variable}, which the tasks are not given. Name it under "
                f"secrets in the cluster file: `secrets: {{KUBERNETES-SECRET: {{KEY: {variable}}}}}`."
            )


def _is_local(uri: str) -> bool:
    """Tell whether an address is of this disk; so is a chain, such as zip://a.csv::b.zip, that begins or ends there."""
    parts = uri.split("::")
    schemes = [part.partition("://")[0].partition("+")[0].lower() for part in parts]
    return "://" not in parts[-1] or any(scheme in ON_THIS_MACHINE for scheme in schemes)
