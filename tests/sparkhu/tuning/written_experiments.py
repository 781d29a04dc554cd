"""Experiments for Katib as their users write them, and a kubeconfig that leads to a cluster."""

from pathlib import Path
from typing import Any

import yaml

SECRET = "t0k3n-of-nobody"
JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "training",
                        "image": "registry.example/train:1",
                        "command": ["train", "--rate=${trialParameters.rate}", "--depth=${trialParameters.depth}"],
                    }
                ],
            }
        }
    },
}
POD = {"spec": {"containers": JOB["spec"]["template"]["spec"]["containers"]}}
MPI_JOB: dict[str, Any] = {
    "apiVersion": "kubeflow.org/v2beta1",
    "kind": "MPIJob",
    "spec": {
        "slotsPerWorker": 1,
        "mpiReplicaSpecs": {
            "Launcher": {"replicas": 1, "template": POD},
            "Worker": {"replicas": 2, "template": {"spec": {"containers": [{"name": "worker", "image": "train:1"}]}}},
        },
    },
}


def written(name: str = "search", job: dict[str, Any] = JOB, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name, "labels": {"team": "forecasts"}},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss", "goal": 0.001},
            "algorithm": {"algorithmName": "tpe", "algorithmSettings": [{"name": "random_state", "value": "1"}]},
            "parallelTrialCount": 2,
            "maxTrialCount": 5,
            "maxFailedTrialCount": 1,
            "parameters": [
                {"name": "rate", "parameterType": "double", "feasibleSpace": {"min": "0.1", "max": "0.7"}},
                {"name": "depth", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "8"}},
            ],
            "trialTemplate": {
                "primaryContainerName": "training",
                "retain": False,
                "trialParameters": [{"name": each, "reference": each} for each in ("rate", "depth")],
                "trialSpec": job,
            },
            **more,
        },
    }


def kubeconfig(folder: Path, url: str, token: str, authority: Path | None = None) -> Path:
    trusted = {} if authority is None else {"certificate-authority": str(authority)}
    file = folder / "kubeconfig"
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": url, **trusted}}],
        "users": [{"name": "me", "user": {"token": token}}],
    }
    file.write_text(yaml.safe_dump(document))
    return file
