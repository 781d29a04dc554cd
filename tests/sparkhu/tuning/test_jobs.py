"""What a trial runs is what its container would run; what a container cannot be here is refused by name."""

from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.jobs import Jobs, Work
from sparkhu.tuning.reading import experiment_of, prepared
from sparkhu.tuning.trials import Trial
from tests.sparkhu.tuning.specs import PARAMETERS, container_of, document

TRIAL = Trial(7, "tuned-0007", {"lr": "0.02"})


def one_parameter(**container: Any) -> dict[str, Any]:
    whole = document(parameters=PARAMETERS[:1])
    container_of(whole).update(container)
    return whole


def work_of(whole: dict[str, Any], command: str | None = None) -> Work:
    return Jobs(prepared(experiment_of(whole)), command).work(TRIAL)


def test_command_arguments_and_variables_are_those_of_the_container() -> None:
    work = work_of(
        one_parameter(
            command=["train", "--name=$(WHO)", "$$(WHO)", "$(NOBODY)"],
            args=["--lr=${trialParameters.lr}"],
            env=[{"name": "RATE", "value": "${trialParameters.lr}"}, {"name": "WHO", "value": "at $(RATE)"}],
            workingDir="/srv",
        )
    )
    assert work.command == ("train", "--name=at 0.02", "$(WHO)", "$(NOBODY)")
    assert work.arguments == ("--lr=0.02",)
    assert work.environment == {"RATE": "0.02", "WHO": "at 0.02", "KATIB_TRIAL_NAME": "tuned-0007"}
    assert (work.image, work.folder, work.seconds) == ("example.org/train:1", "/srv", None)


def test_the_name_of_the_trial_is_a_variable_like_others() -> None:
    work = work_of(
        one_parameter(
            command=["train", "--as=$(KATIB_TRIAL_NAME)", "--lr=${trialParameters.lr}"],
            args=["$(OUT)"],
            env=[{"name": "OUT", "value": "runs/$(KATIB_TRIAL_NAME)"}, {"name": "KATIB_TRIAL_NAME", "value": "mine"}],
        )
    )
    assert work.words == ("train", "--as=tuned-0007", "--lr=0.02", "runs/tuned-0007")
    assert work.environment == {"OUT": "runs/tuned-0007", "KATIB_TRIAL_NAME": "tuned-0007"}


def test_a_path_is_moved_where_it_is_named_whole() -> None:
    words = ("/out", "--log=/out", "echo >/out; cat /out.", "/outdir/m", "/out-2", "/out.txt", "/out/m")
    work = Work(words, ("'/out',1",), {"A": "/out", "B": "/out_1:/out"}).elsewhere("/out", r"/study\1")
    moved = (
        r"/study\1",
        r"--log=/study\1",
        r"echo >/study\1; cat /study\1.",
        "/outdir/m",
        "/out-2",
        "/out.txt",
        "/out/m",
    )
    assert work.words == (*moved, r"'/study\1',1")
    assert work.environment == {"A": r"/study\1", "B": r"/out_1:/study\1"}


def test_the_deadline_of_the_job_is_that_of_the_trial() -> None:
    whole = one_parameter()
    whole["spec"]["trialTemplate"]["trialSpec"]["spec"]["activeDeadlineSeconds"] = 3
    assert work_of(whole).seconds == 3


def test_a_given_command_takes_the_place_of_command_and_arguments() -> None:
    work = work_of(one_parameter(env=[{"name": "A", "value": "b"}]), "train.sh 'two words' --lr ${trialParameters.lr}")
    assert work.words == ("train.sh", "two words", "--lr", "0.02")
    assert work.environment["A"] == "b"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("train '", "cannot be split into words"),
        ("", "--command: names no command"),
        ("train ${trialParameters.rate}", "no trial parameter is called 'rate'; there are lr"),
    ],
)
def test_a_given_command_that_cannot_be_used_is_refused(command: str, told: str) -> None:
    with pytest.raises(InputError) as raised:
        work_of(one_parameter(), command)
    assert told in str(raised.value)


def refused(whole: dict[str, Any]) -> str:
    with pytest.raises(InputError) as raised:
        Jobs(prepared(experiment_of(whole)), None)
    return str(raised.value)


@pytest.mark.parametrize(
    ("container", "told"),
    [
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, "envFrom: variables come from a cluster"),
        ({"env": [{"name": "KEY", "valueFrom": {}}]}, "env[KEY].valueFrom: its value comes from a cluster"),
        ({"env": [{"name": "N", "value": 3}]}, "env[N].value: got 3; Kubernetes takes texts. Write it in quotes"),
        ({"env": {"KEY": "value"}}, "env: got {'KEY': 'value'}, must be a list"),
        ({"env": [{"value": "a"}]}, "env: got [{'value': 'a'}], must be a list of variables, each with name and value"),
        ({"command": "train --now"}, "command: got 'train --now', must be a list"),
        ({"image": 3}, "image: got 3; Kubernetes takes texts"),
        ({"command": ["train", 3]}, "command[1]: got 3; Kubernetes takes texts"),
        ({"volumeMounts": [{"name": "data"}]}, "containers[training-container].volumeMounts: there are none here"),
        ({"name": "other"}, "got 'training-container', containers are: other. Name one of them"),
    ],
)
def test_a_container_that_needs_a_cluster_is_refused(container: dict[str, Any], told: str) -> None:
    assert told in refused(one_parameter(**container))


def job_of(whole: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = whole["spec"]["trialTemplate"]["trialSpec"]
    return found


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_that_is_none_is_refused(seconds: int) -> None:
    whole = one_parameter()
    job_of(whole)["spec"]["activeDeadlineSeconds"] = seconds
    assert f"activeDeadlineSeconds: got {seconds}, must be a number above 0" in refused(whole)


@pytest.mark.parametrize("name", ["parallelism", "completions"])
def test_a_job_of_many_pods_is_refused(name: str) -> None:
    whole = one_parameter()
    job_of(whole)["spec"][name] = 2
    assert f"trialSpec.spec.{name}: got 2; here a trial is one process. Run it by Katib: --engine katib" in refused(
        whole
    )


def test_init_containers_are_refused_unless_a_command_takes_their_place() -> None:
    whole = one_parameter()
    job_of(whole)["spec"]["template"]["spec"]["initContainers"] = [{"name": "fetch"}]
    assert "initContainers: there are none here" in refused(whole)
    assert work_of(whole, "train").words == ("train",)


@pytest.mark.parametrize(("kind", "version"), [("MPIJob", "kubeflow.org/v2beta1"), ("PyTorchJob", "kubeflow.org/v1")])
def test_other_kinds_are_refused_by_name(kind: str, version: str) -> None:
    whole = one_parameter()
    job_of(whole).update(kind=kind, apiVersion=version)
    told = refused(whole)
    assert f"got '{kind}' of '{version}'; here trials are of the kind Job of batch/v1" in told
    assert "--engine katib" in told


@pytest.mark.parametrize("kind", ["TensorFlowEvent", "PrometheusMetric", "Push", "Custom"])
def test_other_collectors_are_refused_by_name(kind: str) -> None:
    collector: dict[str, Any] = {"kind": kind}
    if kind == "Custom":
        collector["customCollector"] = {"name": "mine", "image": "mine"}
    whole = document(metricsCollectorSpec={"collector": collector})
    assert f"collector.kind: got '{kind}'; here metrics are collected by StdOut or File" in refused(whole)


def test_architecture_search_is_refused_by_name() -> None:
    whole = document(parameters=[], nasConfig={"graphConfig": {"numLayers": 3}})
    assert "spec.nasConfig: architecture search is not done here" in refused(whole)


def test_a_template_in_a_config_map_is_refused_by_name() -> None:
    whole = document()
    template = whole["spec"]["trialTemplate"]
    del template["trialSpec"]
    template |= {"successCondition": "a", "failureCondition": "b"}
    template["configMap"] = {"configMapName": "a", "configMapNamespace": "b", "templatePath": "c"}
    assert "spec.trialTemplate.configMap: the template lies in a ConfigMap" in refused(whole)


@pytest.mark.parametrize("job", [None, {}, {"template": None}, {"template": {}}, {"template": {"spec": {}}}])
def test_a_job_without_containers_is_refused(job: dict[str, Any] | None) -> None:
    whole = document(parameters=PARAMETERS[:1])
    job_of(whole).update(metadata={"annotations": {"rate": "${trialParameters.lr}"}}, spec=job)
    assert "containers: must be a list of containers" in refused(whole)
