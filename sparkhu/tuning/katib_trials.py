"""Trials as Katib keeps them in a cluster (`trials.kubeflow.org`), read as our own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sparkhu.tuning.strategies import UNAVAILABLE, Strategy, value_of
from sparkhu.tuning.trials import Observation, Status, Trial

STATUSES: Final[tuple[Status, ...]] = ("EarlyStopped", "Killed", "Failed", "MetricsUnavailable", "Succeeded")
"""Conditions of a trial that has ended; of several that hold, the first counts."""


def trial_of(document: Mapping[str, Any], number: int, *, metric: str, strategy: Strategy) -> Trial:
    """Read a trial.

    Args:
        document: The object.
        number: Its place in the experiment.
        metric: The objective.
        strategy: Which value of it counts.
    """
    spec, status = document.get("spec") or {}, document.get("status") or {}
    held = {each["type"]: each for each in status.get("conditions") or [] if each.get("status") == "True"}
    state: Status = next((each for each in STATUSES if each in held), "Running")
    observations = tuple(
        Observation(each["name"], *(each.get(part) or UNAVAILABLE for part in ("latest", "min", "max")))
        for each in (status.get("observation") or {}).get("metrics") or []
    )
    objective = next((value_of(each, strategy) for each in observations if each.metric == metric), None)
    return Trial(
        number=number,
        name=document["metadata"]["name"],
        assignment={each["name"]: each["value"] for each in spec.get("parameterAssignments") or []},
        labels=spec.get("labels") or {},
        status=state,
        started=_moment(status.get("startTime")),
        ended=_moment(status.get("completionTime")) if state != "Running" else None,
        observations=observations,
        objective=objective,
        message="" if state in ("Running", "Succeeded") else str(held[state].get("message", "")),
    )


def age(document: Mapping[str, Any]) -> tuple[str, str]:
    """Give what trials are sorted by: the oldest first, those of one second by name."""
    metadata = document["metadata"]
    return metadata.get("creationTimestamp") or "", metadata["name"]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
