"""What Katib's webhook fills in (`experiments/v1beta1/experiment_defaults.go`)."""

from typing import Any

import pytest

from sparkhu.tuning.defaults import with_defaults
from sparkhu.tuning.reading import experiment_of
from tests.sparkhu.tuning.specs import document


def filled(**spec: Any) -> Any:
    return with_defaults(experiment_of(document(**spec))).spec


def test_counts_policies_collector_and_distribution_are_filled_in() -> None:
    spec = filled(parallelTrialCount=None)
    assert spec.parallel_trial_count == 3
    assert spec.resume_policy == "Never"
    assert spec.metrics_collector_spec.collector.kind == "StdOut"
    assert spec.metrics_collector_spec.source is None
    assert {parameter.feasible_space.distribution for parameter in spec.parameters} == {"uniform"}
    assert (spec.max_trial_count, spec.max_failed_trial_count) == (6, 3)


def test_what_is_given_stays() -> None:
    spec = filled(parallelTrialCount=1, resumePolicy="FromVolume", metricsCollectorSpec={"collector": {"kind": "Push"}})
    assert (spec.parallel_trial_count, spec.resume_policy) == (1, "FromVolume")
    assert spec.metrics_collector_spec.collector.kind == "Push"


@pytest.mark.parametrize(("direction", "strategy"), [("minimize", "min"), ("maximize", "max")])
def test_strategies_follow_the_type_of_the_objective_for_additional_metrics_as_well(
    direction: str, strategy: str
) -> None:
    objective = {"type": direction, "objectiveMetricName": "loss", "additionalMetricNames": ["accuracy", "epoch"]}
    given = [{"name": "epoch", "value": "latest"}]
    spec = filled(objective={**objective, "metricStrategies": given})
    found = {one.name: one.value for one in spec.objective.metric_strategies}
    assert found == {"epoch": "latest", "loss": strategy, "accuracy": strategy}


def test_a_file_collector_gets_katibs_file() -> None:
    place = filled(metricsCollectorSpec={"collector": {"kind": "File"}}).metrics_collector_spec.source.file_system_path
    assert (place.kind, place.path, place.format) == ("File", "/var/log/katib/metrics.log", "TEXT")


@pytest.mark.parametrize(
    ("kind", "succeeded", "labels"),
    [
        ("Job", "Complete", None),
        ("MPIJob", "Succeeded", {"training.kubeflow.org/job-role": "master"}),
        (
            "TrainJob",
            "Complete",
            {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": "0"},
        ),
    ],
)
def test_conditions_of_jobs_are_those_of_their_kind(kind: str, succeeded: str, labels: dict[str, str] | None) -> None:
    whole = document()
    whole["spec"]["trialTemplate"]["trialSpec"]["kind"] = kind
    template = with_defaults(experiment_of(whole)).spec.trial_template
    assert template.success_condition == f'status.conditions.#(type=="{succeeded}")#|#(status=="True")#'
    assert template.failure_condition == 'status.conditions.#(type=="Failed")#|#(status=="True")#'
    assert template.primary_pod_labels == labels


def test_other_kinds_get_no_conditions() -> None:
    whole = document()
    whole["spec"]["trialTemplate"]["trialSpec"]["kind"] = "Workflow"
    assert with_defaults(experiment_of(whole)).spec.trial_template.success_condition is None
