"""A job as Kubernetes objects: an MPIJob of Horovod's, or a TrainJob of torch's, from the same settings.

Sources: the custom resources `mpijobs.kubeflow.org` of v2beta1 (kubeflow/mpi-operator, caa3c47) and
`trainjobs.trainer.kubeflow.org` of v1alpha1 (kubeflow/trainer, 8c0f505), whose runtime `torch-distributed` names its
replicated job and its container `node`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sparkhu.errors import InputError
from sparkhu.training.distribution.beginning import HOROVODRUN, horovod_options
from sparkhu.training.distribution.remote import SIGN_IN

Document = dict[str, Any]
WORKER: Final = "sparkhu.training.distribution.worker"
RUNTIME: Final = "torch-distributed"
NODE: Final = "node"
HOSTFILE: Final = "/etc/mpi/hostfile"
"""Where the MPI operator lists the workers, a line `HOST slots=1` each, as `horovodrun --hostfile` reads them."""
INTERFACE: Final = "eth0"
"""The network interface of a pod."""
VOLUME: Final = "storage-keys"
TRIES: Final = 2
"""How often a launcher of Horovod's is begun anew; it goes on from the last checkpoint."""


@dataclass(frozen=True)
class ClusterJob:
    """A job for workers in a cluster.

    Attributes:
        name: Of the object.
        uri: Where the job lies (`sparkhu.training.distribution.remote`).
        workers: How many, a pod each.
        image: Of the workers; for Horovod it holds an SSH server and client.
        secret: Secret whose keys, named as variables, open the storage; empty: none. It is mounted as files.
        service_account: That the pods act as; empty: the namespace's default.
        environment: Variables that are no secret, such as the address of the storage.
        join_seconds: How long ranks wait for each other at the beginning.

    Raises:
        InputError: A value cannot be used.
    """

    name: str
    uri: str
    workers: int
    image: str
    secret: str = ""
    service_account: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    join_seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"workers must be 1 or more, got {self.workers}")
        if "://" not in self.uri:
            raise InputError(f"storage must be a URI that pods reach, such as s3://bucket/training, got '{self.uri}'")

    def work(self, distribution: str) -> list[str]:
        """Give what a rank runs, behind its Python's `-m`."""
        return [WORKER, self.uri, distribution, f"{self.join_seconds:g}"]


def train_job(job: ClusterJob) -> Document:
    """Give the TrainJob (trainer.kubeflow.org/v1alpha1) whose pods begin the ranks with `torchrun`.

    The runtime tells `torchrun` by its `PET_*` variables how many nodes there are, and where they meet.
    """
    spec: Document = {
        "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": RUNTIME},
        "trainer": {
            "image": job.image,
            "command": ["torchrun", "-m", *job.work("torch")],
            "env": _variables(job),
            "numNodes": job.workers,
            "numProcPerNode": 1,
        },
    }
    pod = {**_identity(job), **_pod_of_keys(job, {"name": NODE})}
    if pod:
        replicated = {"name": NODE, "template": {"spec": {"template": {"spec": pod}}}}
        patch = {"template": {"spec": {"replicatedJobs": [replicated]}}}
        spec["runtimePatches"] = [{"manager": "sparkhu", "trainingRuntimeSpec": patch}]
    return {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", **_named(job), "spec": spec}


def mpi_job(job: ClusterJob) -> Document:
    """Give the MPIJob (kubeflow.org/v2beta1) whose launcher begins the ranks with `horovodrun` over SSH.

    The launcher has no key of the storage: `horovodrun` writes its variables on the command lines of the workers.
    """
    begin = [*horovod_options(job.workers, INTERFACE, job.join_seconds), "--hostfile", HOSTFILE]
    begin += ["python", "-m", *job.work("horovod")]
    launcher = {"name": "launcher", "image": job.image, "env": _variables(job)}
    launcher["command"] = ["python", "-m", HOROVODRUN, *begin]
    worker = {"name": "worker", "image": job.image}
    pods = {
        "Launcher": (1, {**_identity(job), "containers": [launcher]}),
        "Worker": (job.workers, {**_identity(job), "containers": [worker], **_pod_of_keys(job, worker)}),
    }
    spec = {
        "slotsPerWorker": 1,
        "mpiImplementation": "OpenMPI",
        "launcherCreationPolicy": "WaitForWorkersReady",
        "runPolicy": {"cleanPodPolicy": "Running", "backoffLimit": TRIES},
        "mpiReplicaSpecs": {
            kind: {"replicas": count, "restartPolicy": "Never", "template": {"spec": pod}}
            for kind, (count, pod) in pods.items()
        },
    }
    return {"apiVersion": "kubeflow.org/v2beta1", "kind": "MPIJob", **_named(job), "spec": spec}


def _named(job: ClusterJob) -> Document:
    return {"metadata": {"name": job.name, "labels": {"app.kubernetes.io/managed-by": "sparkhu"}}}


def _variables(job: ClusterJob) -> list[Document]:
    given = {"PYTHONUNBUFFERED": "1", **job.environment}
    return [{"name": name, "value": value} for name, value in sorted(given.items())]


def _identity(job: ClusterJob) -> Document:
    return {"serviceAccountName": job.service_account} if job.service_account else {}


def _pod_of_keys(job: ClusterJob, container: Document) -> Document:
    """Give what mounts the keys of the storage as files into a container."""
    if not job.secret:
        return {}
    mounted = {**container, "volumeMounts": [{"name": VOLUME, "mountPath": str(SIGN_IN), "readOnly": True}]}
    return {"containers": [mounted], "volumes": [{"name": VOLUME, "secret": {"secretName": job.secret}}]}
