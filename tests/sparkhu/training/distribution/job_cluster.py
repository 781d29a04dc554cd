"""A server on loopback that speaks the Kubernetes API for jobs of workers, and runs what a TrainJob runs."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.katib_cluster import STARTED, Document, Fault, Request, status
from tests.services import free_port

PATH = re.compile(r"/apis/([^/]+)/([^/]+)/namespaces/([^/]+)/([^/]+)(?:/([^/]+))?")
KINDS = {
    ("trainer.kubeflow.org", "v1alpha1", "trainjobs"): "TrainJob",
    ("kubeflow.org", "v2beta1", "mpijobs"): "MPIJob",
}


@dataclass
class JobCluster:
    """The state of the cluster.

    Attributes:
        work: Does the work of a job that was created, and gives its last condition; None: nothing takes jobs up.
    """

    work: Callable[[Document], Document] | None = None
    url: str = ""
    forbidden: bool = False
    jobs: dict[str, Document] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def created(self) -> list[str]:
        """The names of the jobs that were asked for."""
        return [request.body["metadata"]["name"] for request in self.requests if request.body]

    def answer(self, request: Request) -> tuple[int, Any]:
        """Do what is asked: a status, and what the API answers."""
        found = PATH.fullmatch(request.path)
        if found is None or (*found.group(1, 2), found[4]) not in KINDS:
            return 404, "404 page not found\n"
        if self.forbidden:
            return 403, status(403, "Forbidden", f"{found[4]}.{found[1]} is forbidden")
        if request.method == "POST":
            body = request.body or {}
            assert body["kind"] == KINDS[(*found.group(1, 2), found[4])]
            return self._create(body)
        if found[5] not in self.jobs:
            return 404, status(404, "NotFound", f'{found[4]}.{found[1]} "{found[5]}" not found')
        return 200, self.jobs[found[5]]

    def _create(self, body: Document) -> tuple[int, Any]:
        name = body["metadata"]["name"]
        if name in self.jobs:
            return 409, status(409, "AlreadyExists", f'"{name}" already exists')
        made: Document = {**body, "status": {"conditions": []}}
        self.jobs[name] = made
        if self.work is not None:
            threading.Thread(target=self._run, args=(made, self.work), daemon=True).start()
        return 201, made

    def _run(self, job: Document, work: Callable[[Document], Document]) -> None:
        job["status"]["jobsStatus"] = [{"name": "node", "ready": 1}]
        try:
            ended = work(job)
        except Exception as error:  # noqa: BLE001 - a job that nobody ends is followed for ever
            ended = {"type": "Failed", "reason": "NotRun", "message": repr(error)}
        job["status"]["conditions"] = [condition(ended)]


def condition(told: Document) -> Document:
    """Give a condition that holds as the API has it."""
    return {"status": "True", "reason": "", "message": "", "lastTransitionTime": STARTED, **told}


def on_one_node(ranks: int) -> dict[str, str]:
    """Give what a cluster's runtime gives each node, where one has all ranks; torchrun is that of this environment."""
    told = {"PET_NNODES": "1", "PET_NPROC_PER_NODE": str(ranks), "PET_NODE_RANK": "0"}
    told |= {"PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": str(free_port())}
    return {**told, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


def run_train_job(job: Document) -> Document:
    """Run the command of a TrainJob, all of its ranks on one node, as its runtime begins it."""
    trainer = job["spec"]["trainer"]
    told = on_one_node(trainer["numNodes"]) | {each["name"]: each["value"] for each in trainer["env"]}
    done = subprocess.run(trainer["command"], env={**os.environ, **told}, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"type": "Failed", "reason": "JobsFailed", "message": done.stderr[-2000:]}
    return {"type": "Complete", "reason": "JobsCompleted", "message": "jobset completed successfully"}
