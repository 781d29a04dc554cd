"""What of a Job cannot be run on one machine: refused by name, rather than left out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sparkhu.errors import InputError
from sparkhu.tuning.job_fields import JOB

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

COLLECTORS: Final = ("StdOut", "File")
_PATH: Final = "spec.trialTemplate.trialSpec"
_WAY_OUT: Final = "Run it by Katib: --engine katib"


def refuse_foreign(experiment: "V1beta1Experiment") -> None:
    """Refuse what only Katib runs.

    Raises:
        InputError: The experiment is of such a kind.
    """
    spec = experiment.spec
    if spec.nas_config is not None:
        raise InputError(f"spec.nasConfig: architecture search is not done here. {_WAY_OUT}.")
    if spec.trial_template.config_map is not None:
        told = "the template lies in a ConfigMap of a cluster. Write it into trialSpec, or run it by Katib"
        raise InputError(f"spec.trialTemplate.configMap: {told}: --engine katib.")
    job = spec.trial_template.trial_spec
    if (job["apiVersion"], job["kind"]) != JOB:
        told = f"got '{job['kind']}' of '{job['apiVersion']}'; here trials are of the kind Job of batch/v1"
        raise InputError(f"{_PATH}.kind: {told}. {_WAY_OUT}.")
    kind = spec.metrics_collector_spec.collector.kind
    if kind not in COLLECTORS:
        told = f"got '{kind}'; here metrics are collected by {' or '.join(COLLECTORS)}"
        raise InputError(f"spec.metricsCollectorSpec.collector.kind: {told}. {_WAY_OUT}.")


def primary_container(job: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Find the primary container.

    Raises:
        InputError: There is none.
    """
    path = f"{_PATH}.spec.template.spec.containers"
    found: Any = job
    one: dict[str, Any]
    for part in ("spec", "template", "spec", "containers"):
        found = found.get(part) if isinstance(found, dict) else None
    if not found:
        raise InputError(f"{path}: must be a list of containers.")
    for one in found:
        if one.get("name") == name:
            return one
    names = ", ".join(str(one.get("name")) for one in found)
    raise InputError(
        f"spec.trialTemplate.primaryContainerName: got '{name}', containers are: {names}. Name one of them."
    )


def refuse_parts(job: Mapping[str, Any], container: Mapping[str, Any], *, replaced: bool) -> None:
    """Refuse parts of a Job that would be left out here, and a trial would be another one.

    Args:
        job: Its `spec`.
        container: The primary container.
        replaced: Whether another command takes the place of the container's.

    Raises:
        InputError: It has such a part, or one that Kubernetes does not read.
    """
    path = f"{_PATH}.spec.template.spec.containers[{container['name']}]"
    for name in ("parallelism", "completions"):
        if (job.get(name) or 1) != 1:
            raise InputError(f"{_PATH}.spec.{name}: got {job[name]}; here a trial is one process. {_WAY_OUT}.")
    _check_variables(container, path)
    seconds = job.get("activeDeadlineSeconds")
    if seconds is not None and seconds <= 0:
        raise InputError(f"{_PATH}.spec.activeDeadlineSeconds: got {seconds}, must be a number above 0.")
    if replaced:
        return
    pod = f"{_PATH}.spec.template.spec"
    init = job["template"]["spec"].get("initContainers")
    for where, found in ((f"{path}.volumeMounts", container.get("volumeMounts")), (f"{pod}.initContainers", init)):
        if found:
            told = "there are none here. Leave them out, replace the command with --command, or run it by Katib"
            raise InputError(f"{where}: {told}: --engine katib.")


def _check_variables(container: Mapping[str, Any], path: str) -> None:
    if container.get("envFrom"):
        raise InputError(f"{path}.envFrom: variables come from a cluster. Write them into env, or: --engine katib.")
    variables = container.get("env") or []
    if not all(one.get("name") for one in variables):
        raise InputError(f"{path}.env: got {variables!r}, must be a list of variables, each with name and value.")
    for variable in variables:
        where = f"{path}.env[{variable['name']}]"
        if "valueFrom" in variable:
            told = "its value comes from a cluster. Write it as a literal value, or run it by Katib: --engine katib"
            raise InputError(f"{where}.valueFrom: {told}.")
