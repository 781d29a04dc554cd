from typing import Any

import pytest

from sparkhu.models.linear import SPACE
from sparkhu.tuning.declaring import Search, Stopping, TrialProgram, declare_experiment
from sparkhu.tuning.reading import prepared, space_of, strategies_of
from sparkhu.tuning.space import Parameter, Space

PROGRAM = TrialProgram("registry/training:1", ("python", "-m", "trial", "--model=linear"))
EVERY_KIND: Space = (
    Parameter("layers", "int", low=1, high=5, step=2),
    Parameter("units", "int", low=8, high=512, distribution="logUniform"),
    Parameter("rate", "double", low=1e-5, high=0.1, distribution="logUniform"),
    Parameter("dropout", "double", low=0, high=0.5, step=0.1),
    Parameter("noise", "double", low=-1, high=1, distribution="normal"),
    Parameter("scale", "double", low=0.1, high=10, distribution="logNormal"),
    Parameter("batch", "discrete", choices=("32", "64")),
    Parameter("loss", "categorical", choices=("mse", "mae")),
)


def declared(space: Space = SPACE, program: TrialProgram = PROGRAM, **search: Any) -> Any:
    return declare_experiment("linear-1h-24", space, Search("validation_mse", **search), program)


@pytest.mark.parametrize("space", [SPACE, EVERY_KIND], ids=["linear", "every kind"])
def test_a_space_survives_its_declaration(space: Space) -> None:
    assert space_of(prepared(declared(space))) == space


def test_an_experiment_is_katibs_with_every_number_of_the_space_as_text() -> None:
    document = declared(trials=12, parallel=3).to_dict()
    assert (document["apiVersion"], document["kind"]) == ("kubeflow.org/v1beta1", "Experiment")
    spec = document["spec"]
    assert spec["objective"] == {"type": "minimize", "objectiveMetricName": "validation_mse"}
    assert (spec["maxTrialCount"], spec["parallelTrialCount"], spec["maxFailedTrialCount"]) == (12, 3, 12)
    assert spec["parameters"] == [
        {
            "name": "strength",
            "parameterType": "double",
            "feasibleSpace": {"min": "1e-06", "max": "1000.0", "distribution": "logUniform"},
        },
        {"name": "look_back", "parameterType": "discrete", "feasibleSpace": {"list": ["0.25", "0.5", "0.75", "1"]}},
        {
            "name": "shrink_to",
            "parameterType": "categorical",
            "feasibleSpace": {"list": ["last_value", "seasonal_naive"]},
        },
    ]


def test_a_trial_is_a_job_that_is_given_every_parameter() -> None:
    template = declared().to_dict()["spec"]["trialTemplate"]
    job = template["trialSpec"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert container["name"] == template["primaryContainerName"]
    assert container["command"] == [
        *PROGRAM.command,
        "--strength=${trialParameters.strength}",
        "--look_back=${trialParameters.look_back}",
        "--shrink_to=${trialParameters.shrink_to}",
    ]
    assert [each["reference"] for each in template["trialParameters"]] == ["strength", "look_back", "shrink_to"]
    assert job["spec"]["backoffLimit"] == 0


def test_several_processes_make_an_mpi_job_whose_launcher_katib_watches() -> None:
    program = TrialProgram("training:1", ("train",), workers=4, secret="s3", env={"A": "1"}, limits={"cpu": "2"})
    template = prepared(declared(program=program)).to_dict()["spec"]["trialTemplate"]
    job = template["trialSpec"]
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v2beta1", "MPIJob")
    replicas = job["spec"]["mpiReplicaSpecs"]
    assert {role: each["replicas"] for role, each in replicas.items()} == {"Launcher": 1, "Worker": 4}
    launcher, worker = (replicas[role]["template"]["spec"]["containers"][0] for role in ("Launcher", "Worker"))
    assert launcher["command"][:4] == ["mpirun", "-np", "4", "train"]
    assert "command" not in worker
    for container in (launcher, worker):
        assert container["envFrom"] == [{"secretRef": {"name": "s3"}}]
        assert container["env"] == [{"name": "A", "value": "1"}]
        assert container["resources"] == {"limits": {"cpu": "2"}}
    assert template["primaryContainerName"] == launcher["name"]
    assert template["primaryPodLabels"] == {"training.kubeflow.org/job-role": "launcher"}
    assert "Succeeded" in template["successCondition"]
    assert "Failed" in template["failureCondition"]


def test_early_stopping_settings_and_a_goal_are_declared() -> None:
    search = {"goal": 0.1, "settings": {"random_state": "7"}, "stopping": Stopping(settings={"start_step": "4"})}
    spec = prepared(declared(direction="maximize", **search)).to_dict()["spec"]
    assert (spec["objective"]["type"], spec["objective"]["goal"]) == ("maximize", 0.1)
    assert spec["algorithm"]["algorithmSettings"] == [{"name": "random_state", "value": "7"}]
    assert spec["earlyStopping"] == {
        "algorithmName": "medianstop",
        "algorithmSettings": [{"name": "start_step", "value": "4"}],
    }


def test_which_of_the_reported_values_counts_is_declared() -> None:
    objective = declared(strategy="latest").to_dict()["spec"]["objective"]
    assert objective["metricStrategies"] == [{"name": "validation_mse", "value": "latest"}]
    assert strategies_of(prepared(declared(strategy="latest"))) == {"validation_mse": "latest"}
    assert strategies_of(prepared(declared())) == {"validation_mse": "min"}


def test_never_more_trials_at_a_time_than_there_are() -> None:
    assert declared(trials=2, parallel=5).to_dict()["spec"]["parallelTrialCount"] == 2
