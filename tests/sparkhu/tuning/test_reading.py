"""Experiments are read as Katib reads them, and what it would drop or refuse is named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkhu.errors import InputError
from sparkhu.tuning.reading import (
    direction_of,
    experiment_of,
    metric_of,
    prepared,
    read_experiment,
    space_of,
    strategies_of,
)
from sparkhu.tuning.space import Parameter
from tests.sparkhu.tuning.specs import STEPPED, document, written


def test_numbers_in_quotes_and_plain_numbers_mean_the_same(tmp_path: Path) -> None:
    quoted = """
- {name: lr, parameterType: double, feasibleSpace: {min: "0.01", max: "1e-1", step: "0.01", distribution: logUniform}}
- {name: layers, parameterType: int, feasibleSpace: {min: "1", max: "4"}}
- {name: batch, parameterType: discrete, feasibleSpace: {list: ["16", "0.5"]}}
- {name: kind, parameterType: categorical, feasibleSpace: {list: ["1", "b"]}}
"""
    plain = quoted.replace('"1e-1"', "0.1").replace('"b"', "b").replace('"', "")
    spaces = [
        space_of(read_experiment(written(tmp_path, document(parameters=yaml.safe_load(text)))))
        for text in (quoted, plain)
    ]
    assert spaces[0] == spaces[1]
    assert spaces[0] == (
        Parameter("lr", "double", 0.01, 0.1, 0.01, "logUniform"),
        Parameter("layers", "int", 1, 4),
        Parameter("batch", "discrete", choices=("16", "0.5")),
        Parameter("kind", "categorical", choices=("1", "b")),
    )


def test_settings_of_algorithms_may_be_plain_numbers() -> None:
    algorithm = {"algorithmName": "random", "algorithmSettings": [{"name": "random_state", "value": 10}]}
    read = experiment_of(document(algorithm=algorithm))
    assert read.spec.algorithm.algorithm_settings[0].value == "10"


def test_step_objective_and_direction_are_read() -> None:
    objective = {"type": "maximize", "objectiveMetricName": "accuracy", "additionalMetricNames": ["loss"]}
    read = prepared(experiment_of(document(parameters=STEPPED, objective=objective)))
    assert [parameter.step for parameter in space_of(read)] == [0.5, 2]
    assert (direction_of(read), metric_of(read)) == ("maximize", "accuracy")
    assert strategies_of(read) == {"accuracy": "max", "loss": "max"}


def test_a_finished_experiment_can_be_run_again(tmp_path: Path) -> None:
    whole = {**document(), "status": {"trials": 3}}
    assert read_experiment(written(tmp_path, whole)).status is None


def test_a_model_is_not_changed_by_its_preparation() -> None:
    model = experiment_of(document(parallelTrialCount=None))
    assert prepared(model).spec.parallel_trial_count == 3
    assert model.spec.parallel_trial_count is None


def test_ports_and_other_fields_of_kubernetes_are_kept() -> None:
    collector = {"collector": {"kind": "PrometheusMetric"}, "source": {"httpGet": {"path": "/m", "port": 8080}}}
    whole = document(metricsCollectorSpec=collector)
    assert prepared(experiment_of(whole)).to_dict()["spec"]["metricsCollectorSpec"] == collector


def changed(path: str, value: Any) -> dict[str, Any]:
    whole = document()
    *parents, last = path.split(".")
    place: Any = whole
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    return whole


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("spec.objectiv", {}, "spec.objectiv: Katib knows no such field"),
        ("spec.parameters.0.feasibleSpace.mni", "1", "spec.parameters[0].feasibleSpace.mni: Katib knows no such field"),
        ("spec.parameters", {"name": "lr"}, "spec.parameters: must be a list, got a mapping"),
        ("spec.parameters", ["lr"], "spec.parameters[0]: must be a mapping, got a text"),
        ("spec.objective", "loss", "spec.objective: must be a mapping, got a text"),
        ("spec.maxTrialCount", "6", "spec.maxTrialCount: got '6'"),
        ("spec.objective.goal", "low", "spec.objective.goal: got 'low'"),
        ("spec.objective.objectiveMetricName", 5, "spec.objective.objectiveMetricName: got 5"),
        (
            "spec.parameters.3.feasibleSpace.list",
            [True, "no"],
            "spec.parameters[3].feasibleSpace.list[0]: got True; input should be a valid string. Write it in quotes",
        ),
        ("kind", "Trial", "kind: got 'Trial', must be 'Experiment'"),
        ("apiVersion", "kubeflow.org/v1", "apiVersion: got 'kubeflow.org/v1', must be 'kubeflow.org/v1beta1'"),
    ],
)
def test_what_is_no_experiment_of_katib_is_refused_by_its_field(
    tmp_path: Path, path: str, value: Any, told: str
) -> None:
    with pytest.raises(InputError) as raised:
        read_experiment(written(tmp_path, changed(path, value)))
    assert told in str(raised.value)
    assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds 0 documents"),
        ("a: 1\n---\nb: 2\n", "holds 2 documents"),
        ("a: [1", "is no YAML"),
        ("- 1\n", "no Experiment but a list"),
    ],
)
def test_a_file_without_one_experiment_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=told):
        read_experiment(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*No such file"):
        read_experiment(tmp_path / "missing.yaml")
