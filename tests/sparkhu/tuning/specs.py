"""Experiments as Katib's users write them: what the tests of tuning share."""

import copy
import sys
from pathlib import Path
from typing import Any

import yaml

PARAMETERS: list[dict[str, Any]] = [
    {"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0.01", "max": "0.05"}},
    {"name": "layers", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "4"}},
    {"name": "batch", "parameterType": "discrete", "feasibleSpace": {"list": ["16", "32", "64"]}},
    {"name": "optimizer", "parameterType": "categorical", "feasibleSpace": {"list": ["sgd", "adam"]}},
]
STEPPED: list[dict[str, Any]] = [
    {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "-1", "max": "1", "step": "0.5"}},
    {"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "5", "step": "2"}},
]


def document(*, parameters: list[dict[str, Any]] | None = None, code: str | None = None, **spec: Any) -> dict[str, Any]:
    """Give an experiment of random search that minimises a loss.

    Args:
        parameters: Its parameters.
        code: Python that a trial runs, placeholders `${trialParameters.NAME}` of every parameter included.
        spec: Further fields of its spec, in the place of those that it has.
    """
    parameters = copy.deepcopy(PARAMETERS if parameters is None else parameters)
    names = [parameter["name"] for parameter in parameters]
    container = {
        "name": "training-container",
        "image": "example.org/train:1",
        "command": [sys.executable, "-c"],
        "args": [code or "print('loss=0.5')", *(f"--{name}=${{trialParameters.{name}}}" for name in names)],
    }
    template = {
        "primaryContainerName": "training-container",
        "trialParameters": [{"name": name, "reference": name} for name in names],
        "trialSpec": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
        },
    }
    defaults: dict[str, Any] = {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "algorithm": {"algorithmName": "random"},
        "parallelTrialCount": 2,
        "maxTrialCount": 6,
        "maxFailedTrialCount": min(3, spec.get("maxTrialCount") or 3),
        "parameters": parameters,
        "trialTemplate": template,
    }
    metadata = {"name": "tuned", "namespace": "kubeflow"}
    whole = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": metadata}
    kept = {name: value for name, value in {**defaults, **spec}.items() if value is not None}
    return {**whole, "spec": kept}


def container_of(whole: dict[str, Any]) -> dict[str, Any]:
    """Give the container that trains."""
    found: dict[str, Any] = whole["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    return found


def written(folder: Path, whole: dict[str, Any]) -> Path:
    """Write an experiment into a file."""
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(whole, sort_keys=False), "utf-8")
    return file
