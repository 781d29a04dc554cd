"""What Katib's webhook fills in before it looks at an experiment (`experiments/v1beta1/experiment_defaults.go`)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sparkhu.tuning.strategies import DEFAULTS

if TYPE_CHECKING:
    from kubeflow_katib_api.models import (
        V1beta1Experiment,
        V1beta1MetricsCollectorSpec,
        V1beta1ObjectiveSpec,
        V1beta1TrialTemplate,
    )

PARALLEL: Final = 3
RESUME_POLICY: Final = "Never"
METRICS_FILE: Final = "/var/log/katib/metrics.log"
EVENTS_FOLDER: Final = "/var/log/katib/tfevent/"
_CONDITION: Final = 'status.conditions.#(type=="{}")#|#(status=="True")#'
_SUCCESS: Final = {"Job": "Complete", "TrainJob": "Complete"} | dict.fromkeys(
    ("TFJob", "PyTorchJob", "XGBoostJob", "MPIJob"), "Succeeded"
)
"""The condition that says of a kind of job that it has succeeded."""
_PRIMARY_POD: Final[Mapping[str, str]] = {"training.kubeflow.org/job-role": "master"}
_PRIMARY_POD_OF_TRAIN_JOB: Final[Mapping[str, str]] = {
    "jobset.sigs.k8s.io/replicatedjob-name": "node",
    "batch.kubernetes.io/job-completion-index": "0",
}


def with_defaults(experiment: "V1beta1Experiment") -> "V1beta1Experiment":
    """Give a copy of an experiment in which everything is filled in that Katib fills in."""
    from kubeflow_katib_api.models import V1beta1MetricsCollectorSpec

    filled = experiment.model_copy(deep=True)
    spec = filled.spec
    if spec is None:
        return filled
    if spec.parallel_trial_count is None:
        spec.parallel_trial_count = PARALLEL
    spec.resume_policy = spec.resume_policy or RESUME_POLICY
    if spec.objective is not None:
        _fill_strategies(spec.objective)
    if spec.trial_template is not None and spec.trial_template.trial_spec is not None:
        _fill_conditions(spec.trial_template)
    spec.metrics_collector_spec = spec.metrics_collector_spec or V1beta1MetricsCollectorSpec()
    _fill_collector(spec.metrics_collector_spec)
    for parameter in spec.parameters or []:
        if parameter.feasible_space is not None:
            parameter.feasible_space.distribution = parameter.feasible_space.distribution or "uniform"
    return filled


def _fill_strategies(objective: "V1beta1ObjectiveSpec") -> None:
    from kubeflow_katib_api.models import V1beta1MetricStrategy

    strategies = list(objective.metric_strategies or [])
    named = {strategy.name for strategy in strategies}
    for metric in (objective.objective_metric_name, *(objective.additional_metric_names or ())):
        if metric and metric not in named:
            how = DEFAULTS.get(objective.type, "latest")
            strategies.append(V1beta1MetricStrategy(name=metric, value=how))
    objective.metric_strategies = strategies


def _fill_conditions(template: "V1beta1TrialTemplate") -> None:
    kind = template.trial_spec.get("kind")
    if not isinstance(kind, str) or kind not in _SUCCESS:
        return
    template.success_condition = template.success_condition or _CONDITION.format(_SUCCESS[kind])
    template.failure_condition = template.failure_condition or _CONDITION.format("Failed")
    if kind != "Job" and not template.primary_pod_labels:
        template.primary_pod_labels = dict(_PRIMARY_POD_OF_TRAIN_JOB if kind == "TrainJob" else _PRIMARY_POD)


def _fill_collector(collector: "V1beta1MetricsCollectorSpec") -> None:
    """Fill in what is collected where; the port of Prometheus is left to the webhook, which alone reads it."""
    from kubeflow_katib_api.models import V1beta1CollectorSpec, V1beta1FileSystemPath, V1beta1SourceSpec

    if collector.collector is None:
        collector.collector = V1beta1CollectorSpec(kind="StdOut")
    kind = collector.collector.kind
    if kind not in {"File", "TensorFlowEvent"}:
        return
    source = collector.source or V1beta1SourceSpec()
    place = source.file_system_path or V1beta1FileSystemPath()
    place.kind = place.kind or ("File" if kind == "File" else "Directory")
    place.path = place.path or (METRICS_FILE if kind == "File" else EVENTS_FOLDER)
    if kind == "File":
        place.format = place.format or "TEXT"
    source.file_system_path = place
    collector.source = source
