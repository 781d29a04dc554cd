"""An experiment that is in the cluster already: whether it is ours, and what of it may be edited to make it ours."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sparkhu.clusters.objects import Document
from sparkhu.errors import InputError
from sparkhu.tuning.defaults import with_defaults

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment, V1beta1ExperimentCondition

EDITABLE: Final = ("maxFailedTrialCount", "maxTrialCount", "parallelTrialCount")
"""What Katib's webhook lets be edited (`webhook/v1beta1/experiment/validator/validator.go`)."""
RESTARTED: Final = ("LongRunning", "FromVolume")
"""Policies with which an experiment that has reached its maxTrialCount goes on with a larger one."""


class Edit(NamedTuple):
    """What makes an experiment in the cluster ours.

    Attributes:
        spec: The fields to change; empty where it is ours already.
        ended: When it had ended before; None where it runs, or is left as it is.
    """

    spec: Document
    ended: datetime | None


def edit_of(found: Document, ours: Document) -> Edit:
    """Compare an experiment of the same name with the one that is wanted.

    Raises:
        InputError: It is another one, it cannot be edited any more, or it is about to vanish.
    """
    name, namespace = ours["metadata"]["name"], ours["metadata"]["namespace"]
    if found["metadata"].get("deletionTimestamp"):
        raise InputError(f"the experiment '{name}' is being deleted from the namespace '{namespace}'. Try again later.")
    theirs = model_of(found)
    different = sorted(_differences(theirs.to_dict()["spec"], ours["spec"], "spec"))
    if not different:
        return Edit({}, None)
    ending = ending_of(theirs)
    if {*different} <= {f"spec.{field}" for field in EDITABLE} and (ending is None or _restarts(theirs, ending)):
        changed = {field: ours["spec"].get(field) for field in EDITABLE if f"spec.{field}" in different}
        return Edit(changed, theirs.status.completion_time if ending is not None else None)
    more = " and more" if len(different) > 3 else ""
    raise InputError(
        f"there is another experiment '{name}' in the namespace '{namespace}': it differs in "
        f"{', '.join(different[:3])}{more}. Give yours another name, or delete that one: kubectl delete "
        f"experiment.kubeflow.org {name} --namespace {namespace}"
    )


def model_of(document: Mapping[str, Any]) -> "V1beta1Experiment":
    """Read the object of the cluster, without what only the cluster itself needs."""
    from kubeflow_katib_api.models import V1beta1Experiment

    metadata = {name: value for name, value in document["metadata"].items() if name != "managedFields"}
    return with_defaults(V1beta1Experiment.from_dict({**document, "metadata": metadata}))


def ending_of(experiment: "V1beta1Experiment") -> "V1beta1ExperimentCondition | None":
    """Give the condition that ended an experiment; None while it runs."""
    conditions = (experiment.status and experiment.status.conditions) or []
    held = [each for each in conditions if each.status == "True" and each.type in ("Succeeded", "Failed")]
    return held[-1] if held else None


def _restarts(experiment: "V1beta1Experiment", ending: "V1beta1ExperimentCondition") -> bool:
    """Tell whether Katib lets an experiment go on that has ended (`IsCompletedExperimentRestartable`)."""
    return ending.reason == "ExperimentMaxTrialsReached" and experiment.spec.resume_policy in RESTARTED


def _differences(theirs: Any, ours: Any, path: str) -> list[str]:
    """Name the fields that differ; one that is empty is as good as none, as the API leaves such fields out."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        names = theirs.keys() | ours.keys()
        return [each for name in names for each in _differences(theirs.get(name), ours.get(name), f"{path}.{name}")]
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = enumerate(zip(theirs, ours, strict=True))
        return [each for at, pair in pairs for each in _differences(*pair, f"{path}[{at}]")]
    return [] if theirs == ours or (_is_empty(theirs) and _is_empty(ours)) else [path]


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})
