"""The manifests of the account that runs act as: what steps ask of the Kubernetes API is what its role allows."""

from pathlib import Path
from typing import Any

import yaml

from sparkhu.training.distribution.cluster_launching import MPI_JOBS, TRAIN_JOBS
from sparkhu.tuning.katib_api import EXPERIMENTS, TRIALS

BASE = Path(__file__).resolve().parents[3] / "manifests" / "base"


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((BASE / name).read_text("utf-8")))


def test_the_role_allows_what_steps_ask_for_and_nothing_else() -> None:
    (role,) = read("role.yaml")
    allowed = {(rule["apiGroups"][0], rule["resources"][0]): rule["verbs"] for rule in role["rules"]}

    assert allowed == {
        (MPI_JOBS.group, MPI_JOBS.plural): ["create", "get"],
        (TRAIN_JOBS.group, TRAIN_JOBS.plural): ["create", "get"],
        (EXPERIMENTS.group, EXPERIMENTS.plural): ["create", "get", "patch"],
        (TRIALS.group, TRIALS.plural): ["list"],
    }


def test_all_files_are_in_the_kustomization_and_the_role_is_bound_to_the_account() -> None:
    (base,) = read("kustomization.yaml")
    (account,) = read("service-account.yaml")
    (role,) = read("role.yaml")
    bindings = {each["roleRef"]["name"]: each["subjects"] for each in read("role-bindings.yaml")}

    assert set(base["resources"]) == {path.name for path in BASE.iterdir()} - {"kustomization.yaml"}
    subject = {"kind": "ServiceAccount", "name": account["metadata"]["name"]}
    assert bindings == {role["metadata"]["name"]: [subject], "pipeline-runner": [subject]}
