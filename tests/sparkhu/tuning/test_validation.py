"""What Katib's webhook refuses is refused, by the path of the field, with the value and the way out."""

import re
from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.reading import experiment_of, prepared
from tests.sparkhu.tuning.specs import document


def refused(whole: dict[str, Any]) -> str:
    with pytest.raises(InputError) as raised:
        prepared(experiment_of(whole))
    return str(raised.value)


def with_space(**space: Any) -> dict[str, Any]:
    """Give an experiment with one parameter; `kind` is its type."""
    kind = space.pop("kind", "double")
    return document(parameters=[{"name": "lr", "parameterType": kind, "feasibleSpace": space}])


def test_an_experiment_as_users_write_it_is_accepted() -> None:
    written = document()
    accepted = prepared(experiment_of(written)).to_dict()
    assert accepted["metadata"]["name"] == written["metadata"]["name"]
    assert accepted["spec"]["trialTemplate"]["trialSpec"] == written["spec"]["trialTemplate"]["trialSpec"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"maxFailedTrialCount": -1}, "spec.maxFailedTrialCount: got -1, must be 0 or more"),
        ({"maxTrialCount": 0, "maxFailedTrialCount": 0}, "spec.maxTrialCount: got 0, must be 1 or more"),
        ({"parallelTrialCount": 0}, "spec.parallelTrialCount: got 0, must be 1 or more"),
        ({"maxFailedTrialCount": 7}, "spec.maxFailedTrialCount: got 7, must be 6 (spec.maxTrialCount) at most"),
        (
            {"maxTrialCount": 2, "parallelTrialCount": None, "maxFailedTrialCount": 1},
            "spec.parallelTrialCount: got 3 (also Katib's default), must be 2 (spec.maxTrialCount) at most",
        ),
        ({"objective": None}, "spec.objective: must be given"),
        ({"objective": {"type": "low", "objectiveMetricName": "l"}}, "spec.objective.type: got 'low'"),
        (
            {"objective": {"type": "minimize", "objectiveMetricName": "l", "goal": float("nan")}},
            "spec.objective.goal: got nan, must be a finite number",
        ),
        ({"objective": {"type": "minimize"}}, "spec.objective.objectiveMetricName: must be given"),
        (
            {"objective": {"type": "minimize", "objectiveMetricName": "l", "additionalMetricNames": ["l"]}},
            "spec.objective.additionalMetricNames: must not contain 'l'",
        ),
        (
            {
                "objective": {
                    "type": "minimize",
                    "objectiveMetricName": "l",
                    "metricStrategies": [{"name": "l", "value": "mean"}],
                }
            },
            "spec.objective.metricStrategies[0].value: got 'mean' for 'l'",
        ),
        ({"algorithm": None}, "spec.algorithm.algorithmName: must be given"),
        ({"earlyStopping": {}}, "spec.earlyStopping.algorithmName: must be given"),
        ({"resumePolicy": "Always"}, "spec.resumePolicy: got 'Always', must be Never, LongRunning or FromVolume"),
        ({"trialTemplate": None}, "spec.trialTemplate: must be given"),
        ({"metricsCollectorSpec": {"collector": {"kind": "Syslog"}}}, "collector.kind: got 'Syslog', must be StdOut"),
        ({"metricsCollectorSpec": {"collector": {"kind": "Custom"}}}, "customCollector: must be given"),
    ],
)
def test_a_field_that_katib_refuses_is_named(spec: dict[str, Any], told: str) -> None:
    assert told in refused(document(**spec))


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (with_space(min="0.5", max="0.1"), "min: got '0.5', which is larger than max '0.1'. Swap them"),
        (with_space(min="low", max="1"), "feasibleSpace.min: got 'low', must be a number"),
        (with_space(min="0.5", max="2", kind="int"), "feasibleSpace.min: got '0.5', must be a whole number"),
        (with_space(min="0.5"), "feasibleSpace.max: must be given for a parameter of type double"),
        (with_space(min="1", max="2", step="0"), "feasibleSpace.step: got '0', must be larger than 0"),
        (with_space(min="1", max="2", list=["1"]), "a parameter of type double has min and max instead"),
        (with_space(min="1", max="2", distribution="beta"), "distribution: got 'beta', must be uniform"),
        (with_space(min="0", max="2", distribution="logUniform"), "min: got '0', must be larger than 0"),
        (with_space(min="1", list=["1"], kind="discrete"), "type discrete has a list, and no min, max or step"),
        (with_space(list=["1", "big"], kind="discrete"), "list: got 'big', must be a number"),
        (with_space(list=["a", "a"], kind="categorical"), "list: names 'a' more than once"),
        (with_space(kind="categorical"), "spec.parameters[0].feasibleSpace: must be given for parameter 'lr'"),
        (with_space(min="1", max="2", kind="float"), "spec.parameters[0].parameterType: got 'float'"),
    ],
)
def test_a_parameter_without_a_sensible_space_is_refused(whole: dict[str, Any], told: str) -> None:
    assert told in refused(whole)


@pytest.mark.parametrize("name", ["", "Tuned", "1st", "a_b", "ends-", "x" * 41])
def test_names_that_katib_refuses_are_refused(name: str) -> None:
    whole = document()
    whole["metadata"]["name"] = name
    assert "metadata.name" in refused(whole)


def test_two_parameters_of_one_name_are_refused() -> None:
    parameter = {"name": "lr", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "2"}}
    assert "spec.parameters[1].name: got 'lr'" in refused(document(parameters=[parameter, parameter]))


def test_every_field_is_named_at_once() -> None:
    told = refused(document(maxTrialCount=0, resumePolicy="Always", maxFailedTrialCount=None))
    assert re.match(r"3 fields cannot be used.\n  spec.maxTrialCount: .*\n", told)
    assert "spec.resumePolicy" in told


def file_collector(place: dict[str, str], filters: list[str] | None = None) -> dict[str, Any]:
    source: dict[str, Any] = {"fileSystemPath": place}
    if filters is not None:
        source["filter"] = {"metricsFormat": filters}
    return document(metricsCollectorSpec={"collector": {"kind": "File"}, "source": source})


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (file_collector({"path": "metrics.log"}), "fileSystemPath.path: got 'metrics.log', must be an absolute path"),
        (file_collector({"kind": "Directory"}), "fileSystemPath.kind: got 'Directory', must be File"),
        (file_collector({"format": "CSV"}), "fileSystemPath.format: got 'CSV', must be TEXT or JSON"),
        (file_collector({"format": "JSON"}, ["(a)(b)"]), "source.filter: a JSON file has no filter"),
        (file_collector({}, ["(a)"]), "metricsFormat[0]: got '(a)'; it needs two groups"),
        (file_collector({}, ["(?:a)=(?:1)"]), "metricsFormat[0]: got '(?:a)=(?:1)'; it needs two groups"),
        (file_collector({}, ["(a(b))"]), "metricsFormat[0]: got '(a(b))'; it needs two groups"),
        (file_collector({}, ["(a)(b)", r"(?<=a)(b)(c)"]), "which RE2 cannot read"),
    ],
)
def test_a_collector_that_cannot_work_is_refused(whole: dict[str, Any], told: str) -> None:
    assert told in refused(whole)


def test_a_filter_is_refused_without_a_word_of_its_engine(capfd: pytest.CaptureFixture[str]) -> None:
    refused(file_collector({}, [r"(?<=a)(b)(c)"]))
    assert capfd.readouterr() == ("", "")


def test_a_parameter_without_a_name_is_refused() -> None:
    whole = document()
    del whole["spec"]["parameters"][0]["name"]
    assert "spec.parameters[0].name: got None; every parameter needs a name of its own" in refused(whole)


@pytest.mark.parametrize("name", ["kind", "apiVersion"])
def test_a_kind_that_is_no_text_is_refused(name: str) -> None:
    whole = document()
    whole["spec"]["trialTemplate"]["trialSpec"][name] = ["Job"]
    assert f"spec.trialTemplate.trialSpec.{name}: got ['Job'], must be a text" in refused(whole)


def test_a_job_that_kubernetes_does_not_read_is_refused_and_another_kind_is_not_looked_into() -> None:
    whole = document()
    job = whole["spec"]["trialTemplate"]["trialSpec"]
    job["spec"] |= {"backofLimit": 3, "backoffLimit": "many"}
    found = refused(whole)
    assert "spec.trialTemplate.trialSpec.spec.backofLimit: Kubernetes knows no such field" in found
    assert "spec.trialTemplate.trialSpec.spec.backoffLimit: got 'many', must be a whole number" in found
    job.update(kind="MPIJob", apiVersion="kubeflow.org/v2beta1")
    prepared(experiment_of(whole))


def test_a_job_is_not_looked_into_where_trials_are_calls_of_a_function() -> None:
    whole = document()
    whole["spec"]["trialTemplate"]["trialSpec"]["spec"]["backofLimit"] = 3
    accepted = prepared(experiment_of(whole), template=False).to_dict()
    assert accepted["spec"]["trialTemplate"]["trialSpec"]["spec"]["backofLimit"] == 3


def test_what_is_wrong_by_two_rules_is_named_once() -> None:
    whole = document()
    whole["spec"]["trialTemplate"]["trialSpec"]["metadata"] = "x"
    assert refused(whole) == "spec.trialTemplate.trialSpec.metadata: got 'x', must be a mapping."


def test_neither_parameters_nor_architectures_is_refused() -> None:
    whole = document(parameters=[])
    assert "spec: parameters or nasConfig must be given" in refused(whole)
